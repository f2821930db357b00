"""Reads a plain mapping key by key and collects the problems with their positions.

Knows keys, paths and problems. Knows nothing of orgs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TypeVar

from msgspec import Struct

T = TypeVar("T")
KeyPath = tuple[str | int, ...]


class Problem(Struct, frozen=True):
    """One mistake, and the keys that lead to it from the top."""

    path: KeyPath
    message: str


class DeclarationError(ValueError):
    """The org file is invalid; has every problem, in the order of the file."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("; ".join(f"{_dotted(item.path)}: {item.message}" for item in problems))
        self.problems = tuple(problems)

    @property
    def path(self) -> KeyPath:
        """Where the first problem is."""
        return self.problems[0].path


def _dotted(path: KeyPath) -> str:
    return ".".join(str(step) for step in path) or "(top)"


class Section:
    """One mapping of the declaration; getters report a wrong value and return the default."""

    def __init__(self, value: object, path: KeyPath, problems: list[Problem]) -> None:
        self.path = path
        self.problems = problems
        self._mapping: Mapping[object, object] = value if isinstance(value, Mapping) else {}
        if value is not None and not isinstance(value, Mapping):
            self.report("must be a mapping")

    def report(self, message: str, *keys: str | int) -> None:
        """Report a problem of this section, or of a key in it."""
        self.problems.append(Problem((*self.path, *keys), message))

    def __contains__(self, key: str) -> bool:
        return key in self._mapping

    def raw(self, key: str) -> object:
        """The value as declared; None if absent."""
        return self._mapping.get(key)

    def only(self, *allowed: str) -> None:
        """Report every key that is not one of those allowed."""
        for key in self._mapping:
            if key not in allowed:
                self.report(f"unknown key; expected one of {', '.join(allowed)}", str(key))

    def text(self, key: str, default: str = "") -> str:
        """A text; numbers and booleans are wrong."""
        value = self._mapping.get(key, default)
        return value if isinstance(value, str) else self._wrong(key, "text", default)

    def choice(self, key: str, allowed: Sequence[str], default: str) -> str:
        """A text out of a closed set."""
        value = self.text(key, default)
        if value in allowed:
            return value
        return self._wrong(key, f"one of {', '.join(allowed)}", default)

    def flag(self, key: str, *, default: bool = False) -> bool:
        """True or false."""
        value = self._mapping.get(key, default)
        return value if isinstance(value, bool) else self._wrong(key, "true or false", default)

    def whole(self, key: str, default: int, least: int, most: int) -> int:
        """A whole number within bounds."""
        value = self._mapping.get(key, default)
        if isinstance(value, int) and not isinstance(value, bool) and least <= value <= most:
            return value
        return self._wrong(key, f"a whole number from {least} to {most}", default)

    def texts(self, key: str) -> list[str]:
        """A list of texts."""
        value = self._mapping.get(key, [])
        if isinstance(value, list) and all(isinstance(entry, str) for entry in value):
            return value
        return self._wrong(key, "a list of texts", [])

    def section(self, key: str) -> Section:
        """The mapping under a key; empty if absent."""
        return Section(self._mapping.get(key), (*self.path, key), self.problems)

    def keys(self) -> Iterator[str]:
        """All of this section's keys."""
        return map(str, self._mapping)

    def entries(self) -> Iterator[tuple[str, str]]:
        """The texts under all of this section's keys."""
        for key in self._mapping:
            yield str(key), self.text(str(key))

    def sections(self, key: str) -> Iterator[tuple[str, Section]]:
        """The named mappings under a key."""
        inner = self.section(key)
        for name, value in inner._mapping.items():  # noqa: SLF001 - its own kind
            yield str(name), Section(value, (*inner.path, str(name)), self.problems)

    def _wrong(self, key: str, wanted: str, default: T) -> T:
        self.report(f"must be {wanted}", key)
        return default
