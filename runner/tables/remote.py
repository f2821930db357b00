"""Files that are not on this machine: http(s), object stores, whatever fsspec reaches.

A source is fetched whole before its rows are looked at; a target is sent when its last row is
written. Credentials come from the environment, in each store's own way. Goes through fsspec, which
the extra `remote` brings. Knows nothing of formats.
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
    """Bring a file here.

    Raises:
        SourceError: It cannot be had, or breaks off.
    """
    fsspec = extra("fsspec", "remote", shown_url(url))
    with _told(url, SourceError, "read"), fsspec.open(url, "rb") as read, to.open("wb") as out:
        shutil.copyfileobj(read, out, _COPY_BYTES)
    return to


def send(file: Path, url: str) -> None:
    """Bring a file there.

    Raises:
        StateError: It cannot be written there.
    """
    fsspec = extra("fsspec", "remote", shown_url(url), StateError)
    told = _told(url, StateError, "written")
    with told, file.open("rb") as read, fsspec.open(url, "wb") as out:
        shutil.copyfileobj(read, out, _COPY_BYTES)


@contextmanager
def _told(url: str, kind: type[RunnerError], done: str) -> Iterator[None]:
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
    except Exception as error:  # noqa: BLE001 - each store has errors of its own
        said = str(error).replace(url, shown_url(url)).splitlines() or [type(error).__name__]
        raise kind(
            f"{shown_url(url)} cannot be {done}: {said[0].rstrip('.') or type(error).__name__}.",
            hint="Check the address, the network, and the credentials in the environment.",
        ) from None
