"""Snapshots of tests: what their runs did before, in a file beside the test file.

Knows the files, and when a run differs from its snapshot. Knows nothing of how a test is run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import unified_diff
from pathlib import Path
from typing import cast

from msgspec.structs import replace

from runner.diagnostics import Diagnostic, Severity
from runner.errors import JobError
from runner.files import atomic_write
from runner.job.documents import in_order
from runner.job.job_tests import JobTest, own_snapshot
from runner.job.yaml.document import Document, as_yaml, read_document
from runner.job.yaml.tree import Plain
from runner.verdict import Difference, Status, Verdict

_HEAD = "# What jobs did in their tests. `runner test --update` writes this file.\n"
_MOST_LINES = 200
"""Lines that are shown of one difference."""


class Snapshots:
    """The snapshots of some tests.

    Args:
        tests: All tests of their files, also those that do not run.
        update: Whether what a run did is the new snapshot.
    """

    def __init__(self, tests: Sequence[JobTest], *, update: bool) -> None:
        self._tests = {(each.origin.file, each.name): each for each in tests}
        self._own = dict.fromkeys(own_snapshot(each.origin.file) for each in tests)
        """Files that only one test file uses; others may have snapshots of tests elsewhere."""
        self._update = update
        self._documents: dict[Path, Document] = {}
        self._new: dict[Path, dict[str, Plain]] = {}

    def judged(self, verdict: Verdict) -> Verdict:
        """A verdict that heeds the snapshot of its test."""
        test = self._tests.get((verdict.file, verdict.name))
        if test is None or verdict.picture is None or test.expected.snapshot is None:
            return verdict
        file = test.expected.snapshot
        try:
            known = self._known(file)
        except JobError as error:
            return replace(verdict, status=Status.BROKEN, problems=error.diagnostics)
        if self._update:
            self._new.setdefault(file, {})[test.name] = cast("Plain", verdict.picture)
            return verdict
        found = _difference(test, file, known.get(test.name), verdict.picture)
        if found is None:
            return verdict
        status = Status.FAILED if verdict.status is Status.PASSED else verdict.status
        return replace(verdict, status=status, differences=(*verdict.differences, found))

    def write(self) -> Sequence[Path]:
        """Write the files of new snapshots, if asked to; those that changed.

        Snapshots of tests that did not run stay, and those that no test has are removed.

        Raises:
            StorageError: A file cannot be written.
        """
        if not self._update:
            return ()
        obsolete = {each.file for each in self.obsolete()}
        return [
            file
            for file in dict.fromkeys(
                [*self._new, *(each for each in self._own if each in obsolete)]
            )
            if self._write(file)
        ]

    def _write(self, file: Path) -> bool:
        names = self._names(file)
        found = {**self._known(file), **self._new.get(file, {})}
        others = [each for each in found if each not in names] if file not in self._own else []
        tests: dict[str, Plain] = {each: found[each] for each in [*names, *others] if each in found}
        self._documents.pop(file, None)
        if not tests:
            file.unlink(missing_ok=True)
            return True
        text = _HEAD + as_yaml({"version": 1, "tests": tests})
        if file.is_file() and file.read_text(encoding="utf-8") == text:
            return False
        with atomic_write(file) as temporary:
            temporary.write_text(text, encoding="utf-8")
        return True

    def _names(self, file: Path) -> list[str]:
        """The tests whose snapshots are in a file, in their order."""
        return [each.name for each in self._tests.values() if each.expected.snapshot == file]

    def obsolete(self) -> Sequence[Diagnostic]:
        """A warning for each snapshot that no test has any more."""
        found: list[Diagnostic] = []
        for file in self._own:
            try:
                known = self._known(file)
            except JobError:
                continue  # tests that use it are broken and say so
            for name in known.keys() - set(self._names(file)):
                message = f"no test with a snapshot is named {name!r}"
                hint = "`runner test --update` removes it"
                where = self._documents[file].origin.diagnose(
                    ("tests", name), "test/obsolete-snapshot", message, help=hint, at_key=True
                )
                found.append(replace(where, severity=Severity.WARNING))
        return sorted(found, key=lambda each: each.sort_key)

    def _known(self, file: Path) -> Mapping[str, Plain]:
        """The snapshots of a file; none if there is no file.

        Raises:
            JobError: It is something else.
        """
        if not file.is_file():
            return {}
        if file not in self._documents:
            document = read_document(file)
            if document.problems:
                raise JobError(in_order(document.problems))
            self._documents[file] = document
        document = self._documents[file]
        tests = document.values.get("tests")
        if document.values.get("version") != 1 or not isinstance(tests, dict):
            message = "this is not a file of snapshots"
            hint = "remove it, and run `runner test --update`"
            found = document.origin.diagnose((), "test/bad-snapshot", message, help=hint)
            raise JobError((found,))
        return tests


def _difference(
    test: JobTest, file: Path, known: Plain | None, found: Mapping[str, object]
) -> Difference | None:
    path = (*test.expected.path, "snapshot")
    position = test.origin.diagnose(path, "", "").position
    line = position.line if position else None
    folder = test.folder
    shown = file.relative_to(folder) if file.is_relative_to(folder) else file
    if known is None:
        hint = ("  `runner test --update` writes it",)
        return Difference("snapshot", test.origin.file, line, f"one in {shown}", "none", hint)
    old = as_yaml(cast("dict[str, Plain]", known))
    new = as_yaml(cast("dict[str, Plain]", found))
    if old == new:
        return None
    changes = list(unified_diff(old.splitlines(), new.splitlines(), n=2, lineterm=""))[2:]
    lines = [each if each.startswith("@@") else f"{each[:1]} {each[1:]}" for each in changes]
    if len(lines) > _MOST_LINES:
        lines = [*lines[:_MOST_LINES], f"  and {len(lines) - _MOST_LINES:,} more lines"]
    lines.append("  if this is right: `runner test --update`")
    return Difference("snapshot", test.origin.file, line, f"as in {shown}", "changes", tuple(lines))
