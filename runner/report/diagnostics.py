"""A problem in a job, as text and as JSON.

Pure: from a diagnostic to what is shown. Knows that a character may be two columns wide, and that
some must not reach a terminal. Knows nothing else of terminals.
"""

from __future__ import annotations

from runner.diagnostics import Diagnostic, Position

_WIDEST_LINE = 120
"""Characters shown of a line; of a longer one, a window around the problem."""
_BEFORE = 60
"""Characters before the problem in such a window."""


def render_diagnostic(diagnostic: Diagnostic) -> str:
    """A problem in a few lines: what, where, the line with carets below it, what to do.

    No newline at the end, no colour.
    """
    lines = [f"{diagnostic.severity}[{diagnostic.code}]: {diagnostic.message}"]
    at = diagnostic.position
    place = f"{diagnostic.file}:{at.line}:{at.column}" if at else str(diagnostic.file)
    gutter = " " * (len(str(at.line)) if at else 1)
    lines.append(f"{gutter}--> {place}")
    if at and diagnostic.line_text is not None:
        text, mark = _marked(diagnostic.line_text, at)
        lines += [f"{gutter} |", f"{at.line} | {text}".rstrip(), f"{gutter} | {mark}"]
    if diagnostic.help:
        lines.append(f"{gutter} = help: {diagnostic.help}")
    return "\n".join(_shown(line) for line in lines)


def diagnostic_document(diagnostic: Diagnostic) -> dict[str, object]:
    """The problem as a JSON document; lines and columns count from 1."""
    at = diagnostic.position
    return {
        "severity": str(diagnostic.severity),
        "code": diagnostic.code,
        "message": diagnostic.message,
        "file": str(diagnostic.file),
        "line": at.line if at else None,
        "column": at.column if at else None,
        "end_column": at.end_column if at else None,
        "path": list(diagnostic.path),
        "help": diagnostic.help,
    }


def _marked(line: str, at: Position) -> tuple[str, str]:
    """The line, or a window of it, and the carets below it."""
    first, last = at.column - 1, max(at.end_column - 1, at.column)
    start = max(0, first - _BEFORE) if len(line) > _WIDEST_LINE else 0
    end = start + _WIDEST_LINE
    before = ("…" if start else "") + _shown(line[start:first])
    marked = _shown(line[first : min(last, end)])
    after = _shown(line[last:end]) + ("…" if len(line) > end else "")
    return before + marked + after, " " * _width(before) + "^" * max(1, _width(marked))


def _shown(text: str) -> str:
    """The text as a terminal may show it: a space for a tab, no control characters."""
    return "".join(
        each if each.isprintable() else " " if each == "\t" else "\N{REPLACEMENT CHARACTER}"
        for each in text
    )


def _width(text: str) -> int:
    """Columns of a text on a terminal."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len  # noqa: PLC0415 - only for these texts

    return cell_len(text)
