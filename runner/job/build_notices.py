"""Builds who is notified from plain values that are valid by the schema, and writes them again.

Pure. Knows the notation of `notify`, `heartbeat` and `expect`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from runner.credentials import SecretReference
from runner.job.build_endpoints import reference
from runner.job.notation import duration_seconds
from runner.job.notices import (
    SMTP_VARIABLE,
    USUAL_EVENTS,
    Email,
    Notice,
    NoticeEvent,
    Recipient,
    Service,
    Webhook,
)
from runner.job.partial_job import ProblemPaths


def of_job(values: Mapping[str, Any], problems: ProblemPaths) -> dict[str, Any]:
    """Members of a `Job`: who is notified, as far as nothing is wrong with that."""

    def sound(key: str) -> Any:  # noqa: ANN401 - as YAML has it
        is_wrong = problems.covers((key,)) or problems.below((key,))
        return None if is_wrong else values.get(key)

    return {
        "notify": notices(sound("notify")),
        "heartbeat": heartbeat(sound("heartbeat")),
        "expected_seconds": expected_seconds(sound("expect")),
    }


def notices(values: Any) -> tuple[Notice, ...]:  # noqa: ANN401 - as YAML has it
    """Build what `notify` says: one block or a list of them."""
    if values is None:
        return ()
    return tuple(map(_notice, [values] if isinstance(values, Mapping) else values))


def _notice(values: Mapping[str, Any]) -> Notice:
    slower = values.get("slower_than")
    on = [NoticeEvent(each) for each in values.get("on", USUAL_EVENTS)]
    if slower is not None and NoticeEvent.SLOW not in on:
        on.append(NoticeEvent.SLOW)
    return Notice(
        tuple(map(recipient, values["to"])),
        tuple(on),
        duration_seconds(slower) if slower is not None else None,
        values.get("rows", False),
        tuple(values.get("mask", ())),
    )


def recipient(values: Mapping[str, Any]) -> Recipient:
    """Build one recipient."""
    if "webhook" in values:
        secret = values.get("secret")
        return Webhook(reference(values["webhook"]), reference(secret) if secret else None)
    if "email" in values:
        smtp = values.get("smtp", {"env": SMTP_VARIABLE})
        return Email(values["email"], reference(smtp), values.get("from"))
    return Service(reference(values))


def written(recipient: Recipient) -> dict[str, Any]:
    """A recipient as a job writes it, of which `recipient` builds it again."""
    if isinstance(recipient, Service):
        return _written(recipient.url)
    if isinstance(recipient, Webhook):
        secret = {"secret": _written(recipient.secret)} if recipient.secret else {}
        return {"webhook": _written(recipient.url), **secret}
    sender = {"from": recipient.sender} if recipient.sender else {}
    return {"email": recipient.address, "smtp": _written(recipient.smtp), **sender}


def _written(place: SecretReference) -> dict[str, Any]:
    return {"env": place.env} if place.command is None else {"command": list(place.command)}


def heartbeat(values: Mapping[str, Any] | None) -> SecretReference | None:
    """Build where the URL is that a run pings."""
    return None if values is None else reference(values["url"])


def expected_seconds(text: str | None) -> float | None:
    """Seconds of `every 1d`."""
    return None if text is None else duration_seconds(text.removeprefix("every "))
