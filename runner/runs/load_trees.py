"""Trees of records as `sf data import tree` reads them, and plans that name several.

Knows their JSON. Knows no org.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from runner.errors import SourceError
from runner.runs.load_rows import FileRow, line_of, read_json

_SHAPE = 'A tree is {"records": [{"attributes": {"type": …, "referenceId": …}, …}]}.'
_PLAN = 'A plan is [{"sobject": …, "files": ["Accounts.json"]}].'


def tree_rows(file: Path) -> Iterator[FileRow]:
    """The records of a tree, or of every tree that a plan names, in their order.

    Raises:
        SourceError: A file cannot be read, or is neither a tree nor a plan.
    """
    text, found = read_json(file)
    if isinstance(found, list):
        for number, step in enumerate(found, 1):
            for name in _files(file, number, step):
                yield from _tree(name, *read_json(name))
    else:
        yield from _tree(file, text, found)


def _files(plan: Path, number: int, step: object) -> Iterator[Path]:
    files = step.get("files") if isinstance(step, Mapping) else None
    if not isinstance(files, list) or not files:
        raise SourceError(f"{plan}: step {number} names no files.", hint=_PLAN)
    for each in files:
        name = each.get("file") if isinstance(each, Mapping) else each
        if not isinstance(name, str):
            raise SourceError(f"{plan}: step {number} names no files.", hint=_PLAN)
        if not (plan.parent / name).exists():
            raise SourceError(f"{plan}: step {number}: {plan.parent / name} does not exist.")
        yield plan.parent / name


def _tree(file: Path, text: str, found: object) -> Iterator[FileRow]:
    records = found.get("records") if isinstance(found, Mapping) else None
    if not isinstance(records, list):
        raise SourceError(f"{file} is neither a tree of records nor a plan.", hint=_SHAPE)
    yield from _Tree(file, text).rows(records, None)


class _Tree:
    def __init__(self, file: Path, text: str) -> None:
        self._file = file
        self._text = text
        self._count = 0

    def rows(self, records: list[object], parent: tuple[str, str] | None) -> Iterator[FileRow]:
        for record in records:
            self._count += 1
            number = self._count
            attributes = record.get("attributes") if isinstance(record, Mapping) else None
            if not isinstance(record, Mapping) or not isinstance(attributes, Mapping):
                raise self._wrong(number, "has no `attributes`")
            sobject, given = attributes.get("type"), attributes.get("referenceId")
            if not isinstance(sobject, str):
                raise self._wrong(number, "has no `type` in its `attributes`")
            nested = {name: each["records"] for name, each in record.items() if _is_nested(each)}
            named = isinstance(given, str)
            ref = f"@{given}" if named else f"@{self._file}#{number}" if nested else None
            values = {
                name: value
                for name, value in record.items()
                if name != "attributes" and name not in nested
            }
            for name, value in values.items():
                if isinstance(value, list | Mapping):
                    raise self._wrong(number, f"has neither a value nor records in {name}")
            line = line_of(self._text, "referenceId", str(given)) if named else None
            yield FileRow(sobject, values, self._file, number, line, ref, parent)
            for name, children in nested.items():
                yield from self.rows(children, (str(ref), name))

    def _wrong(self, number: int, what: str) -> SourceError:
        return SourceError(f"{self._file}: record {number:,} {what}.", hint=_SHAPE)


def _is_nested(value: object) -> bool:
    return isinstance(value, Mapping) and isinstance(value.get("records"), list)
