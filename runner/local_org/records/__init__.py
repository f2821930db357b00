"""Records: what can be written, what the org fills in, what a delete cascades to, reading."""

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
