"""SOQL: its grammar, its meaning over a catalog, and its results from the store."""

from runner.local_org.soql.prepare import Prepared, prepare

__all__ = ["Prepared", "prepare"]
