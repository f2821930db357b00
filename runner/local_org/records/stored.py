"""What a field's value is in the store, and what reads one."""

from __future__ import annotations

from collections.abc import Callable

Stored = str | int | float | None
Reader = Callable[[object], Stored]
