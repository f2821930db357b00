"""What a verb prints, and how it ends with a code of its own.

Knows the two streams. Knows nothing of any verb. Does what Typer's `echo` and `Exit` do, without
its import.
"""

from __future__ import annotations

import re
import sys
from typing import TextIO

_ASCII = frozenset({"ascii", "us-ascii", "ansi_x3.4-1968", "646"})


class Exit(Exception):  # noqa: N818 - no error: a verb that has said everything
    """Ends the command with a code; everything has been printed."""

    def __init__(self, code: int) -> None:
        """End with this code."""
        super().__init__(code)
        self.code = int(code)


def echo(text: str = "", *, nl: bool = True, err: bool = False, file: TextIO | None = None) -> None:
    """Print a text and a line end to stdout, or to another stream.

    Colours are left out where no terminal shows them. A stream that takes ASCII only, as in a
    process without a locale, is made UTF-8.
    """
    stream = file or (sys.stderr if err else sys.stdout)
    if (stream.encoding or "ascii").lower() in _ASCII:
        _make_utf8(stream)
    if "\x1b" in text and not stream.isatty():
        text = re.sub(r"\x1b\[[;?0-9]*[a-zA-Z]", "", text)
    stream.write(f"{text}\n" if nl else text)
    stream.flush()


def _make_utf8(stream: TextIO) -> None:
    reconfigure = getattr(stream, "reconfigure", None)
    if reconfigure is not None:
        reconfigure(encoding="utf-8", errors="replace")
