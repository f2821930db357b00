"""Rows on this machine, carried by DuckDB."""
