"""Nodes of a YAML text to values and positions, refusing what a job does not take of YAML.

Reads one mapping of scalars, lists and mappings. Aliases, anchors, merge keys, tags, duplicate keys
and second documents are refused, each in its own words, and reading goes on. Works without
recursion, so that no depth can break it. Knows nothing of the parser or of what the values mean.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum, auto

from runner.diagnostics import Diagnostic, Location, Position
from runner.job.model import Origin
from runner.job.yaml import messages
from runner.job.yaml.messages import Complaint
from runner.job.yaml.scalars import Plain, resolve

MAX_DEPTH = 60
MAX_PROBLEMS = 200
"""Refusals after which reading ends: the author has seen enough."""

Mark = tuple[int, int]
"""Line and column, both from 0."""

_BREAK = re.compile("[\n\r\x85\u2028\u2029]")
_SURROGATE = re.compile("[\ud800-\udfff]")


class NodeKind(Enum):
    """What a parser meets."""

    DOCUMENT = auto()
    MAPPING = auto()
    LIST = auto()
    END = auto()
    """Of a mapping or a list."""
    SCALAR = auto()
    ALIAS = auto()


@dataclass(frozen=True, slots=True)
class Node:
    """One thing a parser met."""

    kind: NodeKind
    start: Mark
    end: Mark
    text: str = ""
    is_plain: bool = False
    """A scalar without quotes, whose text decides its type."""
    tag: str | None = None
    anchor: str | None = None

    @property
    def refusal(self) -> Complaint | None:
        """What YAML would have and a job has not."""
        if self.kind is NodeKind.ALIAS:
            return messages.alias(self.anchor or "")
        if self.anchor is not None:
            return messages.anchor(self.anchor)
        return messages.tag(self.tag) if self.tag is not None else None


@dataclass(slots=True)
class _Frame:
    """A list or a mapping that is being read."""

    path: Location
    values: list[Plain] | dict[str, Plain]
    live: bool
    """False inside what has been refused: read on, keep nothing."""
    awaits_key: bool = False
    key: str | None = None
    """Key of the value to come; None where the key was refused."""
    lines: dict[str, int] = field(default_factory=dict)
    """Keys so far, and where they stand."""


class Composer:
    """Builds the values of one document.

    Attributes:
        origin: The file, with every value's position as it becomes known.
        problems: What was refused so far.
    """

    def __init__(self, origin: Origin) -> None:
        self._positions: dict[Location, Position] = {}
        self.origin = Origin(origin.file, origin.lines, self._positions)
        self.problems: list[Diagnostic] = []
        self._stack: list[_Frame] = []
        self._root: Plain = None

    def compose(self, nodes: Iterable[Node]) -> dict[str, Plain]:
        """Read all nodes; empty where the document is no mapping."""
        if not self._read(nodes):
            return {}
        if isinstance(self._root, dict) and (self._root or self.problems):
            return self._root
        if not self.problems:
            self._refuse_root()
        return {}

    def complain(self, words: Complaint, at: Position | None, path: Location = ()) -> None:
        """Note a problem."""
        lines = self.origin.lines
        line = lines[at.line - 1] if at and at.line <= len(lines) else None
        self.problems.append(
            Diagnostic(words.code, words.message, self.origin.file, at, line, words.help, path=path)
        )

    def _read(self, nodes: Iterable[Node]) -> bool:
        documents = 0
        for node in nodes:
            if node.kind is NodeKind.DOCUMENT:
                documents += 1
                if documents > 1:
                    self.complain(messages.TWO_DOCUMENTS, self._place(node))
                    return False
            elif node.kind is NodeKind.END:
                self._close(node)
            elif len(self.problems) >= MAX_PROBLEMS:
                return False
            elif len(self._stack) >= MAX_DEPTH:
                self.complain(messages.too_deep(MAX_DEPTH), self._place(node))
                return False
            else:
                self._take(node)
        return True

    def _refuse_root(self) -> None:
        if self._root is None or self._root == {}:
            self.complain(messages.EMPTY, None)
            return
        kind = "a list" if isinstance(self._root, list) else "a single value"
        self.complain(messages.not_a_mapping(kind), self._positions.get(()))

    def _take(self, node: Node) -> None:
        frame = self._stack[-1] if self._stack else None
        if frame and frame.awaits_key:
            self._take_key(frame, node)
        else:
            self._take_value(frame, node)

    def _take_key(self, frame: _Frame, node: Node) -> None:
        frame.key = None
        if node.kind in {NodeKind.MAPPING, NodeKind.LIST}:
            if frame.live:
                self.complain(messages.COMPLEX_KEY, self._place(node), frame.path)
            self._open(node, frame.path, live=False)
            return
        frame.awaits_key = False
        if frame.live and self._accepts_key(frame, node):
            frame.key = node.text
            frame.lines[node.text] = node.start[0] + 1
            self._positions[(*frame.path, node.text, "key()")] = self._place(node)

    def _accepts_key(self, frame: _Frame, node: Node) -> bool:
        path = (*frame.path, node.text)
        words = node.refusal
        if words is None and node.is_plain and node.text == "<<":
            # What it would have merged in is unknown, so nothing around it can be judged.
            words, path = messages.MERGE_KEY, frame.path
        if words is None and _BREAK.search(node.text):
            words, path = messages.KEY_WITH_BREAK, frame.path
        if words is None and node.text in frame.lines:
            words = messages.duplicate_key(node.text, frame.lines[node.text])
        if words is not None:
            self.complain(words, self._place(node), path)
        return words is None

    def _take_value(self, frame: _Frame | None, node: Node) -> None:
        path, live = _next(frame)
        if live:
            self._positions[path] = self._place(node)
            if words := node.refusal:
                self.complain(words, self._place(node), path)
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
        """Where a node stands: to its end, or to the end of its first line."""
        line, column = node.start
        lines = self.origin.lines
        first = lines[line] if line < len(lines) else ""
        ends_here = node.end[0] == line and node.kind in {NodeKind.SCALAR, NodeKind.ALIAS}
        last = node.end[1] if ends_here else len(first.rstrip())
        return Position(line + 1, column + 1, max(last, column + 1) + 1)


def _next(frame: _Frame | None) -> tuple[Location, bool]:
    """Path of the value to come, and whether it is kept."""
    if frame is None:
        return (), True
    if isinstance(frame.values, list):
        return (*frame.path, len(frame.values)), frame.live
    if frame.key is None:
        return frame.path, False
    return (*frame.path, frame.key), frame.live


def _ended(frame: _Frame | None) -> None:
    """Take note that a key or value of `frame` is complete: after a value comes a key."""
    if frame is not None and isinstance(frame.values, dict):
        frame.awaits_key = not frame.awaits_key


def _value(node: Node) -> Plain:
    if node.kind is NodeKind.ALIAS:
        return None
    return resolve(node.text) if node.is_plain else _SURROGATE.sub("\ufffd", node.text)
