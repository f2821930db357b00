"""How a token stands in a file: JSON, version 1, as `schemas/token.schema.json` has it.

Pure: text to Token and back. Knows nothing of files, modes or locks.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from urllib.parse import urlsplit

from runner.credentials import Secret, Token

VERSION = 1


class TokenFormatError(ValueError):
    """The text is not a token; the message finishes "it …" and never shows the text."""


def token_text(token: Token) -> str:
    """Write a token down: one JSON object; what is unknown or empty is left out."""
    members = {
        "version": VERSION,
        "access_token": token.access_token.reveal(),
        "refresh_token": token.refresh_token.reveal() if token.refresh_token else None,
        "instance_url": token.instance_url,
        "login_url": token.login_url,
        "client_id": token.client_id,
        "org_id": token.org_id,
        "user_id": token.user_id,
        "username": token.username,
        "scopes": list(token.scopes),
        "issued_at": token.issued_at.astimezone(UTC).isoformat() if token.issued_at else None,
    }
    present = {name: value for name, value in members.items() if value}
    return json.dumps(present, indent=2, ensure_ascii=False) + "\n"


def token_from(text: str) -> Token:
    """Read a token back.

    Members this release does not know are passed over: a newer one of the same version may have
    added them.

    Raises:
        TokenFormatError: No JSON object, another version, a member missing or of the wrong type.
    """
    members = _members(text)
    _check_version(members)
    return Token(
        access_token=Secret(_required(members, "access_token")),
        instance_url=_url(members, "instance_url") or _required(members, "instance_url"),
        refresh_token=_secret(members, "refresh_token"),
        client_id=_text(members, "client_id"),
        login_url=_url(members, "login_url"),
        org_id=_text(members, "org_id"),
        user_id=_text(members, "user_id"),
        username=_text(members, "username"),
        scopes=_scopes(members),
        issued_at=_moment(members, "issued_at"),
    )


def _members(text: str) -> Mapping[str, object]:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        # The parser's own words quote what it read, and that may be half a token.
        raise TokenFormatError("is not JSON") from None
    if not isinstance(document, dict):
        raise TokenFormatError("is not a JSON object")
    return document


def _check_version(members: Mapping[str, object]) -> None:
    version = members.get("version")
    if type(version) is not int:
        raise TokenFormatError('has no "version"')
    if version != VERSION:
        raise TokenFormatError(f"has version {version}; this release reads version {VERSION}")


def _text(members: Mapping[str, object], name: str) -> str | None:
    value = members.get(name)
    if value is not None and (not isinstance(value, str) or not value):
        raise TokenFormatError(f'has a "{name}" that is not a text')
    return value


def _required(members: Mapping[str, object], name: str) -> str:
    value = _text(members, name)
    if value is None:
        raise TokenFormatError(f'has no "{name}"')
    return value


def _secret(members: Mapping[str, object], name: str) -> Secret | None:
    value = _text(members, name)
    return None if value is None else Secret(value)


def _url(members: Mapping[str, object], name: str) -> str | None:
    value = _text(members, name)
    if value is not None and not _is_url(value):
        raise TokenFormatError(f'has a "{name}" that is not an http or https address')
    return value


def _is_url(text: str) -> bool:
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and bool(parts.hostname)


def _scopes(members: Mapping[str, object]) -> tuple[str, ...]:
    scopes = members.get("scopes") or []
    if not isinstance(scopes, list) or not all(isinstance(scope, str) for scope in scopes):
        raise TokenFormatError('has "scopes" that are not a list of texts')
    return tuple(scopes)


def _moment(members: Mapping[str, object], name: str) -> datetime | None:
    text = _text(members, name)
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise TokenFormatError(f'has an "{name}" that is not a time') from None
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
