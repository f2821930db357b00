"""Builds values and positions from the events of a YAML parser.

Reads one mapping of scalars, lists and mappings by the core schema of YAML 1.2, with one change: a
number with leading zeros (`0123`) stays text, so that a customer number keeps its digits; so do
`.inf` and `.nan`. Aliases, anchors, merge keys, tags, duplicate keys and second documents are
rejected, each with its own message, and reading continues. Works without recursion, so that no
depth can break it. Knows PyYAML's events by their names, without importing it. Knows nothing
of what the values mean.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from enum import Enum, auto
from typing import Any

from msgspec import Struct, field

from runner.diagnostics import Diagnostic, Location, Position
from runner.job.origin import AT_KEY, Origin
from runner.job.yaml import messages
from runner.job.yaml.messages import SyntaxProblem

Scalar = str | int | float | bool | None
Plain = Scalar | list["Plain"] | dict[str, "Plain"]
"""What a text contains once read: scalars, lists and mappings."""

_LONGEST_NUMBER = 300
"""Characters; nobody writes a longer number by hand."""
_WORDS: dict[str, bool | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9]*)")
_BASED = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|(?:0|[1-9][0-9]*)(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")

MAX_DEPTH = 60
MAX_PROBLEMS = 200
"""Problems after which reading stops."""

Mark = tuple[int, int]
"""Line and column, both from 0."""

_BREAK = re.compile("[\n\r\x85\u2028\u2029]")
_SURROGATE = re.compile("[\ud800-\udfff]")


class NodeKind(Enum):
    """What a parser finds."""

    DOCUMENT = auto()
    MAPPING = auto()
    LIST = auto()
    END = auto()
    """Of a mapping or a list."""
    SCALAR = auto()
    ALIAS = auto()


class Node(Struct, frozen=True):
    """One thing a parser found."""

    kind: NodeKind
    start: Mark
    end: Mark
    text: str = ""
    is_plain: bool = False
    """A scalar without quotes: its text decides its type."""
    tag: str | None = None
    anchor: str | None = None

    @property
    def rejection(self) -> SyntaxProblem | None:
        """Why a job does not allow the node, though YAML does."""
        if self.kind is NodeKind.ALIAS:
            return messages.alias(self.anchor or "")
        if self.anchor is not None:
            return messages.anchor(self.anchor)
        return messages.tag(self.tag) if self.tag is not None else None


_KINDS = {
    "DocumentStartEvent": NodeKind.DOCUMENT,
    "MappingStartEvent": NodeKind.MAPPING,
    "SequenceStartEvent": NodeKind.LIST,
    "MappingEndEvent": NodeKind.END,
    "SequenceEndEvent": NodeKind.END,
    "ScalarEvent": NodeKind.SCALAR,
    "AliasEvent": NodeKind.ALIAS,
}


def _node(event: Any) -> Node | None:  # noqa: ANN401 - PyYAML's, which only `document` imports
    """The node of an event; None if it says nothing about the values."""
    kind = _KINDS.get(type(event).__name__)
    if kind is None:
        return None
    start, end = _mark(event.start_mark), _mark(event.end_mark)
    tag, anchor = getattr(event, "tag", None), getattr(event, "anchor", None)
    if kind is not NodeKind.SCALAR:
        return Node(kind, start, end, tag=tag, anchor=anchor)
    is_plain = event.implicit[0] and tag is None
    return Node(kind, start, end, event.value, is_plain=is_plain, tag=tag, anchor=anchor)


def _mark(mark: Any) -> Mark:  # noqa: ANN401 - of either parser of PyYAML
    return (mark.line, mark.column) if mark else (0, 0)


class _Frame(Struct):
    """A list or a mapping that is being read."""

    path: Location
    values: list[Plain] | dict[str, Plain]
    live: bool
    """False inside something rejected: its nodes are read and dropped."""
    awaits_key: bool = False
    key: str | None = None
    """Key of the next value; None if the key was rejected."""
    lines: dict[str, int] = field(default_factory=dict)
    """Keys so far, and their lines."""


class Composer:
    """Builds the values of one document.

    Attributes:
        origin: The file, with every value's position as it becomes known.
        problems: What was rejected so far.
    """

    def __init__(self, origin: Origin) -> None:
        self._positions: dict[Location, Position] = {}
        self.origin = Origin(origin.file, origin.lines, self._positions)
        self.problems: list[Diagnostic] = []
        self._stack: list[_Frame] = []
        self._root: Plain = None

    def compose(self, events: Iterable[Any]) -> dict[str, Plain]:
        """Read all events; empty if the document is not a mapping."""
        if not self._read(events):
            return {}
        if isinstance(self._root, dict) and (self._root or self.problems):
            return self._root
        if not self.problems:
            self._reject_root()
        return {}

    def report(self, found: SyntaxProblem, at: Position | None, path: Location = ()) -> None:
        """Add a problem."""
        lines = self.origin.lines
        line = lines[at.line - 1] if at and at.line <= len(lines) else None
        self.problems.append(
            Diagnostic(found.code, found.message, self.origin.file, at, line, found.help, path=path)
        )

    def _read(self, events: Iterable[Any]) -> bool:
        documents = 0
        for node in filter(None, map(_node, events)):
            if node.kind is NodeKind.DOCUMENT:
                documents += 1
                if documents > 1:
                    self.report(messages.TWO_DOCUMENTS, self._place(node))
                    return False
            elif node.kind is NodeKind.END:
                self._close(node)
            elif len(self.problems) >= MAX_PROBLEMS:
                return False
            elif len(self._stack) >= MAX_DEPTH:
                self.report(messages.too_deep(MAX_DEPTH), self._place(node))
                return False
            else:
                self._add(node)
        return True

    def _reject_root(self) -> None:
        if self._root is None or self._root == {}:
            self.report(messages.EMPTY, None)
            return
        kind = "a list" if isinstance(self._root, list) else "a single value"
        self.report(messages.not_a_mapping(kind), self._positions.get(()))

    def _add(self, node: Node) -> None:
        frame = self._stack[-1] if self._stack else None
        if frame and frame.awaits_key:
            self._add_key(frame, node)
        else:
            self._add_value(frame, node)

    def _add_key(self, frame: _Frame, node: Node) -> None:
        frame.key = None
        if node.kind in {NodeKind.MAPPING, NodeKind.LIST}:
            if frame.live:
                self.report(messages.COMPLEX_KEY, self._place(node), frame.path)
            self._open(node, frame.path, live=False)
            return
        frame.awaits_key = False
        if frame.live and self._accepts_key(frame, node):
            frame.key = node.text
            frame.lines[node.text] = node.start[0] + 1
            self._positions[(*frame.path, node.text, AT_KEY)] = self._place(node)

    def _accepts_key(self, frame: _Frame, node: Node) -> bool:
        path = (*frame.path, node.text)
        problem = node.rejection
        if problem is None and node.is_plain and node.text == "<<":
            # What it would merge in is unknown, so nothing around it can be checked.
            problem, path = messages.MERGE_KEY, frame.path
        if problem is None and _BREAK.search(node.text):
            problem, path = messages.KEY_WITH_BREAK, frame.path
        if problem is None and node.text in frame.lines:
            problem = messages.duplicate_key(node.text, frame.lines[node.text])
        if problem is not None:
            self.report(problem, self._place(node), path)
        return problem is None

    def _add_value(self, frame: _Frame | None, node: Node) -> None:
        path, live = _next(frame)
        if live:
            self._positions[path] = self._place(node)
            if problem := node.rejection:
                self.report(problem, self._place(node), path)
        if node.kind in {NodeKind.MAPPING, NodeKind.LIST}:
            self._open(node, path, live=live)
            return
        if live:
            self._put(frame, _value(node))
        _ended(frame)

    def _open(self, node: Node, path: Location, *, live: bool) -> None:
        is_mapping = node.kind is NodeKind.MAPPING
        values: list[Plain] | dict[str, Plain] = {} if is_mapping else []
        if live:
            self._put(self._stack[-1] if self._stack else None, values)
        self._stack.append(_Frame(path, values, live, awaits_key=is_mapping))

    def _close(self, node: Node) -> None:
        frame = self._stack.pop()
        at = self._positions.get(frame.path)
        line, column = node.end
        if frame.live and at and line + 1 == at.line:
            self._positions[frame.path] = Position(at.line, at.column, column + 1)
        _ended(self._stack[-1] if self._stack else None)

    def _put(self, frame: _Frame | None, value: Plain) -> None:
        if frame is None:
            self._root = value
        elif isinstance(frame.values, list):
            frame.values.append(value)
        elif frame.key is not None:
            frame.values[frame.key] = value

    def _place(self, node: Node) -> Position:
        """Position of a node: to its end, or to the end of its first line."""
        line, column = node.start
        lines = self.origin.lines
        first = lines[line] if line < len(lines) else ""
        ends_here = node.end[0] == line and node.kind in {NodeKind.SCALAR, NodeKind.ALIAS}
        last = node.end[1] if ends_here else len(first.rstrip())
        return Position(line + 1, column + 1, max(last, column + 1) + 1)


def _next(frame: _Frame | None) -> tuple[Location, bool]:
    """Path of the next value, and whether it is part of the result."""
    if frame is None:
        return (), True
    if isinstance(frame.values, list):
        return (*frame.path, len(frame.values)), frame.live
    if frame.key is None:
        return frame.path, False
    return (*frame.path, frame.key), frame.live


def _ended(frame: _Frame | None) -> None:
    """A key or value of `frame` is complete: after a value comes a key."""
    if frame is not None and isinstance(frame.values, dict):
        frame.awaits_key = not frame.awaits_key


def _value(node: Node) -> Plain:
    if node.kind is NodeKind.ALIAS:
        return None
    return resolve(node.text) if node.is_plain else _SURROGATE.sub("\ufffd", node.text)


def resolve(text: str) -> Scalar:
    """The value of a plain (unquoted) scalar."""
    if text in _WORDS:
        return _WORDS[text]
    if len(text) > _LONGEST_NUMBER:
        return text
    if _INTEGER.fullmatch(text):
        return int(text)
    if _BASED.fullmatch(text):
        return int(text, 0)
    if _FLOAT.fullmatch(text):
        number = float(text)
        return number if math.isfinite(number) else text
    return text
