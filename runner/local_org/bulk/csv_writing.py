"""Writes CSV as Salesforce does: every value quoted, numbers as Java prints them.

Knows text. Knows no job.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from decimal import Context, Decimal, InvalidOperation

_AMPLE = Context(prec=400)
_AS_IT_IS = re.compile(r"-?[1-9][0-9]{0,6}\.[0-9]{0,8}[1-9]")
"""Most numbers are already written so."""
_PLAIN_FROM = -3
_PLAIN_BELOW = 7
"""Java prints 10**-3 <= x < 10**7 without an exponent."""


def csv_bytes(rows: Iterable[Sequence[str]], delimiter: str, line_ending: str) -> bytes:
    """Rows with every value quoted."""
    between = f'"{delimiter}"'
    lines = []
    for row in rows:
        values = between.join(row)
        if values.count('"') > 2 * (len(row) - 1):
            values = between.join([value.replace('"', '""') for value in row])
        lines.append(f'"{values}"{line_ending}')
    return "".join(lines).encode()


def java_double(text: str) -> str:
    """A number as a Java double prints: `912260031` is `9.12260031E8`, `5` is `5.0`.

    Result files echo numbers this way: not the text that was sent, but without losing a digit. Text
    that is not a number is returned unchanged.
    """
    if _AS_IT_IS.fullmatch(text):
        return text
    try:
        number = Decimal(text)
    except InvalidOperation:
        return text
    if not number or not number.is_finite():
        return "0.0" if number.is_finite() else text
    sign, digits, exponent = number.normalize(_AMPLE).as_tuple()
    written = "".join(map(str, digits))
    point = len(written) + int(exponent)
    lead = "-" if sign else ""
    if _PLAIN_FROM < point <= _PLAIN_BELOW:
        padded = written.rjust(len(written) - point + 1, "0") if point <= 0 else written
        whole = padded[: max(point, 1)].ljust(max(point, 1), "0")
        return f"{lead}{whole}.{padded[max(point, 1) :] or '0'}"
    return f"{lead}{written[0]}.{written[1:] or '0'}E{point - 1}"
