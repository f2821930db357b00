"""The names of the verbs, and what a shell asks by. Knows nothing of what a verb does."""

from __future__ import annotations

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
