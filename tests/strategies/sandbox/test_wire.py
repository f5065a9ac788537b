"""Frames survive the way, and nothing that is not a frame is taken for one."""

from __future__ import annotations

import json
import os

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some

from strategies.sandbox.inside import wire

names = some.text(min_size=1, max_size=20)
arrays = some.dictionaries(
    names,
    some.one_of(
        some.lists(some.floats(width=64), max_size=50).map(lambda values: np.array(values, np.float64)),
        some.lists(some.integers(-(2**63), 2**63 - 1), max_size=50).map(lambda values: np.array(values, np.int64)),
    ),
    max_size=4,
)


def joined(buffers: list) -> bytes:
    return b"".join(bytes(buffer) for buffer in buffers)


@given(arrays)
def test_what_is_encoded_is_decoded(given_: dict) -> None:
    raw = joined(wire.encode({"kind": "x"}, given_))
    head, body = wire.lengths(raw[: wire.PREFIX.size])
    text, rest = raw[wire.PREFIX.size :][:head], raw[wire.PREFIX.size + head :]
    assert len(rest) == body
    header, read = wire.decode(text, np.frombuffer(rest, np.uint8))
    assert header == {"kind": "x"}
    assert set(read) == set(given_)
    for name, values in given_.items():
        assert read[name].dtype == values.dtype
        np.testing.assert_array_equal(read[name], values)


@given(some.binary(min_size=16, max_size=16), some.binary(max_size=300), some.binary(max_size=64))
def test_any_bytes_are_a_frame_or_refused(prefix: bytes, text: bytes, body: bytes) -> None:
    for attempt in (lambda: wire.lengths(prefix), lambda: wire.decode(text, np.frombuffer(body, np.uint8))):
        try:
            attempt()
        except wire.BrokenFrame:
            continue


@given(
    some.recursive(
        some.none() | some.integers() | some.text(max_size=5) | some.floats(),
        lambda x: some.lists(x, max_size=4),
        max_leaves=12,
    )
)
def test_any_description_of_arrays_is_refused_or_fits(described: object) -> None:
    text = json.dumps({"kind": "x", "arrays": described}).encode()
    try:
        _, read = wire.decode(text, np.zeros(16, np.uint8))
    except wire.BrokenFrame:
        return
    assert sum(values.nbytes for values in read.values()) == 16


def test_a_closed_pipe_ends_the_conversation() -> None:
    read, write = os.pipe()
    os.write(write, joined(wire.encode({}))[:10])
    os.close(write)
    assert wire.read_frame(read) is None
    os.close(read)


def test_a_header_longer_than_allowed_is_refused() -> None:
    with pytest.raises(wire.BrokenFrame):
        wire.lengths(wire.PREFIX.pack(wire.MAGIC, wire.LONGEST_HEADER + 1, 0))
