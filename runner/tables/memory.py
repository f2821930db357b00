"""Gives memory back to the system between two pieces of work that take much of it.

Knows the C library. Knows nothing of rows.
"""

from __future__ import annotations

from contextlib import suppress


def return_free_memory() -> None:
    """Return what is free, where the C library can.

    glibc keeps up to 8 MB at the end of each arena, and there is one for nearly each thread.
    """
    import ctypes

    with suppress(AttributeError, OSError, TypeError):  # another C library has no such function
        ctypes.CDLL(None).malloc_trim(0)
