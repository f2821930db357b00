"""Connections to PostgreSQL by psycopg alone: importing SQLAlchemy takes longer than some runs.

Knows the common form of a URL; any other is left to SQLAlchemy, which explains what is wrong with
it. Never reveals a URL or a password. Knows nothing of rows.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, unquote

from runner.credentials import SecretReference
from runner.errors import RunnerError
from runner.tables.sql_connection import rejected, url_of

if TYPE_CHECKING:
    from psycopg import Connection

_COMMON_URL = re.compile(
    r"postgresql\+psycopg://"
    r"(?:(?P<user>[^:@/?#]*)(?::(?P<password>[^:@/?#]*))?@)?"
    r"(?P<host>[\w.-]*)(?::(?P<port>\d+))?/(?P<dbname>[\w.-]*)(?:\?(?P<query>[^#]*))?",
    re.ASCII,
)
_FOLDER_OR_HOST = re.compile(r"[\w./-]+", re.ASCII)
_OPTIONS = frozenset((
    "host", "sslmode", "sslrootcert", "sslcert", "sslkey", "application_name", "connect_timeout",
    "options", "gssencmode", "target_session_attrs", "channel_binding",
))  # fmt: skip
"""Of a query string; each is an option of libpq."""


def is_common(reference: SecretReference) -> bool:
    """Whether `connect_psycopg` knows the URL. A command is not run to find out."""
    url = os.environ.get(reference.env or "", "").strip()
    return _options(url) is not None and find_spec("psycopg") is not None


@contextmanager
def connect_psycopg(reference: SecretReference, kind: type[RunnerError]) -> Iterator[Connection]:
    """Connect; a transaction that is not committed is rolled back at the end.

    Args:
        reference: Where the URL is; it is a common one.
        kind: The class of errors.
    """
    import psycopg
    from psycopg.conninfo import make_conninfo

    options = _options(url_of(reference, kind)) or {}
    try:
        link = psycopg.connect(make_conninfo("", **options))
        try:
            yield link
        finally:
            link.close()
    except psycopg.Error as error:
        unreached = psycopg.OperationalError, psycopg.InterfaceError
        raise rejected(error, kind, is_unreached=isinstance(error, unreached)) from None


def _options(url: str) -> Mapping[str, str] | None:
    """The options of a connection; None if the URL has another form.

    As SQLAlchemy understands it, the name of the database is not quoted.
    """
    found = _COMMON_URL.fullmatch(url)
    if found is None:
        return None
    parts = {key: unquote(part) for key, part in found.groupdict().items() if part}
    asked = parse_qsl(parts.pop("query", "") and found["query"], keep_blank_values=True)
    more = dict(asked)
    host = more.get("host")
    if len(more) < len(asked) or not more.keys() <= _OPTIONS:
        return None
    if host is not None and ("host" in parts or not _FOLDER_OR_HOST.fullmatch(host)):
        return None
    return parts | more
