"""Masks values of a query before they are written anywhere: keyed hashes, and fakes.

Deterministic: with the same key, equal values have equal masks, in every column, run and process.
Without the key, nobody can try out values. Nothing that is made here can be reached: e-mails and
URLs are below `.invalid`, which no server can have (RFC 2606), phone numbers below the country code
999, which is not assigned (ITU-T E.164). Knows nothing of queries or orgs.
"""

from __future__ import annotations

import base64
import csv
import hmac
import io
from codecs import BOM_UTF8, getincrementaldecoder
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial

from runner.csv_rows import csv_reader
from runner.errors import DamagedAnswerError
from runner.job.endpoints import EXPLICIT_NULL
from runner.tables.targets.fake_words import COMPANIES, FIRST, KINDS, LAST, STREETS, TOWNS

HASH_CHARACTERS = 16
"""80 bits: of a billion values, two have the same hash once in two million copies."""
MaskValue = Callable[[str], str]
"""From the text of a value to what takes its place; a blank value stays blank, but for a null."""
_ROWS_AT_ONCE = 1_000
_PHONE = 10**12


def null(_value: str) -> str:
    """Empty the field, whatever the target holds."""
    return EXPLICIT_NULL


class Masker:
    """Masks with one key."""

    def __init__(self, key: str) -> None:
        self._key = key.encode()
        self._ways: Mapping[tuple[str, bool], MaskValue] = {
            ("text", False): self._hash,
            ("email", False): lambda text: f"{self._hash(text)}@example.invalid",
            ("email", True): self._fake_email,
            ("phone", False): self._phone,
            ("url", False): lambda text: f"https://example.invalid/{self._hash(text)}",
        }
        self._fakes: Mapping[str, Callable[[Sequence[int]], str]] = {
            "first name": lambda n: _one(FIRST, n[0]),
            "last name": lambda n: _one(LAST, n[0]),
            "name": lambda n: f"{_one(FIRST, n[0])} {_one(LAST, n[1])}",
            "company": lambda n: f"{_one(LAST, n[0])} {_one(COMPANIES, n[1])} {_one(KINDS, n[2])}",
            "street": lambda n: f"{n[0] % 200 + 1} {_one(STREETS, n[1])}",
            "city": lambda n: _one(TOWNS, n[0]),
            "postal code": lambda n: f"{n[0] % 90_000 + 10_000}",
        }

    def of(self, form: str, *, is_fake: bool, tells_case: bool) -> MaskValue:
        """What masks the values of a column.

        Args:
            form: `text`, `email`, `phone`, `url`, or for a fake `first name`, `last name`,
                `name`, `company`, `street`, `city` or `postal code`.
            is_fake: Whether values are invented, not hashed.
            tells_case: Whether the org tells `a` from `A` in it.
        """
        make = self._ways.get((form, is_fake)) or self._ways.get((form, False))
        make = make or partial(self._fake, form)
        return lambda value: make(value if tells_case else value.casefold()) if value else value

    def _hash(self, text: str) -> str:
        return base64.b32encode(self._digest("", text)[:10]).decode().lower()

    def _phone(self, text: str) -> str:
        return f"+999{int.from_bytes(self._digest('phone', text)[:8]) % _PHONE:012}"

    def _fake(self, form: str, text: str) -> str:
        digest = self._digest(form, text)
        return self._fakes[form]([int.from_bytes(digest[at : at + 4]) for at in (0, 4, 8)])

    def _fake_email(self, text: str) -> str:
        name = self._fake("name", text).lower().replace(" ", ".")
        return f"{name}.{self._hash(text)[:8]}@example.invalid"

    def _digest(self, label: str, text: str) -> bytes:
        return hmac.digest(self._key, f"{label}\0{text}".encode(), "sha256")


def _one(words: Sequence[str], number: int) -> str:
    return words[number % len(words)]


def masked_pages(masks: Mapping[str, MaskValue], chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Mask a CSV with a header as it arrives; never more than a few rows are in memory.

    Args:
        masks: By the name of the column in lower case; every one must be there.
        chunks: The CSV, UTF-8.

    Raises:
        DamagedAnswerError: It is no CSV, or lacks a masked column.
    """
    rows = csv_reader(_lines(chunks))
    try:
        header = next(rows, [])
        names = [name.lower() for name in header]
        if not masks.keys() <= set(names):
            lacking = next(name for name in masks if name not in names)
            raise DamagedAnswerError("The result", f"it lacks the masked column {lacking}")
        places = [(names.index(name), mask) for name, mask in masks.items()]
        yield _csv([header])
        some: list[list[str]] = []
        for row in rows:
            if len(row) != len(header):
                raise DamagedAnswerError("The result", "a record has too many or too few values")
            for at, mask in places:
                row[at] = mask(row[at])
            some.append(row)
            if len(some) == _ROWS_AT_ONCE:
                yield _csv(some)
                some = []
        if some:
            yield _csv(some)
    except csv.Error as error:
        raise DamagedAnswerError("The result", f"it is not CSV: {error}") from error


def _lines(chunks: Iterable[bytes]) -> Iterator[str]:
    """Lines with their ends; those inside of values too."""
    decoder = getincrementaldecoder("utf-8")("replace")  # that it is UTF-8 is checked elsewhere
    rest, is_first = "", True
    for chunk in chunks:
        text = rest + decoder.decode(chunk.removeprefix(BOM_UTF8) if is_first else chunk)
        is_first = False
        *lines, rest = text.split("\n")
        yield from (f"{line}\n" for line in lines)
    rest += decoder.decode(b"", final=True)
    if rest:
        yield rest


def _csv(rows: Iterable[Sequence[str]]) -> bytes:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n", quoting=csv.QUOTE_ALL).writerows(rows)
    return out.getvalue().encode()
