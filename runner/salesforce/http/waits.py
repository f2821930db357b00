"""How long one wait of a connection may take.

The timeout of a connection starts again with every piece of an answer, so one that drips would
never time out; under a `time_limit`, every wait is cut to what is left of it. Knows clocks and
lanes. Knows nothing of sockets or requests.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import TypeVar

from runner.lanes import check_stop, may_be_stopped

_LOOK_UP_SECONDS = 0.5
"""How often a wait of who may be stopped looks whether it must."""
_ends_at: ContextVar[float | None] = ContextVar("ends_at", default=None)
"""When the waits of this thread must have ended, by the monotonic clock; None: no limit."""
Result = TypeVar("Result")


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Limit the waits of this thread inside the block, all together."""
    outer = _ends_at.get()
    own = time.monotonic() + seconds
    token = _ends_at.set(own if outer is None else min(own, outer))
    try:
        yield
    finally:
        _ends_at.reset(token)


def left(timeout: float | None, error: type[Exception] = TimeoutError) -> float | None:
    """How long to wait at most; raises when nothing is left."""
    ends_at = _ends_at.get()
    if ends_at is None:
        return timeout
    rest = ends_at - time.monotonic()
    if rest <= 0:
        raise error("the time is up")
    return rest if timeout is None else min(timeout, rest)


def wait(
    once: Callable[[float | None], Result],
    timeout: float | None,
    error: type[Exception] = TimeoutError,
) -> Result:
    """Wait within a timeout; who may be stopped notices it meanwhile.

    Args:
        once: Waits as many seconds as it is given, then raises `error`.
        timeout: Seconds; None: no limit.
        error: What says that nothing came in time.
    """
    while may_be_stopped():
        check_stop()
        rest = left(timeout, error)
        if rest is not None and rest <= _LOOK_UP_SECONDS:
            break
        with suppress(error):
            return once(_LOOK_UP_SECONDS)
        timeout = None if timeout is None else timeout - _LOOK_UP_SECONDS
    return once(left(timeout, error))
