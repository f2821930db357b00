"""Records: what may be written, what is filled in, what a delete takes along, how one is read."""

from runner.local_org.records.columns import Column, column_of, is_key
from runner.local_org.records.outcome import RowOutcome, rolled_back
from runner.local_org.records.reading import attributes, read, read_many, record_json
from runner.local_org.records.writing import CHUNK_ROWS, WriteCall, write

__all__ = [
    "CHUNK_ROWS",
    "Column",
    "RowOutcome",
    "WriteCall",
    "attributes",
    "column_of",
    "is_key",
    "read",
    "read_many",
    "record_json",
    "rolled_back",
    "write",
]
