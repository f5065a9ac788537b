"""Owns the words that the two sides exchange: frames of plain arrays, one bar, one answer to a bar. Never pickle.

A frame is ``CXF1``, the length of its header (u32) and of its body (u64), a JSON header, and the arrays one after
another. The header of an answer is ``{"kind": …, "arrays": [[name, type, length], …], …}``; the types are ``f8`` and
``i8``, little-endian. The host takes nothing of this on trust: see ``strategies.sandbox.answers``.
"""

import json
import os
import struct
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

MAGIC: Final = b"CXF1"
PREFIX: Final = struct.Struct("<4sIQ")
LONGEST_HEADER: Final = 256 * 1024
TYPES: Final = {"f8": np.dtype("<f8"), "i8": np.dtype("<i8")}

BAR: Final = struct.Struct("<q5d")  # time, open, high, low, close, volume
LEVELS_MAGIC: Final = b"CXL1"
LEVELS: Final = struct.Struct("<4s4x4d")  # exposure, stop, take-profit, trail

COLUMNS: Final = ("time", "open", "high", "low", "close", "volume")

Array = npt.NDArray[Any]


class BrokenFrame(ValueError):
    """The bytes are no frame."""


def encode(header: Mapping[str, Any], arrays: Mapping[str, Array] | None = None) -> list[bytes | memoryview]:
    """The buffers of one frame, for ``write``."""
    given = {name: np.ascontiguousarray(values) for name, values in (arrays or {}).items()}
    described = [[name, "i8" if values.dtype.kind == "i" else "f8", len(values)] for name, values in given.items()]
    text = json.dumps({**header, "arrays": described}).encode()
    body = [values.data.cast("B") for values in given.values() if len(values)]
    return [PREFIX.pack(MAGIC, len(text), sum(part.nbytes for part in body)) + text, *body]


def write(descriptor: int, buffers: Sequence[bytes | memoryview]) -> None:
    """All of it, however often the pipe takes a part."""
    for buffer in buffers:
        left = memoryview(buffer)
        while left:
            left = left[os.write(descriptor, left) :]


def lengths(prefix: bytes) -> tuple[int, int]:
    """Header and body length. Raises BrokenFrame."""
    magic, header, body = PREFIX.unpack(prefix)
    if magic != MAGIC or not 2 <= header <= LONGEST_HEADER:
        raise BrokenFrame("the answer does not begin as one")
    return header, body


def decode(text: bytes, body: Array) -> tuple[dict[str, Any], dict[str, Array]]:
    """Header and arrays (views of ``body``, a uint8 array). Raises BrokenFrame whatever the bytes are."""
    try:
        header = json.loads(text)
        described = header.pop("arrays")
        arrays, at = {}, 0
        for name, kind, length in described:
            if type(name) is not str or type(length) is not int or length < 0 or name in arrays:
                raise BrokenFrame("an array is described wrongly")
            end = at + length * TYPES[kind].itemsize
            if end > len(body):
                raise BrokenFrame("an array is longer than the answer")
            arrays[name] = body[at:end].view(TYPES[kind])
            at = end
        if at != len(body):
            raise BrokenFrame("the answer is longer than its arrays")
    except BrokenFrame:
        raise
    except Exception:
        raise BrokenFrame("the answer's header is not what was agreed") from None
    return header, arrays


def read_exactly(descriptor: int, into: memoryview) -> bool:
    """Fill ``into``; False if the other end closed first."""
    while into:
        count = os.readv(descriptor, [into])
        if count == 0:
            return False
        into = into[count:]
    return True


def read_frame(descriptor: int) -> tuple[dict[str, Any], dict[str, Array]] | None:
    """The next frame from a trusted writer; None when there is no more."""
    prefix = bytearray(PREFIX.size)
    if not read_exactly(descriptor, memoryview(prefix)):
        return None
    header, length = lengths(bytes(prefix))
    text, body = bytearray(header), np.empty(length, np.uint8)
    if not read_exactly(descriptor, memoryview(text)) or (length and not read_exactly(descriptor, body.data)):
        return None
    return decode(bytes(text), body)
