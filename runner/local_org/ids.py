"""Record Ids: their two lengths, their checksum, new Ids.

Knows the shape of an Id. Knows neither sObjects nor the store.
"""

from __future__ import annotations

import re
from functools import cache, lru_cache

_CHECKSUM = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_POD = "LO0"
"""Characters 4 to 6, where Salesforce names the instance."""
_COUNTER_WIDTH = 9
_PER_PAIR = 62 * 62
_SHORT = 15
_UPPER = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
_SHAPE = re.compile(r"[0-9A-Za-z]{15}(?:[A-Z0-5]{3})?")


def to18(short: str) -> str:
    """Lengthen a 15-character Id by its three check characters.

    Each check character encodes which of five characters are upper case (the first is bit 0), so
    the long form survives where case is ignored.
    """
    return short + _check(short[:5]) + _check(short[5:10]) + _check(short[10:])


@lru_cache(maxsize=4096)
def _check(group: str) -> str:
    """The check character of five; most Ids of an org share their first ten characters."""
    return _CHECKSUM[_bits(group)]


def _bits(letters: str) -> int:
    """Which letters are upper case; the first is bit 0."""
    return sum(1 << place for place, letter in enumerate(letters) if letter in _UPPER)


def normalise(text: object) -> str | None:
    """The 18-character form of an Id; None if it is malformed.

    A long form with wrong check characters is malformed.
    """
    if not isinstance(text, str) or _SHAPE.fullmatch(text) is None:
        return None
    full = to18(text[:_SHORT])
    return full if len(text) == _SHORT or text == full else None


def base62(number: int, width: int) -> str:
    """Write a number in the alphabet of Ids, whose ASCII order is the numeric order."""
    digits = ""
    for _ in range(width):
        number, digit = divmod(number, 62)
        digits = _DIGITS[digit] + digits
    return digits


def make_id(key_prefix: str, number: int) -> str:
    """The 18-character Id of the nth record (from 0) with this three-character key prefix."""
    rest, last = divmod(number, _PER_PAIR)
    head, checks, bits = _head(key_prefix, rest)
    pair, further_bits = _pairs()[last]
    return f"{head}{pair}{checks}{_CHECKSUM[bits | further_bits]}"


def make_ids(key_prefix: str, first: int, count: int) -> list[str]:
    """The Ids of so many records that follow each other; see `make_id`."""
    ids: list[str] = []
    number, end = first, first + count
    while number < end:
        rest, place = divmod(number, _PER_PAIR)
        head, checks, bits = _head(key_prefix, rest)
        pairs = _pairs()[place : place + end - number]
        ids += [f"{head}{pair}{checks}{_CHECKSUM[bits | further]}" for pair, further in pairs]
        number += len(pairs)
    return ids


@lru_cache(maxsize=64)
def _head(key_prefix: str, number: int) -> tuple[str, str, int]:
    """The first 13 characters, the check characters of ten, and the bits of the other three."""
    text = f"{key_prefix}{_POD}{base62(number, _COUNTER_WIDTH - 2)}"
    return text, _check(text[:5]) + _check(text[5:10]), _bits(text[10:])


@cache
def _pairs() -> tuple[tuple[str, int], ...]:
    """The last two characters of each number below 62 x 62, with their bits."""
    pairs = (one + other for one in _DIGITS for other in _DIGITS)
    return tuple((pair, _bits(pair) << 3) for pair in pairs)


def custom_key_prefix(number: int, letter: str = "a") -> str:
    """Key prefix of the nth object of a kind: a00, a01, …, in order of creation."""
    return f"{letter}{base62(number, 2)}"
