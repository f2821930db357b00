"""Undo: what records held before and after a write, and which can be restored."""
