"""What the runner uses of DuckDB: its engine without its Python layer of relations and expressions.

That layer takes four fifths of `import duckdb`, and nothing of it is used here. The engine is a
module of its own, but not a documented one, so the whole package stands in where it is missing.
Import this where it is used: a run without rows needs no engine.
"""

from __future__ import annotations

try:
    from _duckdb import (
        ConversionException,
        DuckDBPyConnection,
        Error,
        InvalidInputException,
        IOException,
        NotImplementedException,
        OutOfMemoryException,
        connect,
    )
except ImportError:  # another release of DuckDB
    from duckdb import (
        ConversionException,
        DuckDBPyConnection,
        Error,
        InvalidInputException,
        IOException,
        NotImplementedException,
        OutOfMemoryException,
        connect,
    )

__all__ = (
    "ConversionException",
    "DuckDBPyConnection",
    "Error",
    "IOException",
    "InvalidInputException",
    "NotImplementedException",
    "OutOfMemoryException",
    "connect",
)
