"""Tables of numbers as bytes: packed for the database, canonical for a hash.

Pure. A packed table is a header line of JSON and the columns' bytes behind it, shuffled so that equal bytes of neighbours
stand together, which is what makes prices small, and compressed by zlib.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from marketdata.bars import Bars

Table = npt.NDArray[Any]

FORM: Final = 1
LEVEL: Final = 1  # of zlib: beyond it, minutes of processor time buy a few per cent
COLUMNS: Final = ("time", "open", "high", "low", "close", "volume")


def pack(tables: Mapping[str, Table]) -> bytes:
    """Arrays by name, of any plain or structured type without objects, as bytes."""
    header, body = [], []
    for name, table in tables.items():
        flat = np.ascontiguousarray(table)
        fields = flat.dtype.names
        kinds: Any = [[field, flat.dtype[field].str] for field in fields] if fields else flat.dtype.str
        header.append([name, list(flat.shape), kinds])
        columns = [np.ascontiguousarray(flat[field]) for field in fields] if fields else [flat]
        body += [shuffled(column) for column in columns]
    told = json.dumps({"form": FORM, "tables": header}).encode()
    return zlib.compress(told + b"\n" + b"".join(body), LEVEL)


def unpack(packed: bytes | memoryview) -> dict[str, Table]:
    """What ``pack`` was given.

    Raises ValueError if the bytes are of a form that is not known here.
    """
    whole = zlib.decompress(packed)
    told, _, body = whole.partition(b"\n")
    header = json.loads(told)
    if header.get("form") != FORM:
        raise ValueError(f"a packed table must be of form {FORM}, was of {header.get('form')!r}")
    tables: dict[str, Table] = {}
    at = 0
    for name, shape, kinds in header["tables"]:
        count = int(np.prod(shape))
        if isinstance(kinds, str):
            kind = np.dtype(kinds)
            tables[name] = straight(body, at, count, kind).reshape(shape)
            at += count * kind.itemsize
            continue
        table = np.empty(shape, [(field, kind) for field, kind in kinds])
        for field, text in kinds:
            kind = np.dtype(text)
            table[field] = straight(body, at, count, kind).reshape(shape)
            at += count * kind.itemsize
        tables[name] = table
    return tables


def shuffled(column: Table) -> bytes:
    """First bytes of all values, then second bytes, and so on."""
    raw = column.reshape(-1).view(np.uint8).reshape(column.size, column.dtype.itemsize)
    return raw.T.tobytes()


def straight(body: bytes, at: int, count: int, kind: np.dtype[Any]) -> Table:
    raw = np.frombuffer(body, np.uint8, count * kind.itemsize, at).reshape(kind.itemsize, count)
    return np.ascontiguousarray(raw.T).reshape(-1).view(kind)


def pack_bars(bars: Bars) -> bytes:
    return pack(dict(zip(COLUMNS, bars.columns, strict=True)))


def unpack_bars(packed: bytes | memoryview) -> Bars:
    """Bars from what ``pack_bars`` gave."""
    tables = unpack(packed)
    return Bars(*(tables[name] for name in COLUMNS))


def bars_hash(bars: Bars) -> str:
    """SHA-256 of the canonical bytes: the six columns one after the other, little-endian, every NaN the same one."""
    digest = hashlib.sha256(b"clusterx bars 1")
    digest.update(np.ascontiguousarray(bars.time, "<i8").tobytes())
    for column in bars.columns[1:]:
        values = np.array(column, "<f8")
        values[np.isnan(values)] = np.nan
        digest.update(values.tobytes())
    return digest.hexdigest()
