"""Regular expressions of a library that are compiled when they are first used.

One that yaml's own reader compiles takes 4 ms, a twentieth of `validate`; libyaml does not use it.
Knows `re`. Knows nothing of yaml.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from threading import active_count
from typing import Any


class LatePattern:
    """A regular expression that is compiled when it is first used."""

    def __init__(self, *compiled: Any) -> None:  # noqa: ANN401 - as of `re.compile`
        self._compiled = compiled

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever a pattern has
        found = getattr(re.compile(*self._compiled), name)
        setattr(self, name, found)  # the next time it is there
        return found


@contextmanager
def compiled_late() -> Iterator[None]:
    """Compile no pattern of what is imported in the block; another thread's must not be late."""
    compiled = re.compile
    if active_count() > 1:
        yield
        return
    re.compile = LatePattern  # type: ignore[assignment]
    try:
        yield
    finally:
        re.compile = compiled
