"""Reads a YAML file into plain values, each with its position. The only importer of yaml.

Knows files, encodings and the YAML parser; `tree` builds values from its events. Knows nothing of
what the values mean.
"""

from __future__ import annotations

import re
import stat
from collections.abc import Mapping, Sequence
from pathlib import Path

from msgspec import Struct

from runner.diagnostics import Diagnostic, Position
from runner.job.origin import Origin
from runner.job.yaml import messages
from runner.job.yaml.late_patterns import compiled_late
from runner.job.yaml.messages import SyntaxProblem
from runner.job.yaml.tree import Composer, Plain, resolve

with compiled_late():
    import yaml

_ZIP_ARCHIVE = b"PK\x03\x04"
MAX_BYTES = 1_000_000
"""Of a job file, and of every other YAML file that a job names."""

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_LINE_BREAK = re.compile("\r\n|[\n\r\x85\u2028\u2029]")
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\x80-\x84\x86-\x9f\ufeff\ufffe\uffff]")


class Document(Struct, frozen=True):
    """The content of a file."""

    values: dict[str, Plain]
    """Empty if the file could not be read at all."""
    origin: Origin
    problems: tuple[Diagnostic, ...] = ()
    """The values at the path of a problem cannot be trusted."""

    @property
    def is_broken(self) -> bool:
        """Whether nothing could be read."""
        return not self.values and bool(self.problems)


def read_document(file: Path) -> Document:
    """Read a file; never raises: a missing or unreadable file is a problem of the document."""
    try:
        mode = file.stat().st_mode
        if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
            # Opening it would wait for a writer, and what is read once is gone for a resume.
            return _rejected(Origin(file), messages.NOT_A_FILE)
        with file.open("rb") as stream:
            content = stream.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        from runner.job.yaml.unreadable import unreadable  # noqa: PLC0415 - rarely

        return _rejected(Origin(file), unreadable(error, file))
    return parse_document(content, file)


def parse_document(content: bytes, file: Path) -> Document:
    """Read the bytes of `file`: UTF-8, with or without a byte order mark."""
    if content.startswith(_ZIP_ARCHIVE):
        return _rejected(Origin(file), messages.zip_archive())
    if len(content) > MAX_BYTES:
        return _rejected(Origin(file), messages.too_large(MAX_BYTES))
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        return _undecodable(content, error.start, file)
    origin = _origin(file, text)
    if control := _CONTROL.search(text):
        at = _end_of(text[: control.start()])
        return _rejected(origin, messages.control_character(control[0]), at)
    return _compose(text, origin)


def as_yaml(values: Mapping[str, Plain] | Sequence[Plain]) -> str:
    """Values as YAML that reads back as the same values, in their order."""
    text: str = yaml.dump(values, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100)
    return text


class _Dumper(yaml.SafeDumper):
    """Writes texts of several lines as they would be written by hand."""

    def ignore_aliases(self, _data: object) -> bool:
        """Whether a value that is there twice is written twice: readers refuse references."""
        return True


def _written(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else None
    if "\x85" in text:
        style = '"'
    elif resolve(text) != text:  # such as 1e3, which PyYAML takes for text
        style = "'"
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _written)


def _origin(file: Path, text: str) -> Origin:
    return Origin(file, tuple(_LINE_BREAK.split(text)))


def _compose(text: str, origin: Origin) -> Document:
    composer = Composer(origin)
    try:
        values = composer.compose(yaml.parse(text, Loader=_LOADER))
    except yaml.MarkedYAMLError as error:
        values = {}
        composer.report(*_explained(error, origin))
    except yaml.YAMLError as error:
        values = {}
        composer.report(messages.explain(str(error), ""), None)
    return Document(values, composer.origin, tuple(composer.problems))


def _explained(
    error: yaml.MarkedYAMLError, origin: Origin
) -> tuple[SyntaxProblem, Position | None]:
    mark = error.problem_mark or error.context_mark
    line = origin.lines[mark.line] if mark and mark.line < len(origin.lines) else ""
    found = messages.explain(error.problem or "", line, mark.column if mark else 0)
    if found.at_start and error.context_mark:
        mark = error.context_mark
    at = Position(mark.line + 1, mark.column + 1, mark.column + 2) if mark else None
    return found, at


def _undecodable(content: bytes, offset: int, file: Path) -> Document:
    at = _end_of(content[:offset].decode("utf-8", "replace"))
    origin = _origin(file, content.decode("utf-8", "replace"))
    return _rejected(origin, messages.not_utf8(content, offset), at)


def _end_of(before: str) -> Position:
    """The position right after `before`."""
    lines = _LINE_BREAK.split(before)
    column = len(lines[-1]) + 1
    return Position(len(lines), column, column + 1)


def _rejected(origin: Origin, found: SyntaxProblem, at: Position | None = None) -> Document:
    composer = Composer(origin)
    composer.report(found, at)
    return Document({}, origin, tuple(composer.problems))
