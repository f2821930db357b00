"""Values of fields that are sent as they are, column by column and without an engine.

The counterpart of `canonical_values` for values that are nearly always what comes: a value that
would be converted, cut or refused is left to DuckDB. Knows kinds of fields. Knows nothing of files.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date

from runner.job.endpoints import EXPLICIT_NULL
from runner.tables.field_types import TRIMMED_BY_THE_ORG, FieldKind, MappedColumn
from runner.tables.staging.as_is import CANONICAL_TEXT
from runner.tables.staging.canonical_values import NO, YES
from runner.tables.staging.plain_expressions import OddValueError, Texts, changed_case

_WORDS: dict[str | None, str] = {
    spelled: said
    for words, said in ((YES, "true"), (NO, "false"))
    for word in words
    for spelled in (word, word.upper(), word.capitalize())
}
"""The usual spellings."""
_DAY = re.compile("[0-9]{4}-[0-9]{2}-[0-9]{2}")
_MOMENT = re.compile(
    r"[1-9][0-9]{3}-[0-9]{2}-[0-9]{2}T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]\.[0-9]{3}Z"
)
_LETTERS_OF_A_DAY = 10
_ALIKE = frozenset({FieldKind.TEXT, FieldKind.ID})
"""Kinds of keys that are compared as texts."""
_LETTERS_OF_AN_ID = 15
"""The others only repeat their case."""


def is_possible(column: MappedColumn) -> bool:
    """Whether values of a column may be looked at here."""
    alike = column.tells_case is None or column.kind in _ALIKE
    return alike and not (column.is_list or column.is_file or column.kind is FieldKind.JSON)


def as_sent(column: MappedColumn, texts: Texts, *, is_only: bool) -> Texts:
    """A column as it is sent; None is blank.

    Args:
        column: The field.
        texts: Its values, without CR and U+0000.
        is_only: Whether a row has no other field.

    Raises:
        OddValueError: DuckDB has to look at a value.
    """
    if "" in texts:
        texts = [text or None for text in texts]
    found = _text(column, texts) if column.kind is FieldKind.TEXT else _sent(column, texts)
    _require(not ((column.required or is_only) and None in found))
    _require(not ((column.required or column.field == "Id") and EXPLICIT_NULL in found))
    if column.id_prefix:
        _require(all(text.startswith(column.id_prefix) for text in _present(found)))
    return found


def longest(texts: Texts) -> int:
    """Characters of the longest of some texts."""
    return max(map(len, _present(texts)), default=0)


def keys_of(column: MappedColumn, texts: Texts) -> Sequence[str]:
    """What is the same for keys that the org takes for the same; blank ones are left out.

    Raises:
        OddValueError: DuckDB has to look at a key.
    """
    present = _present(texts)
    if column.kind is FieldKind.ID:
        return [text[:_LETTERS_OF_AN_ID] for text in present]
    return present if column.tells_case else _present(changed_case(present, str.lower))


def _present(texts: Texts) -> Sequence[str]:
    """Those that are not blank."""
    if None in texts:
        return [text for text in texts if text is not None]
    return texts  # type: ignore[return-value]


def _require(fits: bool) -> None:  # noqa: FBT001 - what it is called with says what it is
    if not fits:
        raise OddValueError


def _text(column: MappedColumn, texts: Texts) -> Texts:
    present = _present(texts)
    if column.max_length is not None:
        _require(longest(present) <= column.max_length)
    if column.identifies:
        return [(text and text.strip(TRIMMED_BY_THE_ORG)) or None for text in texts]
    if min(present, default="!") >= "!":
        return texts
    return [text if text and text.strip(TRIMMED_BY_THE_ORG) else None for text in texts]


def _sent(column: MappedColumn, texts: Texts) -> Texts:
    """Values that are written in one way only, if they are, or words for yes and no."""
    if column.kind is FieldKind.BOOLEAN:
        words = [*map(_WORDS.get, texts)]
        _require(words.count(None) == texts.count(None))
        return words
    present = _present(texts)
    pattern = _PATTERNS[column.kind]
    _require(all(map(pattern.fullmatch, present)))
    if column.kind is FieldKind.DATE:
        _require_days(present)
    if column.kind is FieldKind.DATETIME:
        _require_days([text[:_LETTERS_OF_A_DAY] for text in present])
    return texts


def _require_days(texts: Sequence[str]) -> None:
    try:
        for _ in map(date.fromisoformat, texts):
            pass
    except ValueError as error:
        raise OddValueError from error


_PATTERNS = {
    FieldKind.INTEGER: re.compile(CANONICAL_TEXT[FieldKind.INTEGER]),
    FieldKind.NUMBER: re.compile(CANONICAL_TEXT[FieldKind.NUMBER]),
    FieldKind.DATE: _DAY,
    FieldKind.DATETIME: _MOMENT,
    FieldKind.TIME: re.compile(CANONICAL_TEXT[FieldKind.TIME]),
    FieldKind.ID: re.compile(CANONICAL_TEXT[FieldKind.ID]),
}
"""How a value is written that is sent as it is."""
