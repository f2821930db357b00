"""Optional libraries that only some sources, targets and recipients need.

Knows how to install one that is missing. Knows nothing of what they do.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import TYPE_CHECKING

from runner.credentials import SecretReference
from runner.errors import RunnerError, SourceError
from runner.job.endpoints import (
    DatabaseSource,
    DatabaseTarget,
    FileFormat,
    FileSource,
    FileTarget,
    FolderTarget,
    Source,
    Target,
    shown_url,
)

if TYPE_CHECKING:
    from runner.job.notices import Recipient

WEB_SCHEMES = frozenset({"http", "https"})
"""Of URLs that a plain webhook may have; every other is one of Apprise's."""


def extra(module: str, name: str, what: str, kind: type[RunnerError] = SourceError) -> ModuleType:
    """Import a library that an extra of this package installs.

    Args:
        module: What to import.
        name: The extra.
        what: What needs it, as the subject of a sentence.
        kind: The error if it is missing.

    Raises:
        RunnerError: Of that kind, with the command that installs it.
    """
    try:
        return import_module(module)
    except ImportError as error:
        raise kind(
            f"{what} needs the library {error.name or module}, which is not installed.",
            hint=f"Install it: pip install 'sfrunner[{name}]'",
        ) from error


def missing_library(endpoint: Source | Target | SecretReference) -> tuple[str, str] | None:
    """What an endpoint of a job needs and is not installed, and how to install it; None if nothing.

    Drivers of databases are only known with their URL, which is secret.
    """
    return next((_missing(*each) for each in _needed(endpoint) if not is_installed(each[0])), None)


def modules_needed(
    endpoints: Iterable[Source | Target | SecretReference],
) -> Iterator[tuple[str, str]]:
    """The optional modules that endpoints of a job need, and the extra that each is in."""
    for endpoint in endpoints:
        yield from ((module, name) for module, name, _ in _needed(endpoint))


def library_to_notify(recipient: Recipient) -> tuple[str, str] | None:
    """As `missing_library`, by the scheme of a recipient's URL, if its variable is set."""
    from runner.job.notices import Service

    if not isinstance(recipient, Service) or is_installed("apprise"):
        return None
    scheme, colon, _ = os.environ.get(recipient.url.env or "", "").partition(":")
    if not colon or scheme.strip().lower() in WEB_SCHEMES:
        return None
    return _missing("apprise", "notify", f"the URL in {recipient}")


def library_of_metrics() -> tuple[str, str] | None:
    """As `missing_library`, of metrics."""
    if is_installed("prometheus_client"):
        return None
    return _missing("prometheus_client", "metrics", "`metrics`")


def _missing(module: str, name: str, what: str) -> tuple[str, str]:
    library = f"{what} needs the library {module}, which is not installed"
    return library, f"install it: pip install 'sfrunner[{name}]'"


def _needed(endpoint: Source | Target | SecretReference) -> Iterator[tuple[str, str, str]]:
    """Modules, the extra that has them, and what needs them."""
    if isinstance(endpoint, SecretReference):
        if endpoint.keyring is not None:
            yield "keyring", "keyring", "a token in the keyring"
    elif isinstance(endpoint, DatabaseSource | DatabaseTarget):
        yield "sqlalchemy", "sql", "a SQL database"
    elif isinstance(endpoint, FileSource | FileTarget | FolderTarget):
        if endpoint.shape.format is FileFormat.EXCEL and not isinstance(endpoint, FileSource):
            yield "xlsxwriter", "excel", "an Excel file"
        if isinstance(endpoint, FileSource) and endpoint.path.suffix.lower() == ".xls":
            yield "xlrd", "excel", "an .xls file"
        if endpoint.shape.format is FileFormat.DELTA:
            yield "deltalake", "delta", "a Delta table"
        url = None if isinstance(endpoint, FolderTarget) else endpoint.url
        if url is not None:
            yield "fsspec", "remote", shown_url(url)
        if url is not None and url.startswith("http"):
            yield "aiohttp", "remote", shown_url(url)


def is_installed(module: str) -> bool:
    """Whether a module could be imported."""
    try:
        return find_spec(module) is not None
    except (ImportError, ValueError):  # ValueError: it is being kept out
        return False
