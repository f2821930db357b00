"""Faults on demand: what goes wrong because someone asked for it, the same each time."""
