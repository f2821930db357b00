"""Verdicts of job tests as text, as one JSON document and as JUnit XML.

Pure: from verdicts to what is shown. Knows nothing of where it is printed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from msgspec.structs import asdict

from runner.diagnostics import Diagnostic, Position
from runner.report.diagnostics import diagnostic_document, render_diagnostic
from runner.report.sinks import printable
from runner.verdict import Difference, Status, Verdict

if TYPE_CHECKING:
    from rich.text import Text

FORMAT_VERSION = 1


def verdict_line(verdict: Verdict) -> str:
    """One line of a test: how it ended, its file, its name."""
    name = f": {verdict.name}" if verdict.name else ""
    return printable(f"{verdict.status.upper():6} {verdict.file}{name}")


def verdict_details(verdict: Verdict) -> str:
    """What is not as expected, or why the test is broken; empty for one that passed."""
    parts = [_difference_text(each) for each in verdict.differences]
    parts += [render_diagnostic(each) for each in verdict.problems]
    if verdict.message is not None:
        hint = f"\n  {verdict.hint}" if verdict.hint else ""
        parts.append(f"{_place(verdict)}: {verdict.message}{hint}")
    if not parts:
        return ""
    title = f"{verdict.name or verdict.file}"
    return printable("\n".join([f"--- {title}", *parts]))


def coloured(details: str) -> Text:
    """Details with lines of differences in colour; plain where colours are not wanted."""
    from rich.text import Text  # noqa: PLC0415 - slow to import, and only differences need it

    text = Text()
    for line in details.splitlines(keepends=True):
        text.append(line, STYLES.get(line[:4], ""))
    return text


STYLES = {"  - ": "red", "  + ": "green", "  @@": "cyan", "--- ": "bold"}
"""Of lines, by how they begin."""


def summary(verdicts: Sequence[Verdict], seconds: float) -> str:
    """How many tests ended how."""
    counts = [(status, sum(each.status is status for each in verdicts)) for status in Status]
    shown = [f"{number:,} {status}" for status, number in counts if number]
    return f"{', '.join(shown)} in {seconds:.1f} s"


def _place(item: Difference | Verdict) -> str:
    return f"{item.file}:{item.line}" if item.line else str(item.file)


def _difference_text(found: Difference) -> str:
    head = f"{_place(found)}: {found.what}: expected {found.expected}, got {found.actual}"
    return "\n".join([head, *(f"  {line}" for line in found.lines)])


def findings(verdicts: Sequence[Verdict]) -> Iterator[Diagnostic]:
    """What is wrong, each at its line of a test file or of a job, as a CI shows it."""
    for each in verdicts:
        for found in each.differences:
            head = f"{each.name}: {found.what}: expected {found.expected}, got {found.actual}"
            text = "\n".join([head, *found.lines])
            yield Diagnostic("test/failed", text, found.file, _whole_line(found.line))
        yield from each.problems
        if each.message is not None:
            text = f"{each.name}: {each.message}"
            yield Diagnostic("test/broken", text, each.file, _whole_line(each.line), help=each.hint)


def _whole_line(line: int | None) -> Position | None:
    return Position(line, 1, 2) if line else None


def verdicts_document(verdicts: Sequence[Verdict]) -> dict[str, object]:
    """All verdicts as a JSON document."""
    return {
        "format_version": FORMAT_VERSION,
        **{status.value: sum(each.status is status for each in verdicts) for status in Status},
        "tests": [_document(each) for each in verdicts],
    }


def snapshots_document(
    written: Sequence[Path], obsolete: Sequence[Diagnostic]
) -> dict[str, object]:
    """What became of files of snapshots, as members of the JSON document."""
    return {
        "snapshots": {
            "written": [str(each) for each in written],
            "obsolete": [diagnostic_document(each) for each in obsolete],
        }
    }


def _document(verdict: Verdict) -> dict[str, object]:
    return {
        "file": str(verdict.file),
        "line": verdict.line,
        "name": verdict.name or None,
        "status": verdict.status.value,
        "seconds": round(verdict.seconds, 3),
        "differences": [
            {**asdict(each), "file": str(each.file), "lines": list(each.lines)}
            for each in verdict.differences
        ],
        "problems": [diagnostic_document(each) for each in verdict.problems],
        "message": verdict.message,
        "hint": verdict.hint,
    }


def junit_document(verdicts: Sequence[Verdict]) -> str:
    """All verdicts as JUnit XML: a suite for each test file."""
    root = ET.Element("testsuites", _junit_counts(verdicts))
    for file in dict.fromkeys(each.file for each in verdicts):
        own = [each for each in verdicts if each.file == file]
        suite = ET.SubElement(root, "testsuite", {"name": str(file), **_junit_counts(own)})
        for verdict in own:
            case = ET.SubElement(
                suite,
                "testcase",
                {
                    "classname": str(file),
                    "name": printable(verdict.name or file.name),
                    "file": str(file),
                    **({"line": str(verdict.line)} if verdict.line else {}),
                    "time": f"{verdict.seconds:.3f}",
                },
            )
            if verdict.status is not Status.PASSED:
                kind = "failure" if verdict.status is Status.FAILED else "error"
                details = verdict_details(verdict)
                first = details.splitlines()[1] if details else ""
                ET.SubElement(case, kind, {"message": first}).text = details
    ET.indent(root)
    return ET.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _junit_counts(verdicts: Sequence[Verdict]) -> dict[str, str]:
    return {
        "tests": str(len(verdicts)),
        "failures": str(sum(each.status is Status.FAILED for each in verdicts)),
        "errors": str(sum(each.status is Status.BROKEN for each in verdicts)),
        "time": f"{sum(each.seconds for each in verdicts):.3f}",
    }
