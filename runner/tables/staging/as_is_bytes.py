"""Plain CSV whose values are sent as they are read: found by looking at its bytes.

DuckDB takes longer, as it makes a value of each cell, so it is given only the columns of which
bytes alone do not tell, such as keys, and those that expressions use. Knows plain CSV and kinds.
Knows nothing of mappings.
"""

from __future__ import annotations

import codecs
from array import array
from collections.abc import Callable, Collection, Container, Iterator, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

from msgspec import Struct

from runner.luajit import address_of, compiled
from runner.tables.field_types import FieldKind
from runner.tables.plain_csv import read_blocks
from runner.tables.staging.as_is import PREFIX_SIGNS
from runner.tables.staging.canonical_values import NO, YES
from runner.tables.staging.text_steps import TextSteps

_LOOK = Path(__file__).with_name("as_is.lua")
_CANONICAL = Path(__file__).with_name("canonical.lua")
_BLOCK_BYTES = 64_000
_MOST_BLOCK_BYTES = 1_000_000
_NO_LIMIT = 2**32 - 1
_GOES_ON = 2**16 - 1
_LETTERS = {
    FieldKind.TEXT: b"T",
    FieldKind.BOOLEAN: b"B",
    FieldKind.INTEGER: b"I",
    FieldKind.NUMBER: b"N",
    FieldKind.DATE: b"D",
    FieldKind.DATETIME: b"M",
    FieldKind.TIME: b"C",
    FieldKind.ID: b"X",
}
_WORD, _STEPS, _OTHER, _READ, _UNUSED = b"W", b"S", b"O", b"R", b"U"
_FILLED, _TRIMMED, _KEY, _FOLDED, _PREFIXED = (1 << bit for bit in range(5))
_YES, _NO = (",".join((*words, "")).encode() for words in (YES, NO))
KINDS = frozenset(_LETTERS)
"""Kinds whose values bytes show to be sent as they are read."""


class Asked(Struct, frozen=True):
    """What the values of a column have to be beyond what those of its kind are."""

    is_filled: bool = False
    is_trimmed: bool = False
    prefix: str = ""
    """How Ids begin; of so many signs, or none."""
    is_key: bool = False
    tells_case: bool = True
    """Whether keys in other letter case are other keys."""

    @property
    def marks(self) -> int:
        """The same as bits."""
        return (
            _FILLED * self.is_filled
            | _TRIMMED * self.is_trimmed
            | _PREFIXED * bool(self.prefix)
            | _KEY * self.is_key
            | _FOLDED * (self.is_key and not self.tells_case)
        )


class Look(Struct, frozen=True):
    """What to look for."""

    columns: int
    """At least two."""
    kinds: Mapping[int, FieldKind]
    """Of values that are to be canonical, or texts that stay as they are, by their place."""
    longest: Mapping[int, int]
    """How many bytes texts may have, where there is a limit."""
    longest_record: int | None = None
    """How many bytes a record may have; None: there is no limit."""
    sent: Sequence[int | None] | None = None
    """The place of each cell to send, rising; None: the cell is computed. If not given: all."""
    words: Collection[int] = ()
    """The places of booleans that are sent as `true` or `false`, however they are written."""
    steps: Mapping[int, TextSteps] = {}
    """Of texts that are made of those that were read, by their place."""
    used: Container[int] = ()
    """The places of values that are not sent, or are not to be as they are, and are needed."""
    asked: Mapping[int, Asked] = {}
    """Of values that are sent as they are read, by their place, where more is asked of them."""

    @property
    def others(self) -> Sequence[int]:
        """The places of the other columns that are needed: they are to be looked at closer."""
        return [at for at, letter in enumerate(self.letters) if letter in _OTHER + _READ]

    @property
    def letters(self) -> bytes:
        """What is looked for in each column."""
        places = range(self.columns)
        sent = places if self.sent is None else {*self.sent}
        return b"".join([self._letter(at, is_sent=at in sent) for at in places])

    @property
    def computed(self) -> int:
        """How many cells to send are computed."""
        return 0 if self.sent is None else self.sent.count(None)

    @property
    def before(self) -> int:
        """How many computed cells come before the first that is sent as it is read."""
        return next((n for n, place in enumerate(self.sent or ()) if place is not None), 0)

    @property
    def after(self) -> bytes:
        """How many computed cells come after each cell, and where the next cell goes on."""
        found = [0] * self.columns if self.sent is not None else [_GOES_ON] * self.columns
        last: int | None = None
        made = {*self.words, *self.steps}
        for place in self.sent or ():
            if place is None:
                if last is not None:
                    found[last] += 1
            else:
                if last == place - 1 and not (found[last] or {last, place} & made):
                    found[last] = _GOES_ON
                found[place], last = 0, place
        return array("H", found).tobytes()

    def _letter(self, place: int, *, is_sent: bool) -> bytes:
        if place in self.words:
            return _WORD
        if place in self.steps:
            return _STEPS
        if not is_sent:
            return _READ if place in self.used else _UNUSED
        kind = self.kinds.get(place)
        return _OTHER if kind is None or place in self.used else _LETTERS[kind]


class StepsError(ValueError):
    """A text has to be looked at by DuckDB; its argument is the column's place."""


class Known(Struct, frozen=True):
    """Some rows of which all values but those of the other columns are sent as they are read."""

    rows: int
    others: bytes
    """Plain CSV of the other columns; empty if there is none."""
    sent: bytes = b""
    """The rows to send, with U+0000 for each computed cell; empty if they are the rows as read."""
    hashes: bytes = b""
    """Of each row's key, 8 bytes; empty if no column is looked at as one."""


def find_known(content: bytes, look: Look) -> Known | None:
    """Look whether values are sent as they are read.

    Args:
        content: CSV with commas, quotes and line feeds, without CR and U+0000.
        look: What to look for.

    Returns:
        None if LuaJIT is not there, a value may be sent otherwise, a row may be blank, or the
        content is not, byte for byte, what DuckDB writes of these values.
    """
    look_at = _look_at(len(content), look)
    if look_at is None:
        return None
    is_ascii, has_hash = content.isascii(), b"#" in content
    found, start = [], 0
    try:
        while start < len(content):
            known, end = look_at(content, start, _BLOCK_BYTES, has_hash)
            if not is_ascii:
                content[start:end].decode()
            found.append(known)
            start = end
    except ValueError:
        return None
    return joined(found) if found else None


def joined(found: Sequence[Known]) -> Known:
    """The same of consecutive rows together, without those to send."""
    others, hashes = b"".join(f.others for f in found), b"".join(f.hashes for f in found)
    return Known(sum(each.rows for each in found), others, hashes=hashes)


def read_known(content: BinaryIO, size: int, look: Look) -> Iterator[Known]:
    """Do it while content is read, some rows at a time.

    Args:
        content: As `find_known` takes it.
        size: Its bytes.
        look: What to look for.

    Raises:
        ValueError: `find_known` would give None.
    """
    look_at = _look_at(size, look)
    if look_at is None:
        raise ValueError("no LuaJIT")
    for block in read_blocks(content, _BLOCK_BYTES):
        if len(block) > _MOST_BLOCK_BYTES and look.sent is not None:
            raise ValueError("a record so long that rows to send would take much memory")
        if not block.isascii():
            block.decode()
        known, _ = look_at(block, 0, len(block), b"#" in block)
        yield known


def _look_at(size: int, look: Look) -> Callable[[bytes, int, int, bool], tuple[Known, int]] | None:
    """Give a function that looks at some records of a content, and says where they end.

    It takes the content, where to begin, how many bytes are enough, and whether there is a `#`; it
    raises a ValueError if values are sent otherwise.
    """
    function = compiled(_LOOK, size, _CANONICAL)
    if function is None:
        return None
    longest = [look.longest.get(at, _NO_LIMIT) for at in range(look.columns)]
    asked_of = [look.asked.get(at, Asked()) for at in range(look.columns)]
    asked = (
        look.letters,
        array("I", longest).tobytes(),
        _NO_LIMIT if look.longest_record is None else look.longest_record,
        look.before,
        look.after,
        b"\0," * look.computed,
        _YES,
        _NO,
        b"".join(look.steps[at].encoded for at in sorted(look.steps)),
        bytes(each.marks for each in asked_of),
        b"".join(each.prefix.encode().ljust(PREFIX_SIGNS, b"\0") for each in asked_of),
    )
    is_first = True

    def look_at(content: bytes, start: int, enough: int, has_hash: bool) -> tuple[Known, int]:  # noqa: FBT001
        nonlocal is_first
        at, size = address_of(content) + start, len(content) - start
        found = function(at, size, enough, has_hash, *asked)
        if found is None:
            raise ValueError("something else")
        if not found[0]:
            raise StepsError(found[1])
        *known, used = found
        some = Known(*known)
        # DuckDB would drop a byte order mark at the beginning, where it is part of a value.
        if is_first and codecs.BOM_UTF8 in {content[:3], some.others[:3]}:
            raise ValueError("byte order mark")
        is_first = False
        return some, start + used

    return look_at
