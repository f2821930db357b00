"""Texts of jobs, sources and orgs within Markdown: as code, where they are no markup.

Pure. Knows nothing of what is written about.
"""

from __future__ import annotations

import re

from runner.wording import shortened

LONGEST_NAME = 100


def code(text: str, longest: int = LONGEST_NAME) -> str:
    """The text as code within a line or a table."""
    shown = shown_text(text, longest).replace("|", r"\|")
    fence = "`" * (longest_run(shown) + 1)
    space = " " if shown.startswith("`") or shown.endswith("`") else ""
    return f"{fence}{space}{shown or ' '}{space}{fence}"


def shown_text(text: str, longest: int) -> str:
    """One line without control characters."""
    clean = "".join(
        char if char.isprintable() else " " if char.isspace() else "\N{REPLACEMENT CHARACTER}"
        for char in text
    )
    return shortened(clean, longest)


def longest_run(text: str) -> int:
    """The most backticks in a row."""
    return max((len(each) for each in re.findall("`+", text)), default=0)
