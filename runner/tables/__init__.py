"""Rows on this machine: sources, staged rows, results and targets, carried by DuckDB."""
