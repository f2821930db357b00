"""The address of a shared state: `postgresql://…?files=s3://bucket/prefix`.

Knows how it is written. Knows nothing of databases or stores.
"""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlencode, urlsplit

from msgspec import Struct

from runner.errors import UsageError
from runner.redaction import register_secret

DEFAULT_SCHEMA = "sfrunner"
_SCHEMA = re.compile(r"[a-z_][a-z0-9_]{0,62}")
_SECRET_OPTIONS = frozenset({"password", "sslpassword"})
_OF_A_STORE = re.compile(r"^([^:/?#]+:/{2}[^:/@]*):([^/@]*)@")
"""The beginning of a store's address that has a password."""
_EXAMPLE = "postgresql://user@host/database?files=s3://bucket/prefix"


class SharedAddress(Struct, frozen=True):
    """Where a shared state is."""

    url: str
    """As it was given."""
    database: str
    """For SQLAlchemy; may contain a password."""
    files: str
    """Of an object store, or of a folder that all machines mount; for fsspec."""
    schema: str = DEFAULT_SCHEMA
    """Of PostgreSQL: one for each project."""
    project: Path = Path()
    """Paths below it are stored relative to it, as each machine has its own checkout."""

    @property
    def label(self) -> str:
        """For messages: without user, password and options."""
        parts = urlsplit(self.url)
        host = parts.hostname or dict(parse_qsl(parts.query)).get("host", "")
        return f"postgresql://{host}{parts.path}"


def is_address(text: str) -> bool:
    """Whether a text is an address rather than a folder."""
    return "://" in text


def read_address(text: str, project: Path) -> SharedAddress:
    """Read an address.

    Args:
        text: The address.
        project: The folder that paths are relative to; absolute.

    Raises:
        UsageError: It is not one, or lacks a part.
    """
    try:
        parts = urlsplit(text)
    except ValueError:
        raise _not_encoded() from None
    if parts.scheme not in {"postgresql", "postgresql+psycopg", "postgres"}:
        raise UsageError(
            f"The state cannot be at {parts.scheme}://…: it is a folder, or in PostgreSQL.",
            hint=f"Write an address like {_EXAMPLE}.",
        )
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    if parts.fragment or any("@" in each for each in (parts.path, *options)):
        raise _not_encoded()
    _check_port(parts)
    if parts.password:
        register_secret(unquote(parts.password))
    for name in _SECRET_OPTIONS & options.keys():
        register_secret(options[name])
    if found := _OF_A_STORE.match(options.get("files", "")):
        register_secret(unquote(found[2]))
    files, schema = options.pop("files", ""), options.pop("schema", DEFAULT_SCHEMA)
    _check_place(files)
    if not _SCHEMA.fullmatch(schema):
        raise UsageError(
            f"The address of the state has the schema {schema!r}, which is not a name.",
            hint="Use a letter, then letters, digits and _, all lower case.",
        )
    query = urlencode(options, quote_via=quote)
    # Not by urlunsplit, which drops the slashes of an address without a host.
    database = f"postgresql+psycopg://{parts.netloc}{parts.path}{query and '?'}{query}"
    return SharedAddress(text, database, files.rstrip("/"), schema, project)


def without_password(state: str) -> str:
    """An address without what is secret in it; a folder as it is."""
    if not is_address(state):
        return state
    head, _, rest = state.partition("://")
    place, question, query = rest.partition("?")
    user, at, host = place.rpartition("@")
    given = [each.partition("=") for each in query.split("&")]
    kept = [
        name + equals + (_without_store_password(value) if name == "files" else value)
        for name, equals, value in given
        if name not in _SECRET_OPTIONS
    ]
    return f"{head}://{user.partition(':')[0]}{at}{host}{question}{'&'.join(kept)}"


def _without_store_password(value: str) -> str:
    files = unquote(value)
    found = _OF_A_STORE.match(files)
    return quote(f"{found[1]}@{files[found.end() :]}", safe=":/@") if found else value


def _check_port(parts: SplitResult) -> None:
    try:
        _ = parts.port
    except ValueError:
        raise UsageError(  # without the text: it may be part of a password
            "The address of the state has a port that is not a number up to 65535.",
            hint=f"Write an address like {_EXAMPLE}; in a password, `/` is %2F and `@` is %40.",
        ) from None


def _check_place(files: str) -> None:
    """Refuse a place of files that other machines, or the next command, would not find again."""
    store, found, place = files.partition("://")
    if not found:
        raise UsageError(
            "The address of the state does not say where files go.",
            hint=f"Add `files=` with an object store, or `files=file:///folder`: {_EXAMPLE}.",
        )
    if store == "memory":
        raise UsageError(
            "The address of the state has files in memory, where they are lost with the command.",
            hint=f"Name an object store, or a folder that all machines mount: {_EXAMPLE}.",
        )
    is_folder = store in {"file", "local"}
    if not place.strip("/") or (is_folder and not place.startswith("/")):
        raise UsageError(
            f"The address of the state has `files={files}`, which names no "
            f"{'absolute folder' if is_folder else 'bucket'}.",
            hint="Write `files=file:///folder`, with three slashes, or `files=s3://bucket/prefix`.",
        )


def _not_encoded() -> UsageError:
    return UsageError(
        "The address of the state cannot be read: a part of it, perhaps the password, has "
        "characters that stand for something else.",
        hint="Write them by their code, `/` as %2F, `@` as %40, `#` as %23, `?` as %3F, or put "
        "the password into PGPASSWORD.",
    )
