"""Records of a Bulk result file of failed rows, where they are few: read without an engine.

Knows the form in which Bulk API 2.0 writes them. Knows nothing of the rows that were sent.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from msgspec import Struct

from runner.tables.results.quoted_records import LINE_FEED_IN_VALUE

MOST_BYTES = 4_000_000
"""Of a file that is few records."""
_OWN_COLUMNS = ("sf__id", "sf__error")
_VALUE = rb'[^"]*+(?:""[^"]*+)*+'
_RECORD = re.compile(rb'"(%(v)b)","(%(v)b)"((?:,"%(v)b")*+)\n' % {b"v": _VALUE})
# STATUSCODE:message:field1 field2 --, where the message may contain colons and line ends.
ERROR_FORM = "^([^:]*):(.*):([^:]*?) ?--$"
_ERROR = re.compile(rf"{ERROR_FORM[:-1]}\Z", re.DOTALL)


class FailedRecord(Struct, frozen=True):
    """What the org said of a row, and the row as it has returned it."""

    sent: bytes
    """As `quoted_records` gives it."""
    id: str | None
    code: str | None
    message: str | None
    fields: str | None


def few_failed(file: Path, header: tuple[str, ...]) -> list[FailedRecord] | None:
    """Read the records of a file.

    Args:
        file: Of failed rows.
        header: Its columns, in lower case.

    Returns:
        None if they may be many, or have another form.

    Raises:
        OSError: The file cannot be read.
    """
    if header[:2] != _OWN_COLUMNS or file.stat().st_size > MOST_BYTES:
        return None
    with file.open("rb") as stream:
        stream.readline()
        content = stream.read()
    if LINE_FEED_IN_VALUE in content:
        return None
    found, at = [], 0
    error_parts = cache(_error_parts)
    try:
        while at < len(content):
            record = _RECORD.match(content, at)
            if record is None:
                return None
            at = record.end()
            sent = record[3].replace(b"\n", LINE_FEED_IN_VALUE)
            found.append(FailedRecord(sent, record[1].decode() or None, *error_parts(record[2])))
    except UnicodeDecodeError:
        return None
    return found


def _error_parts(cell: bytes) -> tuple[str | None, str | None, str | None]:
    """Code, message and fields; None for what is blank."""
    error = cell.decode().replace('""', '"')
    found = _ERROR.match(error)
    _, message, fields = found.groups() if found else ("", error, "")
    return error.split(":", 1)[0] or None, message or None, fields or None
