"""`runner test --watch`: run tests again whenever what they read has changed.

Knows which tests a change is about. Knows nothing of how tests are run and shown.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn

from runner.cli.terminal import echo
from runner.errors import UsageError
from runner.job.job_tests import JobTest
from runner.runs.job_test_inputs import Stamps, changed_since, inputs_of, stamps_of
from runner.verdict import Verdict
from runner.wording import counted

_POLL_SECONDS = 0.2
_MOST_NAMES = 3

Found = tuple[list[JobTest], list[Verdict]]
"""Tests, and verdicts on files that cannot be read."""


def polled(check: Callable[[], None], stamps: Stamps) -> frozenset[Path]:
    """Wait until some files are not as they were; `check` ends that by raising."""
    while not (changed := changed_since(stamps)):
        check()
        time.sleep(_POLL_SECONDS)
    return changed


def watch(
    files: Callable[[], Sequence[Path]],
    load: Callable[[Sequence[Path]], Found],
    run: Callable[[list[JobTest], list[Verdict]], None],
    changes: Callable[[Stamps], frozenset[Path]],
) -> NoReturn:
    """Run all tests, and from then on those that read what has changed.

    Args:
        files: Finds the test files.
        load: Reads them.
        run: Runs tests and shows how they ended.
        changes: Waits for a change. It ends the watch by raising.
    """
    known: dict[tuple[Path, str], frozenset[Path]] = {}
    changed: frozenset[Path] = frozenset()
    unread: list[Verdict] = []
    found = files()
    while True:
        # As they were before they are read: a change in between is one.
        own = stamps_of({*found, *(each.parent for each in found)})
        tests, broken = load(found)
        inputs = inputs_of(tests)
        stamps = {**stamps_of(frozenset().union(*inputs)), **own}
        keys = [(each.origin.file, each.name) for each in tests]
        due = [
            test
            for test, key, read in zip(tests, keys, inputs, strict=True)
            if key not in known or changed & read
        ]
        if due or broken != unread:
            _say(_changed_in_words(changed) if changed else "")
            run(due, list(broken))
            _say(f"waiting for changes of {counted(len(stamps), 'path')}; Ctrl-C ends")
        known, unread = dict(zip(keys, inputs, strict=True)), broken
        changed = changes(stamps)
        found = _found_again(files, found)


def _found_again(files: Callable[[], Sequence[Path]], before: Sequence[Path]) -> Sequence[Path]:
    try:
        return files()
    except UsageError as error:  # the last one was deleted; it may come back
        _say(error.message)
        return before


def _changed_in_words(changed: frozenset[Path]) -> str:
    # A folder changes with the files in it.
    shown = [each for each in changed if not each.is_dir()] or changed
    names = sorted({each.absolute().name for each in shown})
    more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
    return f"changed: {', '.join(names[:_MOST_NAMES])}{more}"


def _say(text: str) -> None:
    if text:
        echo(text, err=True)
