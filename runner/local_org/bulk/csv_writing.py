"""Writes CSV as Salesforce does: every value quoted.

Knows text. Knows no job.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence


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
