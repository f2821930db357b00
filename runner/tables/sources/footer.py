"""Lines that are no rows: totals and notes below them, and rows without any value."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar

from runner.wording import shortened

Line = TypeVar("Line")

_MOST_SHOWN = 80


def without_footer(
    lines: Iterable[Line], count: int, is_blank: Callable[[Line], bool], footer: list[Line]
) -> Iterator[Line]:
    """Give lines except the last `count`; blank lines at the very end do not count.

    Args:
        lines: All lines.
        count: How many to leave out.
        is_blank: Whether a line is blank.
        footer: Gets the lines that were left out, after the last line was given.
    """
    held: deque[Line] = deque()
    blank: list[Line] = []
    for line in lines:
        blank.append(line)
        if is_blank(line):
            continue
        held.extend(blank)
        blank.clear()
        while len(held) > count:
            yield held.popleft()
    footer.extend(held)


def footer_note(lines: Sequence[str]) -> str:
    """Tell the user which lines were left out: one day they may be rows."""
    shown = " / ".join(" ".join(line.split()) for line in lines if line.strip())
    which = "line" if len(lines) == 1 else f"{len(lines):,} lines"
    return f"last {which} skipped: {shortened(shown, _MOST_SHOWN)}"


def blank_note(rows: int) -> tuple[str, ...]:
    """Tell the user of rows without any value that were left out, if there are any."""
    return (f"{rows:,} blank row{'s' * (rows != 1)} skipped",) if rows else ()
