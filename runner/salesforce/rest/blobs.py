"""Files out of the org: where a field says its content is, and how it is fetched and checked.

Source: REST API guide, "Get Blob Data"; the value of such a field is a path below the record.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from msgspec import Struct

from runner.content_encoding import is_delimited
from runner.errors import DamagedAnswerError, OrgError, TransientError, UnexpectedAnswerError
from runner.salesforce.http.messages import OrgRequest, path_of, shown
from runner.salesforce.session import Session

_PLACE = re.compile(
    r"/services/data/v\d+\.\d/sobjects/(\w+)/([0-9A-Za-z]{15}(?:[0-9A-Za-z]{3})?)/(\w+)"
)


class BlobPlace(Struct, frozen=True):
    """The field of a record that holds a file."""

    path: str
    """Where its content is, without the host."""
    sobject: str
    record_id: str

    @classmethod
    def read(cls, value: str) -> BlobPlace:
        """Read the value of such a field.

        Raises:
            UnexpectedAnswerError: It is something else.
        """
        path = path_of(value)
        found = _PLACE.fullmatch(path)
        if found is None:
            raise UnexpectedAnswerError(
                f"The org sent {shown(value)!r} as the place of a file, which is none"
            )
        return cls(path, found[1], found[2])


class BlobFacts(Struct, frozen=True):
    """What the org says of a content."""

    size: int | None = None
    """In bytes; None if it does not say."""
    md5: str | None = None
    """In hexadecimal; None if it does not say."""


def download_blob(session: Session, place: BlobPlace, facts: BlobFacts, to: Path) -> None:
    """Fetch a content into a file, and compare it with what the org says of it.

    Raises:
        DamagedAnswerError: It has another size or checksum, however often it was asked for.
        OrgError: The org refused.
    """

    def receive(headers: Mapping[str, str], pieces: Iterator[bytes]) -> None:
        digest, size = hashlib.md5(usedforsecurity=False), 0
        with to.open("wb") as file:
            for piece in pieces:
                digest.update(piece)
                size += file.write(piece)
        what = f"The file of {place.sobject} {place.record_id}"
        if facts.size not in {None, size}:
            raise DamagedAnswerError(what, f"it has {size:,} bytes instead of {facts.size:,}")
        if facts.md5 and facts.md5.lower() != digest.hexdigest():
            reason = f"its MD5 is {digest.hexdigest()} instead of {facts.md5}"
            raise DamagedAnswerError(what, reason)
        if facts == BlobFacts() and not is_delimited(headers):
            raise DamagedAnswerError(what, "nothing says how large it is")

    try:
        session.download(OrgRequest("GET", place.path, {"Accept": "*/*"}), receive)
    except TransientError:
        raise
    except OrgError as error:
        raise OrgError(
            f"The file of {place.sobject} {place.record_id} cannot be fetched: {error.message}",
            status=error.status,
            code=error.code,
            hint=error.hint,
        ) from error
