"""Ctrl-C, SIGTERM and SIGHUP: what a verb that they end in order does with them.

Python's own way, an exception in the middle of anything, loses it where nothing can be raised: in
a finalizer or another callback of a library. It also waits for what runs in C, such as a look-up of
a host: a thread looks for the second signal, and for the end. Knows exit codes, and no verb.

Ctrl-C ends a command also where a script has started it in the background, with Ctrl-C ignored; a
SIGHUP that is ignored stays ignored, for that is what nohup does.
"""

from __future__ import annotations

import json
import os
import select
import signal
import stat
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from threading import Thread
from types import FrameType
from typing import TYPE_CHECKING, NoReturn

from runner.cli.log_format import json_lines
from runner.cli.terminal import Exit
from runner.errors import AbortedError, ExitCode

if TYPE_CHECKING:
    from sys import UnraisableHookArgs

_CODES = {
    signal.SIGINT: ExitCode.INTERRUPTED,
    signal.SIGTERM: ExitCode.TERMINATED,
    signal.SIGHUP: ExitCode.TERMINATED,
}
RESUMED = "`runner resume` continues where it stopped"
_LONGEST_SECONDS = 25.0
"""From the first signal to the end: less than the half minute that Kubernetes gives a container."""
_AGAIN_SECONDS = 0.01
"""After an exception that was lost: until it is raised again."""
_END = b"\0"
_STOPPING = "stopping: waiting for requests in flight; press Ctrl-C again to quit now"


@contextmanager
def signals_stop_the_run(then: str = RESUMED) -> Iterator[None]:
    """Raise AbortedError in the main thread at the first signal; exit at once at the second.

    Args:
        then: How to go on after that.
    """
    before = {number: signal.signal(number, _abort) for number in _ours()}
    before[signal.SIGALRM] = signal.signal(signal.SIGALRM, _abort_again)
    hook, sys.unraisablehook = sys.unraisablehook, _raising_again(sys.unraisablehook)
    try:
        with _watched(then):
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


def _ours() -> list[signal.Signals]:
    """The signals that end a command."""
    hangs_up = signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN
    return [each for each in _CODES if each is not signal.SIGHUP or hangs_up]


def _abort(number: int, _frame: FrameType | None) -> None:
    for each in _ours():
        signal.signal(each, _leave_to_the_watch)
    AbortedError.of_signal = _CODES[signal.Signals(number)]
    raise AbortedError(AbortedError.of_signal)


def _leave_to_the_watch(_number: int, _frame: FrameType | None) -> None:
    """The thread has seen it."""


@contextmanager
def _watched(then: str) -> Iterator[None]:
    """Exit at the second signal, or if the end takes too long, whatever the main thread does."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    before = signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    watch = Thread(target=_watch, args=(reading, then), name="signals", daemon=True)
    watch.start()
    try:
        yield
    finally:
        signal.set_wakeup_fd(before)
        os.write(writing, _END)  # processes that were forked may have it open, too
        watch.join()
        os.close(writing)
        os.close(reading)


def _watch(reading: int, then: str) -> None:
    """Look at the signals that come; each is a byte."""
    first: tuple[int, float] | None = None
    incoming = select.poll()
    incoming.register(reading, select.POLLIN)
    while True:
        left = None if first is None else max(0.0, first[1] + _LONGEST_SECONDS - time.monotonic())
        if not incoming.poll(None if left is None else left * 1_000) and first is not None:
            _quit(first[0], then)
        for number in os.read(reading, 64):
            if number == _END[0]:
                return
            if number not in _CODES:
                continue
            if first is not None:
                _quit(number, then)
            first = (number, time.monotonic())
            if not _said(_STOPPING, "stopping"):
                _write_to_nowhere()


def _quit(number: int, then: str) -> NoReturn:
    _said(f"quit; {then}", "quit")
    os._exit(int(_CODES[signal.Signals(number)]))


def _forget_the_watch() -> None:
    """Signals of a process that was forked are not for the thread of this one."""
    with suppress(ValueError):
        signal.set_wakeup_fd(-1)


os.register_at_fork(after_in_child=_forget_the_watch)


def _said(text: str, in_json: str) -> bool:
    """Write a line to stderr: Python's own stream may be in the middle of a write."""
    line = text
    if json_lines() is not None:
        line = json.dumps({"level": "warning", "event": "message", "message": in_json})
    free = select.poll()
    try:
        free.register(sys.stderr.fileno(), select.POLLOUT)
        if free.poll(0):  # nobody may read what is there
            os.write(sys.stderr.fileno(), f"{line}\n".encode())
    except OSError:
        return False
    return True


def _write_to_nowhere() -> None:
    """Let what is still written fail no more: the terminal, or the reader, is gone."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            if stat.S_ISCHR(os.fstat(stream.fileno()).st_mode):
                os.dup2(nowhere, stream.fileno())


def _raising_again(
    otherwise: Callable[[UnraisableHookArgs], object],
) -> Callable[[UnraisableHookArgs], None]:
    """What Python calls with an exception that cannot be raised where it is."""

    def hook(lost: UnraisableHookArgs) -> None:
        error = lost.exc_value
        # Where C makes an object for Python, an error of Python's own comes in its place.
        if isinstance(error, AbortedError) or isinstance(error and error.__cause__, AbortedError):
            signal.setitimer(signal.ITIMER_REAL, _AGAIN_SECONDS)
        else:
            otherwise(lost)

    return hook


def _abort_again(_number: int, _frame: FrameType | None) -> None:
    if AbortedError.of_signal is not None:
        raise AbortedError(AbortedError.of_signal)


@contextmanager
def signals_end_the_wait() -> Iterator[Callable[[], None]]:
    """Give what ends the command, by raising, once a signal has come; it says so every time."""
    came: list[int] = []
    before = {each: signal.signal(each, lambda number, _: came.append(number)) for each in _ours()}

    def check() -> None:
        if came:
            raise Exit(_CODES[signal.Signals(came[0])])

    try:
        yield check
    finally:
        for number, action in before.items():
            signal.signal(number, action)
