"""Files on other machines: http(s), object stores, anything that fsspec supports.

A source is fetched completely before its rows are read; a target is sent after its last row is
written. Credentials come from the environment, in each store's own way. Uses fsspec, from the extra
`remote`, for everything but reading over HTTP. Knows nothing of formats.
"""

from __future__ import annotations

import shutil
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http import HTTPStatus
from pathlib import Path
from typing import Any, BinaryIO
from urllib.error import HTTPError
from urllib.parse import unquote, urlsplit, urlunsplit
from urllib.request import Request, urlopen

from runner.content_encoding import ACCEPTED, EncodingError, decode_body
from runner.errors import RunnerError, SourceError, StateError, library_of
from runner.job.endpoints import OBJECT_STORES, shown_url
from runner.tables.extras import extra
from runner.version import __version__

_COPY_BYTES = 1 << 20
_WAIT_SECONDS = 150.0
"""For each piece of an answer."""


def fetch(url: str, to: Path) -> Path:
    """Download a file.

    Raises:
        SourceError: It cannot be read, the connection breaks off, or it does not arrive whole.
    """
    with _store_errors(url, SourceError, "read"), to.open("wb") as out:
        if urlsplit(url).scheme in {"http", "https"}:
            _download(url, out)
        else:
            fsspec = extra("fsspec", "remote", shown_url(url))
            with fsspec.open(url, "rb") as read:
                shutil.copyfileobj(read, out, _COPY_BYTES)
                size = getattr(read, "size", None)
            if size is not None and out.tell() != size:
                raise _CutError(f"has {out.tell():,} of {size:,} bytes")
    return to


_WHOLE = frozenset({HTTPStatus.OK, HTTPStatus.NON_AUTHORITATIVE_INFORMATION})
"""Other answers are a part of a file, or say that it is being made."""


def _download(url: str, out: BinaryIO) -> None:
    """Download over HTTP, decoded here: clients accept a gzip stream that is cut off."""
    parts = urlsplit(url)
    headers = {"User-Agent": f"sfrunner/{__version__}", "Accept-Encoding": ACCEPTED}
    address = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
    request = Request(address, headers=headers)  # noqa: S310 - http or https
    if parts.username is not None:
        pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        basic = f"Basic {b64encode(pair.encode()).decode()}"
        request.add_unredirected_header("Authorization", basic)  # not for another host
    with urlopen(request, timeout=_WAIT_SECONDS) as answer:  # noqa: S310 - http or https
        if answer.status not in _WHOLE:
            raise _CutError(f"came with the status {answer.status} instead of 200")
        if len(set(answer.headers.get_all("Content-Length", ()))) > 1:
            raise _CutError("came with two lengths")
        encoding = ",".join(answer.headers.get_all("Content-Encoding", ()))
        if answer.length is None and not answer.chunked:
            raise _UnknownLengthError
        out.writelines(decode_body(iter(lambda: answer.read(_COPY_BYTES), b""), encoding))
        if answer.length:
            raise _CutError(f"lacks {answer.length:,} bytes at its end")


class _UnknownLengthError(Exception):
    """An answer that ends when its connection is closed, cut or not. Never leaves this module."""


class _CutError(Exception):
    """A file that did not arrive whole; the text follows "it". Never leaves this module."""


def send(file: Path, url: str) -> None:
    """Upload a file; where that ends early, an object store keeps what it had.

    Raises:
        StateError: It cannot be written.
    """
    fsspec = extra("fsspec", "remote", shown_url(url), StateError)
    errors = _store_errors(url, StateError, "written")
    with errors, file.open("rb") as read:
        out = fsspec.open(url, "wb", auto_mkdir=not _is_in_bucket(url)).open()
        try:
            shutil.copyfileobj(read, out, _COPY_BYTES)
        except BaseException:
            _give_up(out, fsspec.spec.AbstractBufferedFile)
            raise
        out.close()


def _is_in_bucket(url: str) -> bool:
    return url.partition("://")[0].rpartition("::")[2].lower() in OBJECT_STORES


def _give_up(out: Any, buffered: Any) -> None:  # noqa: ANN401 - of the store's own library
    """Leave a file unwritten: to close it would make an object of what has been sent so far."""
    if not isinstance(out, buffered):
        with suppress(Exception):
            out.close()
        return
    out.closed = True
    with suppress(Exception):
        out.discard()  # parts that have been sent


@contextmanager
def _store_errors(url: str, kind: type[RunnerError], done: str) -> Iterator[None]:
    try:
        yield
    except ImportError as error:
        library = library_of(error)
        raise kind(
            f"{shown_url(url)} needs a library that is not installed: {library or error}.",
            hint=f"Install it: pip install {library or 'what the message names'}",
        ) from error
    except RunnerError:
        raise
    except (EncodingError, _CutError) as error:
        raise kind(
            f"{shown_url(url)} arrived damaged: it {error}.",
            hint="It was cut off or changed on its way; run again, and check the proxy.",
        ) from None
    except _UnknownLengthError:
        raise kind(
            f"The server of {shown_url(url)} does not say how long the file is, so it could arrive "
            "cut off without notice.",
            hint="Download it with another program, and name the file.",
        ) from None
    except HTTPError as error:
        error.close()
        raise kind(
            f"{shown_url(url)} cannot be {done}: the server answered {error.code} {error.reason}.",
            hint="Check the address, and the credentials in it.",
        ) from None
    except Exception as error:  # noqa: BLE001 - each store has its own errors
        if isinstance(error, FileNotFoundError) and done == "written" and _is_in_bucket(url):
            raise kind(
                f"{shown_url(url)} cannot be written: there is no such bucket, or none that these"
                " credentials may see.",
                hint="Correct the address, or create the bucket first: the runner creates none.",
            ) from None
        lines = str(error).replace(url, shown_url(url)).splitlines() or [type(error).__name__]
        raise kind(
            f"{shown_url(url)} cannot be {done}: {lines[0].rstrip('.') or type(error).__name__}.",
            hint="Check the address, the network, and the credentials in the environment.",
        ) from None
