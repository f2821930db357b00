"""The org of the benchmarks: a loopback server that answers at once with prepared bytes.

    python -m tests.benchmarks.server FOLDER ROWS REST_ROWS DELAY_MS GZIP [SHAPE=ROWS...]

Prints its port and serves until its standard input ends. Large bodies go from the page cache to
the socket without passing through Python. Uploads are kept as files in FOLDER, so that what was
sent can be looked at once the clock has stopped. Knows just as much of the APIs as the benchmarks
ask for; the local org of the product is another thing.
"""

from __future__ import annotations

import json
import os
import re
import socket
import sys
import threading
import time
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import BinaryIO
from urllib.parse import parse_qs, urlsplit

from tests.benchmarks import batch_api, org_answers, rows
from tests.benchmarks.answers import Answer, zipped
from tests.benchmarks.prepared_results import Upload, batch_results, row_results, upload_of
from tests.benchmarks.shapes import PLAIN, SHAPES

QUERY_PAGE_ROWS = 250_000
"""Rows in a page of a Bulk query's result."""
_BLOCK = 1 << 20


@dataclass(frozen=True, slots=True)
class Settings:
    """What the org holds and how it behaves."""

    folder: Path
    rows: int
    rest_rows: int
    delay_seconds: float
    gzip: bool
    shapes: dict[str, int]
    """How many rows of each shape are written."""


class Org:
    """What is prepared, and the jobs so far."""

    def __init__(self, settings: Settings) -> None:
        folder, count_of_rows = settings.folder, settings.rows
        self.settings = settings
        self.result = rows.bulk_result(folder, count_of_rows)
        self.held = rows.held_result(folder, settings.shapes.get(PLAIN.name, 0))
        self.comparing: set[str] = set()
        """The query jobs of writes that compare."""
        self.pages = rows.pages(folder, settings.rest_rows)
        self.results = {
            shape.columns: row_results(folder, shape, settings.shapes[shape.name])
            for shape in SHAPES
            if shape.name in settings.shapes
        }
        written = settings.shapes.get(PLAIN.name)
        self.batch_results = batch_results(folder, written) if written else None
        self.uploads: dict[str, Upload] = {}
        self._numbers = count(1)

    def new_job(self) -> str:
        """A job id that no other job has."""
        return f"7505g{next(self._numbers):010}AAA"


class Connection(threading.Thread):
    """One client's connection, request after request."""

    def __init__(self, org: Org, link: socket.socket) -> None:
        super().__init__(daemon=True)
        self._org = org
        self._link = link
        self._stream: BinaryIO = link.makefile("rb", buffering=_BLOCK)

    def run(self) -> None:
        """Answer until the client has gone."""
        self._link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            while line := self._stream.readline():
                method, target, _ = line.decode("latin-1").split(" ", 2)
                self._answer(method, target, self._headers())
        except (ConnectionError, ValueError):
            pass
        finally:
            self._link.close()

    def _headers(self) -> dict[str, str]:
        found = {}
        while (line := self._stream.readline().strip()) != b"":
            name, _, value = line.decode("latin-1").partition(":")
            found[name.lower()] = value.strip()
        return found

    def _answer(self, method: str, target: str, headers: dict[str, str]) -> None:
        if headers.get("expect") == "100-continue":
            self._link.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        url = urlsplit(re.sub("/+", "/", target))
        path = re.sub(r"^/services/data/v[0-9.]+", "", url.path)
        if method == "PUT":
            answer = self._take_upload(path.split("/")[3], headers)
        else:
            body = b"".join(self._body(headers))
            answer = respond(self._org, method, path, parse_qs(url.query), body)
        if answer.file and self._org.settings.gzip and "gzip" in headers.get("accept-encoding", ""):
            answer = zipped(answer, self._org.settings.folder)
        self._send(answer)

    def _body(self, headers: dict[str, str]) -> list[bytes]:
        if headers.get("transfer-encoding", "").lower() == "chunked":
            return list(self._chunks())
        return [self._stream.read(int(headers.get("content-length") or 0))]

    def _chunks(self):
        while size := int(self._stream.readline().split(b";")[0], 16):
            yield self._stream.read(size)
            self._stream.readline()
        self._stream.readline()

    def _take_upload(self, job: str, headers: dict[str, str]) -> Answer:
        file = self._org.settings.folder / f"upload-{job}.csv"
        with file.open("wb") as out:
            if "content-length" in headers:
                left = int(headers["content-length"])
                while left:
                    block = self._stream.read1(min(left, _BLOCK))
                    if not block:
                        raise ConnectionError
                    left -= out.write(block)
            else:
                out.writelines(self._chunks())
        self._org.uploads[job] = upload_of(file)
        return Answer(b"", 201)

    def _send(self, answer: Answer) -> None:
        length = len(answer.body) + answer.length
        lines = [
            f"HTTP/1.1 {answer.status} OK",
            f"Content-Type: {answer.kind}",
            f"Content-Length: {length}",
            *(f"{name}: {value}" for name, value in answer.headers.items()),
        ]
        head = ("\r\n".join(lines) + "\r\n\r\n").encode()
        self._link.sendall(head + answer.body)
        if answer.file is not None:
            with answer.file.open("rb") as file:
                place, end = answer.offset, answer.offset + answer.length
                while place < end:
                    place += os.sendfile(self._link.fileno(), file.fileno(), place, end - place)


def respond(org: Org, method: str, path: str, asked: dict[str, list[str]], body: bytes) -> Answer:
    """The answer to anything but an upload."""
    match [each for each in path.split("/") if each]:
        case ["services", "async", _, *below]:
            told, job = org.batch_results, org.new_job()
            folder = org.settings.folder
            return batch_api.respond(folder, "/".join(below), body, org.result, told, job)
        case ["jobs", "query", *_] | ["jobs", "ingest", *_]:
            return _job(org, method, path, asked, body)
        case ["query" | "queryAll"]:
            return _first_page(org, asked["q"][0], columns="columns" in asked)
        case ["query" | "queryAll", locator]:
            return _page(org, int(locator.partition("-")[2]) // rows.PAGE_ROWS)
        case ["composite", "sobjects", *_]:
            return _collection(org, body)
        case _:
            found = org_answers.answer(path)
            status = 404 if found is None else 200
            return Answer(json.dumps([] if found is None else found).encode(), status)


def _first_page(org: Org, soql: str, *, columns: bool) -> Answer:
    if soql.startswith("SELECT COUNT()"):
        told = {"totalSize": org.settings.rows, "done": True, "records": []}
        return Answer(json.dumps(told).encode())
    if keys := rows.KEY.findall(soql):
        found = [dict(zip(rows.HELD, rows.held(int(key)), strict=True)) for key in keys]
        told = {"totalSize": len(found), "done": True, "records": found}
        return Answer(json.dumps(told).encode())
    if soql.split() != rows.SOQL.split():
        return Answer(json.dumps({"totalSize": 0, "done": True, "records": []}).encode())
    if columns:
        return Answer(json.dumps({"columnMetadata": org_answers.column_metadata()}).encode())
    return _page(org, 0)


def _page(org: Org, number: int) -> Answer:
    offset, length = org.pages.span(number, number + 1)
    kind = "application/json;charset=UTF-8"
    return Answer(kind=kind, file=org.pages.file, offset=offset, length=length)


def _collection(org: Org, body: bytes) -> Answer:
    if org.settings.delay_seconds:
        time.sleep(org.settings.delay_seconds)
    sent = json.loads(body)["records"]
    with (org.settings.folder / f"sent-{threading.get_ident()}-{time.monotonic_ns()}").open(
        "wb"
    ) as out:
        out.write(body)
    numbers = [rows.number_of(record["ERP_Id__c"]) for record in sent]
    return Answer(json.dumps([org_answers.outcome(number) for number in numbers]).encode())


def _job(  # noqa: PLR0911 - one line a resource
    org: Org, method: str, path: str, asked: dict[str, list[str]], body: bytes
) -> Answer:
    match path.strip("/").split("/")[1:]:
        case [kind] if method == "POST":
            job = org.new_job()
            if kind == "query" and rows.HELD[2] in json.loads(body)["query"]:
                org.comparing.add(job)
            return _told(org, kind, job, "Open" if kind == "ingest" else "UploadComplete")
        case [kind, job] if method == "PATCH":
            return _told(org, kind, job, json.loads(body)["state"])
        case [kind, job]:
            return _told(org, kind, job, "JobComplete")
        case ["query", job, "resultPages" | "resultpages"]:
            return _result_pages(org, job, int(asked.get("locator", ["0"])[0]))
        case ["query", job, "results"]:
            first = int(asked.get("locator", ["0"])[0])
            most = int(asked.get("maxRecords", [QUERY_PAGE_ROWS])[0])
            return _result(org, job, first, min(first + most, org.settings.rows))
        case ["ingest", job, kind]:
            return _row_results(org, org.uploads[job], kind)
    return Answer(b"[]", 404)


def _told(org: Org, kind: str, job: str, state: str) -> Answer:
    path = f"services/data/v60.0/jobs/ingest/{job}/batches"
    uploaded = Upload(PLAIN, 0, org.settings.rows if kind == "query" else 0)
    uploaded = org.uploads.get(job, uploaded)
    told = {
        "id": job,
        "operation": "query" if kind == "query" else "upsert",
        "object": "Account",
        "state": state,
        "concurrencyMode": "Parallel",
        "contentType": "CSV",
        "apiVersion": 60.0,
        "contentUrl": path,
        "lineEnding": "LF",
        "columnDelimiter": "COMMA",
        "createdDate": "2026-01-01T00:00:00.000+0000",
        "systemModstamp": "2026-01-01T00:00:00.000+0000",
    }
    if state == "JobComplete":
        told["numberRecordsProcessed"] = uploaded.end - uploaded.first
        told["numberRecordsFailed"] = uploaded.failed
    return Answer(json.dumps(told).encode())


def _result(org: Org, job: str, first: int, end: int) -> Answer:
    compares = job in org.comparing
    result, columns = (org.held, rows.HELD) if compares else (org.result, rows.QUERIED)
    offset, length = result.span(first, end)
    left = end < org.settings.rows
    headers = {
        "Sforce-NumberOfRecords": str(end - first),
        "Sforce-Locator": str(end) if left else "null",
    }
    header = rows.quoted(columns).encode()
    return Answer(header, 200, "text/csv", headers, result.file, offset, length)


def _result_pages(org: Org, job: str, first: int) -> Answer:
    base = f"/services/data/v60.0/jobs/query/{job}"
    starts = list(range(first, max(org.settings.rows, 1), QUERY_PAGE_ROWS))
    told: dict[str, object] = {
        "resultPages": [{"resultUrl": f"{base}/results?locator={each}"} for each in starts[:5]],
        "done": len(starts) <= 5,
    }
    if not told["done"]:
        told["nextRecordsUrl"] = f"{base}/resultpages?locator={starts[5]}"
    return Answer(json.dumps(told).encode())


def _row_results(org: Org, uploaded: Upload, kind: str) -> Answer:
    columns = uploaded.shape.columns
    written = rows.quoted(columns)
    if kind.lower() == "unprocessedrecords":
        return Answer(written.encode(), kind="text/csv")
    took = kind == "successfulResults"
    results = org.results[columns]
    prepared = results.succeeded if took else results.failed
    header = ('"sf__Id","sf__Created",' if took else '"sf__Id","sf__Error",') + written
    offset, length = prepared.span(uploaded.first, uploaded.end)
    return Answer(header.encode(), 200, "text/csv", {}, prepared.file, offset, length)


def main() -> None:
    """Prepare, tell the port, serve."""
    folder, rows_count, rest_rows, delay_ms, zips, *shapes = sys.argv[1:]
    settings = Settings(
        Path(folder),
        int(rows_count),
        int(rest_rows),
        float(delay_ms) / 1000,
        zips == "gzip",
        {name: int(count) for name, count in (each.split("=") for each in shapes)},
    )
    org = Org(settings)
    listener = socket.create_server(("127.0.0.1", 0), backlog=64)
    threading.Thread(target=_accept, args=(org, listener), daemon=True).start()
    sys.stdout.write(f"{listener.getsockname()[1]}\n")
    sys.stdout.flush()
    sys.stdin.read()


def _accept(org: Org, listener: socket.socket) -> None:
    while True:
        link, _ = listener.accept()
        Connection(org, link).start()


if __name__ == "__main__":
    main()
