"""Reads an XML file of metadata into elements, each with its position.

Document types are refused: their entities can make a small file huge and read other files. Knows
nothing of what the elements mean.
"""

from __future__ import annotations

import re
from pathlib import Path
from xml.parsers import expat

from msgspec import Struct, field

from runner.diagnostics import Diagnostic, Position
from runner.errors import JobError

_MOST_BYTES = 50_000_000
_MOST_DEPTH = 50
_NAMESPACE_TOKEN = re.compile("%%%NAMESPACE[A-Z_]*%%%")
"""What CumulusCI replaces with the namespace, which an unmanaged package does not have."""


class Element(Struct):
    """One element, without attributes; namespaces are ignored."""

    name: str
    line: int
    column: int
    text: str = ""
    children: list[Element] = field(default_factory=list)

    def child(self, name: str) -> Element | None:
        """The first child of a name."""
        return next((each for each in self.children if each.name == name), None)

    def all(self, name: str) -> list[Element]:
        """The children of a name."""
        return [each for each in self.children if each.name == name]

    def value(self, *path: str) -> str:
        """The text of a child, or of a child's child; empty if there is none."""
        found: Element | None = self
        for name in path:
            found = found.child(name) if found else None
        return found.text if found else ""


def read_elements(file: Path) -> Element:
    """The root element of a file.

    Raises:
        JobError: It cannot be read, is no XML, or declares a document type.
    """
    try:
        with file.open("rb") as stream:
            content = stream.read(_MOST_BYTES + 1)
    except OSError as error:
        words = f"the file cannot be read: {error.strerror or error}"
        raise JobError((Diagnostic("metadata/unreadable", words, file),)) from error
    if len(content) > _MOST_BYTES:
        words = f"the file is larger than {_MOST_BYTES:,} bytes"
        raise JobError((Diagnostic("metadata/unreadable", words, file),))
    return _Reader(file).read(content)


def diagnose(
    file: Path, element: Element | None, code: str, message: str, hint: str | None = None
) -> Diagnostic:
    """A problem at an element, or of the whole file."""
    if element is None:
        return Diagnostic(code, message, file, help=hint)
    end = element.column + len(element.name) + 2
    return _at(file, Position(element.line, element.column, end), code, message, hint)


def _at(file: Path, at: Position, code: str, message: str, hint: str | None) -> Diagnostic:
    try:
        lines = file.read_text(encoding="utf-8-sig", errors="replace").splitlines()
    except OSError:
        lines = []
    line = lines[at.line - 1] if at.line <= len(lines) else None
    return Diagnostic(code, message, file, at, line, hint)


class _Reader:
    """The handlers of an XML parser."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._open: list[Element] = []
        self._root: Element | None = None
        self._texts: list[list[str]] = []
        self._parser = expat.ParserCreate()
        self._parser.buffer_text = True
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._text
        self._parser.StartDoctypeDeclHandler = self._refuse_doctype

    def read(self, content: bytes) -> Element:
        try:
            self._parser.Parse(content, True)  # noqa: FBT003 - takes no keyword
        except expat.ExpatError as error:
            what = f"not XML: {expat.ErrorString(error.code)}"
            at = Position(error.lineno, error.offset + 1, error.offset + 2)
            raise JobError((_at(self._file, at, "metadata/not-xml", what, None),)) from error
        except (LookupError, ValueError) as error:  # of the encoding that the file declares
            what, hint = f"not XML: {error}", "Save it as UTF-8."
            found = _at(self._file, Position(1, 1, 2), "metadata/not-xml", what, hint)
            raise JobError((found,)) from error
        if self._root is None:  # expat has refused a file without one
            raise AssertionError(self._file)
        return self._root

    def _start(self, tag: str, _attributes: dict[str, str]) -> None:
        at = self._here()
        element = Element(tag.rpartition(":")[2], at.line, at.column)
        if len(self._open) == _MOST_DEPTH:
            what = f"more than {_MOST_DEPTH} elements inside each other"
            raise JobError((_at(self._file, at, "metadata/not-xml", what, None),))
        if self._open:
            self._open[-1].children.append(element)
        else:
            self._root = element
        self._open.append(element)
        self._texts.append([])

    def _end(self, _tag: str) -> None:
        text = "".join(self._texts.pop()).strip()
        self._open.pop().text = _NAMESPACE_TOKEN.sub("", text)

    def _text(self, text: str) -> None:
        self._texts[-1].append(text)

    def _refuse_doctype(self, *_declared: object) -> None:
        what = "a document type is declared, which could define entities"
        hint = "Remove the <!DOCTYPE …>: metadata does not need it."
        found = _at(self._file, self._here(), "metadata/document-type", what, hint)
        raise JobError((found,))

    def _here(self) -> Position:
        column = self._parser.CurrentColumnNumber + 1
        return Position(self._parser.CurrentLineNumber, column, column + 1)
