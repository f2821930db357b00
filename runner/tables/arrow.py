"""Columns in memory that DuckDB reads where they are: the C stream interface of Apache Arrow.

The layout of the structs is that of Arrow's specification, "The Arrow C data interface" and "The
Arrow C stream interface". Knows nothing of what the columns mean.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from msgspec import Struct

_FAILED = 5
"""EIO; the stream's user knows more of the error than the stream."""
_NULLABLE = 2
_CAPSULE = b"arrow_array_stream"


class Column(Struct, frozen=True):
    """A column of a stream."""

    name: str
    format: str
    """As Arrow writes types: `u` is text, `l` an integer of 64 bits."""


class Batch(Struct, frozen=True):
    """Some rows."""

    rows: int
    columns: Sequence[tuple[int, Sequence[int]]]
    """Of each: how many values are NULL, and the addresses of its buffers."""
    give_back: Callable[[], None]
    """Called when nobody reads the buffers any more."""


class _Schema(ctypes.Structure):
    pass


class _Array(ctypes.Structure):
    pass


class _Stream(ctypes.Structure):
    pass


_RELEASE_SCHEMA = ctypes.CFUNCTYPE(None, ctypes.POINTER(_Schema))
_RELEASE_ARRAY = ctypes.CFUNCTYPE(None, ctypes.POINTER(_Array))
_RELEASE_STREAM = ctypes.CFUNCTYPE(None, ctypes.POINTER(_Stream))
_GET_SCHEMA = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(_Stream), ctypes.POINTER(_Schema))
_GET_NEXT = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(_Stream), ctypes.POINTER(_Array))
_GET_ERROR = ctypes.CFUNCTYPE(ctypes.c_char_p, ctypes.POINTER(_Stream))
_Schema._fields_ = [
    ("format", ctypes.c_char_p),
    ("name", ctypes.c_char_p),
    ("metadata", ctypes.c_char_p),
    ("flags", ctypes.c_int64),
    ("n_children", ctypes.c_int64),
    ("children", ctypes.POINTER(ctypes.POINTER(_Schema))),
    ("dictionary", ctypes.c_void_p),
    ("release", _RELEASE_SCHEMA),
    ("private_data", ctypes.c_void_p),
]
_Array._fields_ = [
    ("length", ctypes.c_int64),
    ("null_count", ctypes.c_int64),
    ("offset", ctypes.c_int64),
    ("n_buffers", ctypes.c_int64),
    ("n_children", ctypes.c_int64),
    ("buffers", ctypes.POINTER(ctypes.c_void_p)),
    ("children", ctypes.POINTER(ctypes.POINTER(_Array))),
    ("dictionary", ctypes.c_void_p),
    ("release", _RELEASE_ARRAY),
    ("private_data", ctypes.c_void_p),
]
_Stream._fields_ = [
    ("get_schema", _GET_SCHEMA),
    ("get_next", _GET_NEXT),
    ("get_last_error", _GET_ERROR),
    ("release", _RELEASE_STREAM),
    ("private_data", ctypes.c_void_p),
]


class ArrowRows:
    """Rows that a query of DuckDB can name, once they are registered."""

    def __init__(self, columns: Sequence[Column], read: Callable[[], Iterator[Batch]]) -> None:
        """Read nothing yet; `read` is called by each query for all rows."""
        self._columns = columns
        self._read = read
        self._streams: list[_RowStream] = []
        """Those of which DuckDB has the address."""
        self.failure: BaseException | None = None
        """Why `read` has ended early; DuckDB's own error says only that it has."""
        self.are_all_given = False
        """Whether a query has had the last of them. A signal at the wrong moment ends it early."""

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """Give a stream, as Arrow's "PyCapsule interface" asks; the schema is only a wish."""
        del requested_schema
        self._streams.append(_RowStream(self._columns, self._batches(), self._fail))
        return self._streams[-1].capsule()

    def _batches(self) -> Iterator[Batch]:
        yield from self._read()
        self.are_all_given = True

    def _fail(self, error: BaseException) -> None:
        self.failure = error


class _RowStream:
    """One reading of all rows. Errors and callbacks go through C, so they end in the callbacks.

    One that did not would be taken for the end of the rows.
    """

    def __init__(
        self,
        columns: Sequence[Column],
        batches: Iterator[Batch],
        fail: Callable[[BaseException], None],
    ) -> None:
        self._columns = columns
        self._batches = batches
        self._fail = fail
        self._schema: list[object] = []
        """What the schema points to."""
        self._held: dict[int, tuple[Batch, object]] = {}
        """What is being read, by the address of its children."""
        self._no_buffer = (ctypes.c_void_p * 1)()
        self._end_schema = _RELEASE_SCHEMA(_mark_released)
        self._end_column = _RELEASE_ARRAY(_mark_released)
        self._end_batch = _RELEASE_ARRAY(self._give_back)
        self._stream = _Stream(
            _GET_SCHEMA(lambda _stream, to: self._ended(self._write_schema, to)),
            _GET_NEXT(lambda _stream, to: self._ended(self._write_next, to)),
            _GET_ERROR(lambda _stream: None),
            _RELEASE_STREAM(_mark_released),
        )

    def capsule(self) -> object:
        """The stream as Python's C interface hands over addresses."""
        new = ctypes.pythonapi.PyCapsule_New
        new.restype, new.argtypes = (
            ctypes.py_object,
            (ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p),
        )
        return new(ctypes.addressof(self._stream), _CAPSULE, None)

    def _ended(self, write: Callable[[Any], None], to: Any) -> int:  # noqa: ANN401 - a pointer
        """Write what C asks for, and say how that has ended."""
        try:
            write(to)
        except BaseException as error:  # noqa: BLE001 - it is kept, and C knows no exceptions
            self._fail(error)
            return _FAILED
        return 0

    def _write_schema(self, to: Any) -> None:  # noqa: ANN401 - a pointer of ctypes
        columns = [
            _Schema(
                each.format.encode(), each.name.encode(), None, _NULLABLE, release=self._end_schema
            )
            for each in self._columns
        ]
        children = _pointers(_Schema, columns)
        self._schema += [columns, children]
        to[0] = _Schema(b"+s", b"", None, 0, len(columns), children, None, self._end_schema)

    def _write_next(self, to: Any) -> None:  # noqa: ANN401
        batch = next(self._batches, None)
        if batch is None:
            to[0] = _Array()
            return
        arrays = []
        for nulls, addresses in batch.columns:
            buffers = (ctypes.c_void_p * len(addresses))(*addresses)
            arrays.append(
                _Array(batch.rows, nulls, 0, len(addresses), 0, buffers, release=self._end_column)
            )
        children = _pointers(_Array, arrays)
        self._held[ctypes.addressof(children)] = batch, children
        to[0] = _Array(
            batch.rows, 0, 0, 1, len(arrays), self._no_buffer, children, release=self._end_batch
        )

    def _give_back(self, pointer: Any) -> None:  # noqa: ANN401
        batch, _ = self._held.pop(ctypes.cast(pointer[0].children, ctypes.c_void_p).value or 0)
        batch.give_back()
        _mark_released(pointer)


def _mark_released(pointer: Any) -> None:  # noqa: ANN401 - a pointer of ctypes
    """Say that a struct is no longer used, as its `release` has to."""
    released = pointer[0]
    released.release = type(released.release)()


def _pointers(kind: type[ctypes.Structure], structs: Sequence[ctypes.Structure]) -> Any:  # noqa: ANN401
    return (ctypes.POINTER(kind) * len(structs))(*map(ctypes.pointer, structs))
