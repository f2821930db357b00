"""Files on other machines: http(s), object stores, anything that fsspec supports.

A source is fetched completely before its rows are read; a target is sent after its last row is
written. Credentials come from the environment, in each store's own way. Uses fsspec, from the extra
`remote`. Knows nothing of formats.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from runner.errors import RunnerError, SourceError, StateError
from runner.job.endpoints import shown_url
from runner.tables.extras import extra

_COPY_BYTES = 1 << 20


def fetch(url: str, to: Path) -> Path:
    """Download a file.

    Raises:
        SourceError: It cannot be read, or the connection breaks off.
    """
    fsspec = extra("fsspec", "remote", shown_url(url))
    with (
        _store_errors(url, SourceError, "read"),
        fsspec.open(url, "rb") as read,
        to.open("wb") as out,
    ):
        shutil.copyfileobj(read, out, _COPY_BYTES)
    return to


def send(file: Path, url: str) -> None:
    """Upload a file.

    Raises:
        StateError: It cannot be written.
    """
    fsspec = extra("fsspec", "remote", shown_url(url), StateError)
    errors = _store_errors(url, StateError, "written")
    with errors, file.open("rb") as read, fsspec.open(url, "wb") as out:
        shutil.copyfileobj(read, out, _COPY_BYTES)


@contextmanager
def _store_errors(url: str, kind: type[RunnerError], done: str) -> Iterator[None]:
    try:
        yield
    except ImportError as error:
        library = error.name or str(error)
        raise kind(
            f"{shown_url(url)} needs a library that is not installed: {library}.",
            hint=f"Install it: pip install {error.name or 'what the message names'}",
        ) from error
    except RunnerError:
        raise
    except Exception as error:  # noqa: BLE001 - each store has its own errors
        lines = str(error).replace(url, shown_url(url)).splitlines() or [type(error).__name__]
        raise kind(
            f"{shown_url(url)} cannot be {done}: {lines[0].rstrip('.') or type(error).__name__}.",
            hint="Check the address, the network, and the credentials in the environment.",
        ) from None
