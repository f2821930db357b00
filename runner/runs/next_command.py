"""The command to run after a run that was not done.

Pure but for the usual state folder. Knows the verbs and which end calls for which.
"""

from __future__ import annotations

import shlex

from runner.errors import ExitCode, RunnerError
from runner.outcome import RunOutcome
from runner.state.paths import StateFolder, own_root

_OFFLINE = frozenset({"login", "validate"})
"""Verbs that have no state folder."""


def command_after(
    outcome: RunOutcome,
    target: str | None,
    state: StateFolder,
    *,
    is_unfinished: bool,
    needs_login: bool = True,
) -> str | None:
    """What to type next; None if there is nothing to do.

    Args:
        outcome: How the run ended.
        target: The target that it ran on.
        state: Its state folder.
        is_unfinished: Whether it can be resumed.
        needs_login: Whether somebody signs in for it.
    """
    words = _words(outcome, is_unfinished=is_unfinished, needs_login=needs_login)
    if words is None:
        return None
    if target is not None and words[0] not in {"resume", "retry", "show"}:
        words = [*words, "--target", target]
    if words[0] not in _OFFLINE and not _is_usual(state):
        words = [*words, "--state", str(state.root)]
    return shlex.join(["runner", *words])


def _words(outcome: RunOutcome, *, is_unfinished: bool, needs_login: bool) -> list[str] | None:
    job, run_id, code = str(outcome.job_file), outcome.run_id, outcome.exit_code
    by_code = {
        ExitCode.DONE: None,
        ExitCode.SIGN_IN: ["login" if needs_login else "check", job],
        ExitCode.STOPPED: ["plan", job],
        ExitCode.LOCKED: ["run", job, "--wait-lock", "10m"],
    }
    if code in by_code:
        return by_code[code]
    if is_unfinished:
        return ["resume", run_id]
    if code is ExitCode.INVALID:
        return ["check" if run_id else "validate", job]
    if any(task.results and task.counts.failed for task in outcome.tasks):
        return ["retry", run_id]
    return ["run", job] if code is ExitCode.TEMPORARY or not run_id else ["show", run_id]


def _is_usual(state: StateFolder) -> bool:
    if state.shared is not None:
        return True  # an address may have a password, and it is in the environment as a rule
    try:
        return state.root == own_root({})
    except RunnerError:
        return False
