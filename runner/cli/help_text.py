"""What the help of every verb has: `-h`, and examples at its end."""

from __future__ import annotations

HELP = {"help_option_names": ["-h", "--help"]}
"""Settings of a command."""


def examples_in_help(lines: str) -> str:
    """Examples, a line each, as the end of a help text that is not wrapped."""
    shown = "\n".join(f"  {line}" for line in lines.splitlines())
    return f"\b\nExamples:\n{shown}"
