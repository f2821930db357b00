"""YAML text to plain values, each with its place in the text. The only importer of yaml.

Knows files, encodings and the YAML parser, whose events it hands on as nodes of its own. What a job
does not take of YAML is refused in `composer`; what the values mean, nothing here knows.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import yaml

from runner.diagnostics import Diagnostic, Position
from runner.job.model import Origin
from runner.job.yaml import messages
from runner.job.yaml.messages import Complaint
from runner.job.yaml.scalars import Plain
from runner.job.yaml.tree import Composer, Mark, Node, NodeKind

MAX_BYTES = 1_000_000

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_LINE_BREAK = re.compile("\r\n|[\n\r\x85\u2028\u2029]")
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\x80-\x84\x86-\x9f\ufeff\ufffe\uffff]")
_KINDS: dict[type[yaml.Event], NodeKind] = {
    yaml.DocumentStartEvent: NodeKind.DOCUMENT,
    yaml.MappingStartEvent: NodeKind.MAPPING,
    yaml.SequenceStartEvent: NodeKind.LIST,
    yaml.MappingEndEvent: NodeKind.END,
    yaml.SequenceEndEvent: NodeKind.END,
    yaml.ScalarEvent: NodeKind.SCALAR,
    yaml.AliasEvent: NodeKind.ALIAS,
}


class _HasPlace(Protocol):
    """A mark of either of PyYAML's parsers."""

    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Document:
    """What a file holds."""

    values: dict[str, Plain]
    """Empty where the file could not be read at all."""
    origin: Origin
    problems: tuple[Diagnostic, ...] = ()
    """Where one has a path, the values at that path are not to be trusted."""

    @property
    def is_broken(self) -> bool:
        """Whether there is nothing to look at."""
        return not self.values and bool(self.problems)


def read_document(file: Path) -> Document:
    """Read a file; never raises for what is in it, or for its absence."""
    try:
        with file.open("rb") as stream:
            content = stream.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        return _refused(Origin(file), messages.unreadable(error))
    return parse_document(content, file)


def parse_document(content: bytes, file: Path) -> Document:
    """Read the bytes of `file`: UTF-8, with or without a byte order mark."""
    if len(content) > MAX_BYTES:
        return _refused(Origin(file), messages.too_large(MAX_BYTES))
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        return _undecodable(content, error.start, file)
    origin = _origin(file, text)
    if control := _CONTROL.search(text):
        at = _end_of(text[: control.start()])
        return _refused(origin, messages.control_character(control[0]), at)
    return _compose(text, origin)


def _origin(file: Path, text: str) -> Origin:
    return Origin(file, tuple(_LINE_BREAK.split(text)))


def _compose(text: str, origin: Origin) -> Document:
    composer = Composer(origin)
    try:
        values = composer.compose(_nodes(text))
    except yaml.MarkedYAMLError as error:
        values = {}
        composer.complain(*_explained(error, origin))
    except yaml.YAMLError as error:
        values = {}
        composer.complain(messages.explain(str(error), ""), None)
    return Document(values, composer.origin, tuple(composer.problems))


def _nodes(text: str) -> Iterator[Node]:
    for event in yaml.parse(text, Loader=_LOADER):
        kind = _KINDS.get(type(event))
        if kind is not None:
            yield _node(kind, event)


def _node(kind: NodeKind, event: yaml.Event) -> Node:
    start, end = _mark(event.start_mark), _mark(event.end_mark)
    tag, anchor = getattr(event, "tag", None), getattr(event, "anchor", None)
    if not isinstance(event, yaml.ScalarEvent):
        return Node(kind, start, end, tag=tag, anchor=anchor)
    plain = event.implicit[0] and tag is None
    return Node(kind, start, end, event.value, is_plain=plain, tag=tag, anchor=anchor)


def _mark(mark: _HasPlace | None) -> Mark:
    return (mark.line, mark.column) if mark else (0, 0)


def _explained(error: yaml.MarkedYAMLError, origin: Origin) -> tuple[Complaint, Position | None]:
    mark = error.problem_mark or error.context_mark
    line = origin.lines[mark.line] if mark and mark.line < len(origin.lines) else ""
    words = messages.explain(error.problem or "", line, mark.column if mark else 0)
    if words.at_start and error.context_mark:
        mark = error.context_mark
    at = Position(mark.line + 1, mark.column + 1, mark.column + 2) if mark else None
    return words, at


def _undecodable(content: bytes, offset: int, file: Path) -> Document:
    at = _end_of(content[:offset].decode("utf-8", "replace"))
    origin = _origin(file, content.decode("utf-8", "replace"))
    return _refused(origin, messages.not_utf8(content, offset), at)


def _end_of(before: str) -> Position:
    """The place right after `before`."""
    lines = _LINE_BREAK.split(before)
    column = len(lines[-1]) + 1
    return Position(len(lines), column, column + 1)


def _refused(origin: Origin, words: Complaint, at: Position | None = None) -> Document:
    composer = Composer(origin)
    composer.complain(words, at)
    return Document({}, origin, tuple(composer.problems))
