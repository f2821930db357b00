"""XML files of flat records: each child of a record is a column, each attribute of both too.

Reads as a stream. Entities and document types are rejected: they can make a small file huge and
read other files. Knows nothing of columns.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from xml.parsers import expat

from runner.errors import SourceError
from runner.job.endpoints import FileShape
from runner.suggest import in_words
from runner.tables.sources.chunks import text_blocks

XmlRecord = dict[str, object]
_MOST_SHOWN = 80


def xml_records(path: Path, shape: FileShape) -> Iterator[XmlRecord]:
    """Read the records of an XML file; namespaces are ignored.

    Raises:
        SourceError: The file is not XML, declares entities, or a record has more than one level;
            gives the line.
    """
    reader = _Reader(path, tuple((shape.record or "").strip("/").split("/")))
    try:
        for block in text_blocks(path, shape):
            reader.feed(block)
            yield from reader.finished()
        reader.feed(b"", is_last=True)
        yield from reader.finished()
        reader.check_found()
    except expat.ExpatError as error:
        raise SourceError(
            f"{path}: line {error.lineno:,}, column {error.offset + 1}: not XML:"
            f" {expat.ErrorString(error.code)}.",
            hint="The file may be incomplete; export it again.",
        ) from error
    except (LookupError, ValueError) as error:  # of the encoding that the file declares
        raise SourceError(f"{path}: not XML: {error}.", hint="Save it as UTF-8.") from error


class _Reader:
    """The handlers of an XML parser."""

    def __init__(self, path: Path, record: tuple[str, ...]) -> None:
        self._path = path
        self._record = record
        self._open: list[str] = []
        self._values: XmlRecord | None = None
        self._column: str | None = None
        self._text: list[str] = []
        self._done: list[XmlRecord] = []
        self._matched = 0
        """How many steps of the path to the records there are in the file, at most."""
        self._others: dict[str, None] = {}
        """Paths of elements in place of the next step."""
        self._parser = expat.ParserCreate()
        self._parser.buffer_text = True
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._text.append
        self._parser.StartDoctypeDeclHandler = self._refuse_doctype

    def feed(self, block: bytes, *, is_last: bool = False) -> None:
        self._parser.Parse(block, is_last)

    def finished(self) -> list[XmlRecord]:
        done, self._done = self._done, []
        return done

    def check_found(self) -> None:
        """Refuse a file that has no record though it has other elements where records should be.

        Raises:
            SourceError: Names them.
        """
        if self._others and self._matched < len(self._record):
            raise SourceError(
                f"{self._path}: there is no element /{'/'.join(self._record)}.",
                hint=f"Check `record`: the file has {in_words(tuple(self._others), 'and')}.",
            )

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        name = tag.rpartition(":")[2]
        if not self._open and name != self._record[0]:
            raise self._fault(
                f"the root element is {name}, not {self._record[0]}",
                "Begin `record` with the root element.",
            )
        if self._column is not None:
            raise self._fault(
                f"{self._column} contains elements, not a single value",
                "Records must be flat: each child of a record is one value.",
            )
        self._refuse_text()
        self._text.clear()
        self._open.append(name)
        if self._values is not None:
            self._column = name
            if name in self._values:
                raise self._fault(f"{name} appears twice in one record", "A column has one value.")
            # Those with a prefix say how to read a value: xsi:nil, xml:lang.
            own = {k: v for k, v in _named(attributes).items() if ":" not in k}
            self._values |= {f"{name}.{each}": value for each, value in own.items()}
            return
        self._match()
        if tuple(self._open) == self._record:
            self._values = {k.rpartition(":")[2]: v for k, v in _named(attributes).items()}

    def _match(self) -> None:
        """Note how far the path to the records leads, or what is there instead."""
        depth = len(self._open)
        if tuple(self._open) == self._record[:depth]:
            if depth > self._matched:
                self._matched = depth
                self._others.clear()
        elif depth == self._matched + 1 and tuple(self._open[:-1]) == self._record[: depth - 1]:
            self._others.setdefault("/" + "/".join(self._open))

    def _end(self, _tag: str) -> None:
        self._open.pop()
        if self._column is not None and self._values is not None:
            self._values[self._column] = "".join(self._text)
            self._column = None
        elif self._values is not None:
            self._refuse_text()
            self._done.append(self._values)
            self._values = None
        self._text.clear()

    def _refuse_text(self) -> None:
        """Refuse text that is in a record but in none of its values, where it would be lost."""
        text = " ".join("".join(self._text).split())
        if self._values is not None and text:
            raise self._fault(
                f"{text[:_MOST_SHOWN]!r} is in a record, but in none of its elements",
                "Each value has an element or an attribute of its own.",
            )

    def _refuse_doctype(self, *_declared: object) -> None:
        raise self._fault(
            "a document type is declared, which could define entities",
            "Remove the <!DOCTYPE …>: records do not need it.",
        )

    def _fault(self, what: str, hint: str) -> SourceError:
        line = self._parser.CurrentLineNumber
        return SourceError(f"{self._path}: line {line:,}: {what}.", hint=hint)


def _named(attributes: dict[str, str]) -> dict[str, str]:
    """Attributes without those that declare namespaces."""
    return {k: v for k, v in attributes.items() if k.partition(":")[0] != "xmlns"}
