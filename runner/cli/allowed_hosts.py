"""Hosts that may be given tokens although they are not Salesforce's.

An option of the person, never of a job file: who writes a job must not be able to send the token of
whoever runs it elsewhere. Kept for whoever builds the transport of this command.
"""

from __future__ import annotations

import os
import re
from contextvars import ContextVar
from typing import Annotated

import typer

VARIABLE = "SFRUNNER_ALLOW_HOST"
_allowed: ContextVar[frozenset[str] | None] = ContextVar("allowed_hosts", default=None)
_HOST = re.compile(r"[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*")


def _remember(hosts: list[str] | None) -> list[str] | None:
    wrong = next((host for host in hosts or () if not _HOST.fullmatch(host)), None)
    if wrong is not None:
        raise typer.BadParameter(f"{wrong} is no host; write gateway.acme.example, no https://.")
    _allowed.set(frozenset(host.lower() for host in hosts or ()))
    return hosts


AllowHost = Annotated[
    list[str] | None,
    typer.Option(
        "--allow-host",
        metavar="HOST",
        envvar=VARIABLE,
        callback=_remember,
        help="Tokens may go to this host too, besides Salesforce's own; may be given again.",
    ),
]


def allowed_hosts() -> frozenset[str]:
    """What `--allow-host` says; for a verb without that option, its variable."""
    told = _allowed.get()
    if told is None:
        return frozenset(os.environ.get(VARIABLE, "").lower().split())
    return told
