"""What the runner uses of DuckDB: its engine without its Python layer of relations and expressions.

That layer takes four fifths of `import duckdb`. The engine is a module of its own, but not a
documented one: where it is missing, the whole package is imported. Import this module where it is
used, because many commands need no engine.
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
    from _duckdb import __version__ as version
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
    from duckdb import __version__ as version

__all__ = (
    "ConversionException",
    "DuckDBPyConnection",
    "Error",
    "IOException",
    "InvalidInputException",
    "NotImplementedException",
    "OutOfMemoryException",
    "connect",
    "version",
)


def load_relations() -> None:
    """Load the layer of relations too: connections have `sql`, which gives Arrow streams."""
    import duckdb  # noqa: F401
