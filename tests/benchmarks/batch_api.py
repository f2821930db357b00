"""Bulk API 1.0 at the benchmarks' org, as far as salesforce-bulk asks for it.

Knows its resources. Knows nothing of connections.
"""

from __future__ import annotations

from pathlib import Path

from tests.benchmarks import rows
from tests.benchmarks.answers import Answer
from tests.benchmarks.prepared_results import upload_of
from tests.benchmarks.rows import Prepared

_XML = "application/xml"
_SPACE = 'xmlns="http://www.force.com/2009/06/asyncapi/dataload"'
_RESULT_HEADER = rows.quoted(("Id", "Success", "Created", "Error")).encode()


def respond(  # noqa: PLR0911 - one line a resource
    folder: Path, path: str, body: bytes, queried: Prepared, told: Prepared | None, job: str
) -> Answer:
    """The answer to any request.

    Args:
        folder: Where batches are kept.
        path: Below the version.
        body: Of the request.
        queried: All rows as a query gives them.
        told: What is said of each row that is written.
        job: The Id of a job or batch, if one is made.
    """
    match path.strip("/").split("/"):
        case ["job"] | ["job", _]:
            return _xml("jobInfo", id=job, state="Open")
        case ["job", _, "batch"]:
            (folder / f"upload-{job}.csv").write_bytes(body)
            return _xml("batchInfo", id=job, state="Completed")
        case ["job", _, "batch", batch]:
            return _xml("batchInfo", id=batch, state="Completed")
        case ["job", _, "batch", batch, "result"]:
            file = folder / f"upload-{batch}.csv"
            if file.read_bytes()[:6].upper() == b"SELECT":
                return _xml("result-list", result="752000000000001")
            upload = upload_of(file)
            return _slice(_RESULT_HEADER, told, upload.first, upload.end)
        case ["job", _, "batch", batch, "result", _]:
            return _slice(rows.quoted(rows.QUERIED).encode(), queried, 0, len(queried.starts) - 1)
    return Answer(b"", 404)


def _slice(header: bytes, prepared: Prepared, first: int, end: int) -> Answer:
    offset, length = prepared.span(first, end)
    return Answer(header, 200, "text/csv", {}, prepared.file, offset, length)


def _xml(kind: str, **members: str) -> Answer:
    inner = "".join(f"<{name}>{value}</{name}>" for name, value in members.items())
    return Answer(f"<{kind} {_SPACE}>{inner}</{kind}>".encode(), kind=_XML)
