"""Ctrl-C and SIGTERM: what a verb that they end in order does with them.

Python's own way, an exception in the middle of anything, loses it where nothing can be raised: in
a finalizer or another callback of a library. A command that a script starts in the background gets
Ctrl-C ignored, so a verb that waits sets its own handlers. Knows exit codes, and no verb.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import TYPE_CHECKING

from runner.cli.log_format import json_lines
from runner.cli.terminal import Exit
from runner.errors import AbortedError, ExitCode

if TYPE_CHECKING:
    from sys import UnraisableHookArgs

_CODES = {signal.SIGINT: ExitCode.INTERRUPTED, signal.SIGTERM: ExitCode.TERMINATED}
BY_SIGNAL = frozenset(_CODES.values())
_AGAIN_SECONDS = 0.01
"""After an exception that was lost: until it is raised again."""
_STOPPING = b"stopping: waiting for requests in flight; press Ctrl-C again to quit now\n"
_STOPPING_JSON = b"""{"level": "warning", "event": "message", "message": "stopping"}
"""


@contextmanager
def signals_stop_the_run() -> Iterator[None]:
    """Raise AbortedError in the main thread at the first signal; exit at once at the second."""
    before = {number: signal.signal(number, _abort) for number in _CODES}
    before[signal.SIGALRM] = signal.signal(signal.SIGALRM, _abort_again)
    hook, sys.unraisablehook = sys.unraisablehook, _raising_again(sys.unraisablehook)
    try:
        yield
    except RuntimeError as error:
        from runner.tables.database import check_interrupted

        check_interrupted(error)
        raise
    finally:
        sys.unraisablehook = hook
        signal.setitimer(signal.ITIMER_REAL, 0)
        for number, action in before.items():
            signal.signal(number, action)


def _abort(number: int, _frame: FrameType | None) -> None:
    for each in _CODES:
        signal.signal(each, _exit_at_once)
    with suppress(OSError):  # the reader of stderr may be gone
        said = _STOPPING if json_lines() is None else _STOPPING_JSON
        os.write(sys.stderr.fileno(), said)  # a stream may be in the middle of a write
    AbortedError.of_signal = _CODES[signal.Signals(number)]
    raise AbortedError(AbortedError.of_signal)


def _raising_again(
    otherwise: Callable[[UnraisableHookArgs], object],
) -> Callable[[UnraisableHookArgs], None]:
    """What Python calls with an exception that cannot be raised where it is."""

    def hook(lost: UnraisableHookArgs) -> None:
        if isinstance(lost.exc_value, AbortedError):
            signal.setitimer(signal.ITIMER_REAL, _AGAIN_SECONDS)
        else:
            otherwise(lost)

    return hook


def _abort_again(_number: int, _frame: FrameType | None) -> None:
    if AbortedError.of_signal is not None:
        raise AbortedError(AbortedError.of_signal)


def _exit_at_once(number: int, _frame: FrameType | None) -> None:
    os._exit(int(_CODES[signal.Signals(number)]))


@contextmanager
def signals_end_the_wait() -> Iterator[Callable[[], None]]:
    """Give what ends the command, by raising, once a signal has come; it says so every time."""
    came: list[int] = []
    before = {each: signal.signal(each, lambda number, _: came.append(number)) for each in _CODES}

    def check() -> None:
        if came:
            raise Exit(_CODES[signal.Signals(came[0])])

    try:
        yield check
    finally:
        for number, action in before.items():
            signal.signal(number, action)
