"""One page of CSV as it arrives: its records are counted, so that a short page is noticed.

Bulk API says how many records a page has; a proxy, or a stream cut off in the wrong place, may
deliver fewer without any error of HTTP. Counts records, not lines: quoted values may contain line
ends. Knows quotes and line ends, and never looks into a value.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterator, Mapping

from runner.errors import DamagedAnswerError

_NOT_CSV = ("text/html", "application/json", "application/xml")
_OTHERS = bytes(set(range(256)) - set(b'"\n'))
"""Every byte that neither quotes nor ends a line."""
_BOM = codecs.BOM_UTF8


class CsvPage:
    """One page; read it to its end, then check it."""

    def __init__(self, what: str, headers: Mapping[str, str]) -> None:
        """Expect a page.

        Args:
            what: Names it in messages: `result set failedResults of ingest job 750…`.
            headers: Those of its answer.

        Raises:
            DamagedAnswerError: They are not those of a CSV.
        """
        self._what = what
        kind = headers.get("content-type", "").lower()
        if kind.startswith(_NOT_CSV):
            raise self._damaged(f"it is {kind.partition(';')[0]} instead of CSV")
        self.declared = self._count_in(headers.get("sforce-numberofrecords"))
        """Records that the org says the page has; None where it does not."""
        self.header = b""
        """Its first line, without the line end."""
        self._lines = 0
        self._in_quotes = False
        self._last = b""

    @property
    def records(self) -> int:
        """How many have arrived, without the header."""
        unended = bool(self._last) and self._last != b"\n"
        return max(0, self._lines + unended - 1)

    def read(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        """Pass the page on as it arrives.

        Raises:
            DamagedAnswerError: It is cut off, corrupt or not UTF-8.
        """
        decoder = codecs.getincrementaldecoder("utf-8")()
        try:
            for chunk in chunks:
                if not self._lines:
                    self.header += chunk.partition(b"\n")[0]
                decoder.decode(chunk)
                self._count(chunk)
                yield chunk
            decoder.decode(b"", final=True)
        except UnicodeDecodeError as error:
            raise self._damaged("it is not UTF-8") from error
        except DamagedAnswerError as error:
            raise self._damaged(error.reason) from error
        self.header = self.header.removeprefix(_BOM).rstrip(b"\r")

    def check(self, expected: int | None = None) -> None:
        """Check that all of it has arrived, and nothing else.

        Args:
            expected: Its records, where they are known from elsewhere.

        Raises:
            DamagedAnswerError: It has another number of records, or is no CSV.
        """
        if self.header.lstrip()[:1] in {b"<", b"{", b"["}:
            raise self._damaged("it is not CSV")
        if self._in_quotes:
            raise self._damaged("it ends within a quoted value")
        for wanted in (self.declared, expected):
            if wanted is not None and self.records != wanted:
                raise self._damaged(f"{self.records:,} of {wanted:,} records arrived")

    def _count(self, chunk: bytes) -> None:
        marks = chunk.translate(None, _OTHERS)
        if self._in_quotes:
            marks = b'"' + marks
        while b'""' in marks:  # a value without line ends, or an escaped quote
            marks = marks.replace(b'""', b"")
        parts = marks.split(b'"')
        self._lines += sum(part.count(b"\n") for part in parts[::2])
        self._in_quotes = len(parts) % 2 == 0
        self._last = chunk[-1:] or self._last

    def _count_in(self, header: str | None) -> int | None:
        if header is None:
            return None
        if not header.isdecimal() or len(header) > _LONGEST_COUNT:
            raise self._damaged(f"its Sforce-NumberOfRecords is {header[:_LONGEST_COUNT]!r}")
        return int(header)

    def _damaged(self, why: str) -> DamagedAnswerError:
        return DamagedAnswerError(f"The {self._what}", why)


_LONGEST_COUNT = 20
"""Digits."""
