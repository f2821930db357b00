"""The format of a token file: JSON, version 1, as in `schemas/token.schema.json`.

Pure: text to Token and back. Knows nothing of files, modes or locks.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

from msgspec.structs import replace

from runner.credentials import (
    ClientCredentials,
    Grant,
    JwtBearer,
    Secret,
    SecretReference,
    Token,
)

VERSION = 1
_JWT = "jwt"
_CLIENT = "client_credentials"


class DecryptionError(ValueError):
    """A text cannot be decrypted; the message continues "it …"."""


class TokenFormatError(ValueError):
    """The text is not a token; the message continues "it …" and never shows the text."""


def token_json(token: Token) -> str:
    """A token as one JSON object; what is unknown or empty is left out."""
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
        "client_secret": token.client_secret.reveal() if token.client_secret else None,
        "issued_at": _written(token.issued_at),
        "grant": _grant_members(token.grant),
        "rotates": token.rotates,
        "renewal_began": _written(token.renewal_began),
    }
    present = {name: value for name, value in members.items() if value}
    return json.dumps(present, indent=2, ensure_ascii=False) + "\n"


def token_from_json(text: str) -> Token:
    """Parse a token.

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
        client_secret=_secret(members, "client_secret"),
        grant=_grant(members),
        rotates=members.get("rotates") is True,
        renewal_began=_moment(members, "renewal_began"),
    )


def as_seeded(token: Token, seed: Token | None) -> Token:
    """A stored token that signs in as the seed does, if there is one."""
    if seed is None:
        return token
    return replace(token, grant=seed.grant, client_id=seed.client_id, login_url=seed.login_url)


def _written(moment: datetime | None) -> str | None:
    return moment.astimezone(UTC).isoformat() if moment else None


def _grant_members(grant: Grant | None) -> dict[str, object] | None:
    match grant:
        case JwtBearer(username, key, passphrase):
            members: dict[str, object] = {
                "kind": _JWT,
                "username": username,
                "key": _reference_members(key),
            }
            if passphrase is not None:
                members["passphrase"] = _reference_members(passphrase)
            return members
        case ClientCredentials(secret):
            return {"kind": _CLIENT, "secret": _reference_members(secret)}
        case None:
            return None


def _reference_members(reference: SecretReference) -> dict[str, object]:
    if reference.env is not None:
        return {"env": reference.env}
    if reference.command is not None:
        return {"command": list(reference.command)}
    return {"path": str(reference.path)}


def _grant(members: Mapping[str, object]) -> Grant | None:
    written = members.get("grant")
    if written is None:
        return None
    if isinstance(written, dict):
        if written.get("kind") == _JWT and isinstance(written.get("username"), str):
            passphrase = written.get("passphrase")
            return JwtBearer(
                written["username"],
                _reference(written.get("key")),
                None if passphrase is None else _reference(passphrase),
            )
        if written.get("kind") == _CLIENT:
            return ClientCredentials(_reference(written.get("secret")))
    raise TokenFormatError('has a "grant" that this release does not know')


def _reference(written: object) -> SecretReference:
    match written:
        case {"env": str(name)}:
            return SecretReference(env=name)
        case {"path": str(path)}:
            return SecretReference(path=Path(path))
        case {"command": [str(), *_] as words} if all(isinstance(each, str) for each in words):
            return SecretReference(command=tuple(words))
    raise TokenFormatError('has a "grant" that does not say where its key or secret is')


def _members(text: str) -> Mapping[str, object]:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        # The parser's message quotes the text, which may be half a token.
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
        raise TokenFormatError(f'has a value of "{name}" that is empty or not a string')
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
        raise TokenFormatError(f'has a value of "{name}" that is not an http or https URL')
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
        raise TokenFormatError('has "scopes" that are not a list of strings')
    return tuple(scopes)


def _moment(members: Mapping[str, object], name: str) -> datetime | None:
    text = _text(members, name)
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise TokenFormatError(f'has a value of "{name}" that is not a time') from None
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
