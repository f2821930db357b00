"""What a run's end is to the people who are notified: failed, partial, tripped, recovered or slow.

Pure: one function over how it ended. Knows nothing of recipients.
"""

from __future__ import annotations

from collections.abc import Collection

from runner.errors import ExitCode
from runner.job.notices import NoticeEvent


def event_of(
    code: ExitCode,
    wanted: Collection[NoticeEvent],
    *,
    seconds: float,
    slower_than_seconds: float | None = None,
    follows_failure: bool = False,
) -> NoticeEvent | None:
    """The event to notify of, if it is wanted; at most one for each run.

    Args:
        code: How the run ended.
        wanted: Events that somebody wants to know of.
        seconds: How long it took.
        slower_than_seconds: From when on that is slow; None: never.
        follows_failure: Whether the run before was not done.
    """
    found = [*_by_code(code, follows_failure=follows_failure)]
    if slower_than_seconds is not None and seconds > slower_than_seconds:
        found.append(NoticeEvent.SLOW)
    # Stopped by a limit is failed, too: who wants failures is notified of it as what it is.
    also = {NoticeEvent.TRIPPED} if NoticeEvent.FAILED in wanted else set()
    return next((each for each in found if each in {*wanted, *also}), None)


def _by_code(code: ExitCode, *, follows_failure: bool) -> list[NoticeEvent]:
    if code is ExitCode.DONE:
        return [NoticeEvent.RECOVERED] if follows_failure else []
    if code is ExitCode.PARTIAL:
        return [NoticeEvent.PARTIAL]
    return [NoticeEvent.TRIPPED if code is ExitCode.STOPPED else NoticeEvent.FAILED]
