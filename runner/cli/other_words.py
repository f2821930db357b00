"""Words that people try as a command, as other tools have them, and what to type here.

A job without a command is one, too. Imported where a command is unknown. Knows the words only.
"""

from __future__ import annotations

import shlex

_IN_A_JOB = "What to read and write is declared in a job: `runner init` writes one to start from."

_WORDS = {
    **dict.fromkeys(
        (
            *("create", "insert", "update", "upsert", "delete", "merge", "mirror", "query"),
            *("data", "extract", "load", "sync", "copy", "import", "export", "process", "task"),
        ),
        _IN_A_JOB,
    ),
    **dict.fromkeys(("build", "exec", "execute", "start"), "Did you mean `runner run`?"),
    **dict.fromkeys(("compile", "lint", "parse"), "Did you mean `runner validate`?"),
    **dict.fromkeys(("diff", "preview"), "Did you mean `runner plan`?"),
    **dict.fromkeys(("list", "ls", "runs"), "Did you mean `runner history`?"),
    **dict.fromkeys(
        ("ps", "status"),
        "Did you mean `runner history`, or `runner fleet` for runs in progress?",
    ),
    **dict.fromkeys(("auth", "signin"), "Did you mean `runner login`?"),
    "debug": "Did you mean `runner doctor`?",
    "rollback": "Did you mean `runner undo`?",
    "new": "Did you mean `runner init`?",
    "help": "Did you mean `runner --help`?",
    "version": "Did you mean `runner --version`?",
}
_OF_GROUPS = {
    "serve": "org",
    "reset": "org",
    "pull": "org",
    "load": "org",
    "dump": "org",
    "snapshot": "org",
    "restore": "org",
    "time": "org",
    "export": "state",
    "import": "state",
}
"""Commands that are below another one."""


def said_of(word: str, group: str, verbs: tuple[str, ...]) -> str | None:
    """What to type in place of a word that is not a command; None if nothing is known of it.

    Args:
        word: The word.
        group: The command that it was typed after: `org`; empty after `runner`.
        verbs: The commands after `runner`.
    """
    given, word = word, word.lower()
    if group:
        return f"Did you mean `runner {word}`?" if word in verbs else None
    if word.endswith((".yaml", ".yml")):
        verb = "test" if word.endswith((".test.yaml", ".test.yml")) else "run"
        return f"Did you mean `runner {verb} {shlex.quote(given)}`?"
    found = [_WORDS[word]] if word in _WORDS else []
    if word in _OF_GROUPS:
        question = f"`runner {_OF_GROUPS[word]} {word}`"
        found.append(f"There is also {question}." if found else f"Did you mean {question}?")
    return " ".join(found) or None
