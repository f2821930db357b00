"""Ctrl-C and SIGTERM: the first ends the run in order, the second at once.

Knows signals. Knows nothing of what a run does when it ends.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType

from runner.errors import AbortedError, ExitCode

_CODES = {signal.SIGINT: ExitCode.INTERRUPTED, signal.SIGTERM: ExitCode.TERMINATED}

_STOPPING = b"stopping: what is on the wire may settle; a second signal leaves at once\n"


@contextmanager
def signals_end_the_run() -> Iterator[None]:
    """Raise AbortedError in the main thread at the first signal; leave at once at the second."""
    before = {number: signal.signal(number, _abort) for number in _CODES}
    try:
        yield
    finally:
        for number, action in before.items():
            signal.signal(number, action)


def _abort(number: int, _frame: FrameType | None) -> None:
    for each in _CODES:
        signal.signal(each, _leave)
    with suppress(OSError):  # whoever reads it may have gone first
        os.write(sys.stderr.fileno(), _STOPPING)  # a stream may be in the middle of a write
    raise AbortedError(_CODES[signal.Signals(number)])


def _leave(number: int, _frame: FrameType | None) -> None:
    os._exit(int(_CODES[signal.Signals(number)]))
