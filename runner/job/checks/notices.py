"""What `notify` says makes sense, and can be sent: times for slow runs, masks, libraries.

Knows nothing of whether a recipient can be reached.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from runner.diagnostics import Diagnostic, Location
from runner.job.notices import Notice, NoticeEvent, Recipient
from runner.job.origin import Origin
from runner.job.partial_job import PartialJob

RecipientFinder = Callable[[Recipient], tuple[str, str] | None]
"""What a recipient needs and is missing, and how to install it; None if nothing is."""


def notices(job: PartialJob, finder: RecipientFinder | None) -> Iterator[Diagnostic]:
    """Every problem of the blocks of `notify`, those of the connection too."""
    for origin, path, each in _declared(job):
        if NoticeEvent.SLOW in each.on and each.slower_than_seconds is None:
            message = "`slow` needs `slower_than`: the time after which a run is slow"
            hint = "add `slower_than: 30m`, or remove `slow`"
            yield origin.diagnose((*path, "on"), "job/no-slower-than", message, help=hint)
        if each.mask and not each.rows:
            message = "`mask` has no effect without `rows: true`: messages have no values of rows"
            hint = "remove it, or add `rows: true`"
            yield origin.diagnose((*path, "mask"), "job/unused-mask", message, help=hint)
        for number, recipient in enumerate(each.to):
            missing = None if finder is None else finder(recipient)
            if missing is not None:
                at = (*path, "to", number)
                yield origin.diagnose(at, "job/missing-library", missing[0], help=missing[1])


def _declared(job: PartialJob) -> Iterator[tuple[Origin, Location, Notice]]:
    """Every block of `notify`, with its file and its path there."""
    own = (job.origin, ("notify",), job.notify)
    of_connection = job.connection.notify if job.connection else ()
    other = (job.connection_origin, (*job.connection_path, "notify"), of_connection)
    for origin, path, notices in (own, other):
        for number, notice in enumerate(notices):
            in_list = (*path, number)
            yield origin, in_list if in_list in origin.positions else path, notice
