"""What takes the place of values that must not leave their org.

Frozen values. Knows the words of a job file. Knows nothing of how a value is masked.
"""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

from runner.credentials import SecretReference

LEAST_KEY_CHARACTERS = 16


class MaskKind(StrEnum):
    """What takes the place of a value."""

    HASH = "hash"
    """A keyed hash: equal values have equal hashes."""
    FAKE = "fake"
    """An invented name, address or number: equal values have equal fakes."""
    NULL = "null"
    """Nothing: the field is emptied."""


class Mask(Struct, frozen=True):
    """A column of a query and what takes the place of its values."""

    column: str
    """As written; the case of letters makes no difference."""
    kind: MaskKind


class Masks(Struct, frozen=True):
    """The masks of a query, and the key of their hashes and fakes."""

    columns: tuple[Mask, ...] = ()
    key: SecretReference | None = None
    """None only if no mask needs one."""

    @property
    def needs_key(self) -> bool:
        """Whether what takes the place of a value depends on the value."""
        return any(each.kind is not MaskKind.NULL for each in self.columns)
