"""Sends notifications: recorded first, all recipients at once, what fails at the next run.

Knows the ledger's list of them and the limits of time. Knows nothing of jobs.
"""

from __future__ import annotations

import json
import secrets
import threading
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from queue import Empty, SimpleQueue

from runner.errors import RunnerError
from runner.job.build_notices import recipient, written
from runner.job.notices import Recipient
from runner.notify.message import Document
from runner.notify.sending import sender_for
from runner.notify.webhook import TIMEOUT_SECONDS, Sender
from runner.redaction import redacted
from runner.state.notifications import LONGEST_WAIT, Notification, Notifications

MOST_SECONDS = 10.0
"""For all messages of one run together; what is left waits for the next."""
_NO_ANSWER = "no answer within {:g} s"


def deliver(
    notifications: Notifications | None,
    made: Sequence[Notification],
    *,
    timeout_seconds: float = TIMEOUT_SECONDS,
    warn: Callable[[str], None],
) -> None:
    """Record new notifications, then send them and the waiting ones.

    Args:
        notifications: Where they are recorded; None if that is not possible: then they are sent
            once.
        made: New ones.
        timeout_seconds: For each message.
        warn: Called with what to say of each recipient that was not reached.
    """
    waiting = list(made)
    if notifications is not None:
        now = datetime.now(UTC)
        _drop_old(notifications, now, warn)
        waiting = notifications.take(made, now)
    rest: dict[str, list[Notification]] = {}
    for each in waiting:
        rest.setdefault(each.recipient, []).append(each)
    senders = {place: _sender(place, timeout_seconds) for place in rest}
    ends_at = time.monotonic() + MOST_SECONDS
    while rest and time.monotonic() < ends_at:
        round_of = {place: waiting[0] for place, waiting in rest.items()}
        errors = _send_all(
            {place: (senders[place], each) for place, each in round_of.items()}, timeout_seconds
        )
        for place, each in round_of.items():
            error = errors[place]
            if error is not None:
                _failed(notifications, rest.pop(place), error, warn)
                continue
            if notifications is not None:
                notifications.note(each.number, datetime.now(UTC), None)
            rest[place].pop(0)
            if not rest[place]:
                del rest[place]
    for each_left in rest.values():
        _failed(notifications, each_left, "there was no time left", warn)


def _sender(place: str, timeout_seconds: float) -> Sender:
    """What sends to a recipient; it says why, if that is known not to work already."""
    try:
        return sender_for(recipient(json.loads(place)), timeout_seconds)
    except Exception as error:  # noqa: BLE001 - a library's fault is no end of a run
        reason = error

    def fail(_document: Document) -> None:
        raise reason

    return fail


def _drop_old(notifications: Notifications, now: datetime, warn: Callable[[str], None]) -> None:
    for each in notifications.drop_old(now):
        warn(
            f"notification {each.event!r} to {called(each.recipient)} could not be sent for "
            f"{LONGEST_WAIT.days} days and was dropped: {each.error or 'too many were waiting'}"
        )


def notification_of(to: Recipient, document: Document, job_file: Path) -> Notification:
    """A message to one recipient, to be recorded."""
    return Notification(
        run_id=document["run_id"],
        job_file=job_file,
        target=document["target"],
        event=document["event"],
        recipient=json.dumps(written(to)),
        message=json.dumps({**document, "id": f"msg_{secrets.token_hex(12)}"}, ensure_ascii=False),
        created=datetime.fromisoformat(document["finished"]),
    )


def called(place: str) -> str:
    """A recipient in words."""
    return str(recipient(json.loads(place)))


def _why(error: Exception) -> str:
    if isinstance(error, RunnerError):
        return " ".join(filter(None, (error.message, error.hint)))
    return redacted(f"{type(error).__name__}: {error}", shapes=True)


def _failed(
    notifications: Notifications | None,
    waiting: Sequence[Notification],
    error: str,
    warn: Callable[[str], None],
) -> None:
    """Record that messages to one recipient are not sent; the next run tries again."""
    if notifications is not None:
        for each in waiting:
            notifications.note(each.number, datetime.now(UTC), error)
    first, more = waiting[0], len(waiting) - 1
    others = f" and {more:,} more" if more else ""
    warn(
        f"notification {first.event!r}{others} to {called(first.recipient)} was not sent: "
        f"{error.rstrip('.')}." + (" The next run tries again." if notifications else "")
    )


def _send_all(
    tasks: dict[str, tuple[Sender, Notification]], timeout_seconds: float
) -> dict[str, str | None]:
    """Send one message to each recipient at once; why each was not sent, or None."""
    ended: SimpleQueue[tuple[str, str | None]] = SimpleQueue()

    def send(place: str, sender: Sender, document: Document) -> None:
        try:
            sender(document)
        except Exception as error:  # noqa: BLE001 - a library's fault is no end of a run
            ended.put((place, _why(error)))
        else:
            ended.put((place, None))

    for place, (sender, each) in tasks.items():
        document = _late(json.loads(each.message), each)
        threading.Thread(target=send, args=(place, sender, document), daemon=True).start()
    found: dict[str, str | None] = {}
    # A little more than each may take by itself: looking up a host's name has no limit of its own.
    ends_at = time.monotonic() + timeout_seconds * 1.25
    while len(found) < len(tasks):
        try:
            place, error = ended.get(timeout=max(0.0, ends_at - time.monotonic()))
        except Empty:
            break
        found[place] = error
    return {place: found.get(place, _NO_ANSWER.format(timeout_seconds)) for place in tasks}


def _late(document: Document, notification: Notification) -> Document:
    """A message that was tried before, which says so."""
    if not notification.tries:
        return document
    when = notification.created.strftime("%Y-%m-%d %H:%M")
    late = f"This message is from {when} UTC; it could not be sent earlier ({notification.error})."
    return {**document, "delayed": True, "text": f"{document['text']}\n\n{late}"}
