"""The names of the verbs, and what a shell asks by. Knows nothing of what a verb does."""

from __future__ import annotations

TYPE_CHECKING = False  # `typing` imports `re`
if TYPE_CHECKING:
    from collections.abc import Mapping

VERBS = (
    "run",
    "plan",
    "apply",
    "resume",
    "retry",
    "undo",
    "validate",
    "check",
    "test",
    "login",
    "logout",
    "whoami",
    "history",
    "fleet",
    "overdue",
    "show",
    "logs",
    "report",
    "init",
    "schema",
    "doctor",
    "state",
    "org",
)
"""In the order of `--help`; each is a module of this package with a function of the same name."""

COMPLETE = "_RUNNER_COMPLETE"
"""By this variable a shell says what to complete."""


def completed_verbs(environ: Mapping[str, str]) -> list[str]:
    """Verbs that the first word may become, where bash asks; none if Typer has to answer."""
    if (environ.get(COMPLETE), environ.get("COMP_CWORD")) != ("complete_bash", "1"):
        return []
    program, *words = environ.get("COMP_WORDS", "").split() or [""]
    begun = words[0] if words else ""
    if not program.isalpha() or len(words) > 1 or not (begun.isalpha() or not begun):
        return []
    return [verb for verb in VERBS if verb.startswith(begun)]
