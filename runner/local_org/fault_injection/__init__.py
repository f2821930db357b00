"""Faults on demand: what goes wrong because someone asked for it, repeatably."""
