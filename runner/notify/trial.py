"""Sends a test message, so that people find out by day whether they would be notified by night.

Knows what a test says. Nothing of it is recorded.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from runner.job.notices import Notice
from runner.job.watched_files import WatchedFile
from runner.notify.message import Happening, document_of
from runner.notify.outbox import deliver, notification_of
from runner.outcome import RunOutcome
from runner.wording import command_for


def send_test(file: Path, job: WatchedFile, warn: Callable[[str], None]) -> list[str]:
    """Send a test message to everybody whom a job notifies.

    Args:
        file: The job.
        job: What it says of notifications.
        warn: Called with what to say of each recipient that was not reached.

    Returns:
        Those that were reached, in words.
    """
    now = datetime.now(UTC)
    nothing = RunOutcome("", job.name, file.absolute(), now, now)
    command = command_for(file, "check", "--notify", target=job.target)
    text = f"This is a test: somebody ran `{command}`. No job has run."
    document = {
        **document_of(Happening(None, nothing, job.target, None), Notice(())),
        "event": "test",
        "title": f"{job.name}: a test message",
        "text": text,
    }
    recipients = dict.fromkeys(each for notice in job.notify for each in notice.to)
    reached = []
    for each in recipients:
        failures: list[str] = []
        deliver(None, [notification_of(each, document, file)], warn=failures.append)
        for failure in failures:
            warn(failure)
        if not failures:
            reached.append(str(each))
    return reached
