"""XML files of flat records: each child of a record is a column, each attribute too.

Reads as the file flows. Entities and document types are refused: they can make a small file huge,
and read files that are none of the job's. Knows nothing of columns.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from xml.parsers import expat

from runner.errors import SourceError
from runner.job.endpoints import FileShape
from runner.tables.compression import BLOCK_BYTES, opened
from runner.tables.sources.chunks import unreadable

XmlRecord = dict[str, object]


def xml_records(path: Path, shape: FileShape) -> Iterator[XmlRecord]:
    """Give the records of an XML file; namespaces make no difference.

    Raises:
        SourceError: The file is no XML, declares entities, or a record holds more than one level;
            names the line.
    """
    reader = _Reader(path, tuple((shape.record or "").strip("/").split("/")))
    try:
        with opened(path, shape.compression) as stream:
            while block := stream.read(BLOCK_BYTES):
                reader.feed(block)
                yield from reader.taken()
        reader.feed(b"", is_last=True)
        yield from reader.taken()
    except OSError as error:
        raise unreadable(path, error) from error
    except expat.ExpatError as error:
        raise SourceError(
            f"{path}: line {error.lineno:,}, column {error.offset + 1}: not XML:"
            f" {expat.ErrorString(error.code)}.",
            hint="The file may not be written whole; have it written again.",
        ) from error


class _Reader:
    """What an XML parser calls."""

    def __init__(self, path: Path, record: tuple[str, ...]) -> None:
        self._path = path
        self._record = record
        self._open: list[str] = []
        self._values: XmlRecord | None = None
        self._column: str | None = None
        self._text: list[str] = []
        self._done: list[XmlRecord] = []
        self._parser = expat.ParserCreate()
        self._parser.buffer_text = True
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._text.append
        self._parser.StartDoctypeDeclHandler = self._refuse_doctype

    def feed(self, block: bytes, *, is_last: bool = False) -> None:
        self._parser.Parse(block, is_last)

    def taken(self) -> list[XmlRecord]:
        done, self._done = self._done, []
        return done

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        name = tag.rpartition(":")[2]
        if not self._open and name != self._record[0]:
            raise self._fault(
                f"the root element is {name}, not {self._record[0]}", "Write `record` as it is."
            )
        if self._column is not None:
            raise self._fault(
                f"{self._column} holds elements of its own, and one value is wanted",
                "Records must be flat: each child of a record is one value.",
            )
        self._text.clear()
        self._open.append(name)
        if self._values is not None:
            self._column = name
            if name in self._values:
                raise self._fault(f"{name} stands twice in one record", "A column has one value.")
        elif tuple(self._open) == self._record:
            self._values = {k.rpartition(":")[2]: v for k, v in attributes.items()}

    def _end(self, _tag: str) -> None:
        self._open.pop()
        if self._column is not None and self._values is not None:
            self._values[self._column] = "".join(self._text)
            self._column = None
        elif self._values is not None:
            self._done.append(self._values)
            self._values = None
        self._text.clear()

    def _refuse_doctype(self, *_declared: object) -> None:
        raise self._fault(
            "a document type is declared, which could hold entities",
            "Take the <!DOCTYPE …> out: records need none.",
        )

    def _fault(self, what: str, hint: str) -> SourceError:
        line = self._parser.CurrentLineNumber
        return SourceError(f"{self._path}: line {line:,}: {what}.", hint=hint)
