"""Runs and findings as JUnit XML: a suite a job, a case a task.

Pure: to text. Source: the schema of Jenkins' xUnit plugin (`junit-10.xsd`), which GitLab and Azure
Pipelines read too. XML has no control characters: a replacement character stands for each.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from xml.etree import ElementTree as ET

from msgspec import Struct

from runner.diagnostics import Diagnostic, Severity
from runner.errors import JobError, RunnerError
from runner.outcome import RunOutcome, TaskOutcome, TaskStatus
from runner.report.findings import code_of, error_code, path_from, reasons_of, rows_text, text_of
from runner.report.sinks import printable


class Verdict(StrEnum):
    """What a case is that did not pass."""

    FAILURE = "failure"
    """Rows failed, or the job has a mistake."""
    ERROR = "error"
    """It could not be done."""
    SKIPPED = "skipped"


class Case(Struct, frozen=True):
    """A test case."""

    name: str
    seconds: float = 0.0
    verdict: Verdict | None = None
    code: str = ""
    message: str = ""
    details: str = ""
    output: str = ""
    """What is said of a case that passed."""


class Suite(Struct, frozen=True):
    """A test suite."""

    name: str
    cases: tuple[Case, ...]
    started: datetime | None = None

    def count(self, verdict: Verdict) -> int:
        """Cases with a verdict."""
        return sum(each.verdict is verdict for each in self.cases)


def junit_xml(suites: Sequence[Suite]) -> str:
    """Suites as a document, without a line end."""
    root = ET.Element("testsuites", name="runner")
    for suite in suites:
        element = ET.SubElement(root, "testsuite", _suite(suite))
        for case in suite.cases:
            element.append(_case(case, suite.name))
    ET.indent(root)
    return "<?xml version='1.0' encoding='UTF-8'?>\n" + ET.tostring(root, encoding="unicode")


def suites_of_run(end: RunOutcome | RunnerError, folder: Path) -> Iterator[Suite]:
    """The suites of a job that ended: of an unfinished run before it as well."""
    if isinstance(end, RunnerError):
        file = path_from(folder, end.job_file) if end.job_file else "runner"
        yield Suite(file, (_of_error(end),))
        return
    if end.resumed is not None:
        yield from suites_of_run(end.resumed, folder)
    cases = [_of_task(task) for task in end.tasks]
    told = any(each.verdict in {Verdict.FAILURE, Verdict.ERROR} for each in cases)
    if end.message or not cases or (end.exit_code and not told):
        cases.append(_of_run(end))
    if end.not_started:
        cases.append(Case("not started", verdict=Verdict.SKIPPED, message=end.not_started))
    yield Suite(end.job, tuple(cases), end.started)


def suites_of_findings(
    found: Sequence[Diagnostic], jobs: Sequence[Path], folder: Path
) -> Iterator[Suite]:
    """A suite for each job and each other file with a finding, a case for each finding."""
    of_file: dict[str, list[Case]] = {path_from(folder, job): [] for job in jobs}
    for each in found:
        of_file.setdefault(path_from(folder, each.file), []).append(_of_finding(each, folder))
    for file, cases in of_file.items():
        yield Suite(file or "runner", tuple(cases) or (Case("valid"),))


def _of_task(task: TaskOutcome) -> Case:
    if task.status is TaskStatus.SKIPPED:
        return Case(task.name, verdict=Verdict.SKIPPED, message=task.message or "not run")
    if not task.exit_code:
        return Case(task.name, task.seconds, output="\n".join(task.notes))
    rows = rows_text(task)
    said = [
        task.message,
        task.hint and f"help: {task.hint}",
        *(text_of(each) for each in task.problems),
        *reasons_of(task),
        task.results and f"rows: {task.results}",
    ]
    return Case(
        task.name,
        task.seconds,
        Verdict.FAILURE if rows or task.problems else Verdict.ERROR,
        error_code(task),
        task.message or rows,
        "\n".join(str(each) for each in said if each),
    )


def _of_run(end: RunOutcome) -> Case:
    if not end.exit_code:
        return Case("run")
    details = "\n".join(text_of(each) for each in end.problems) or end.hint or ""
    message = end.message or f"exit {int(end.exit_code)}"
    return Case("run", 0.0, Verdict.ERROR, code_of(end.exit_code), message, details)


def _of_error(error: RunnerError) -> Case:
    problems = error.diagnostics if isinstance(error, JobError) else ()
    details = "\n".join([text_of(each) for each in problems] or filter(None, [error.hint]))
    return Case("run", 0.0, Verdict.ERROR, code_of(error.exit_code), error.message, details)


def _of_finding(found: Diagnostic, folder: Path) -> Case:
    at = found.position
    place = f"{path_from(folder, found.file)}{f':{at.line}:{at.column}' if at else ''}"
    name = f"{found.code} {place}".strip()
    if found.severity is Severity.WARNING:
        return Case(name, output=f"warning: {text_of(found)}")
    return Case(name, 0.0, Verdict.FAILURE, found.code, found.message, text_of(found))


def _suite(suite: Suite) -> dict[str, str]:
    seconds = sum(each.seconds for each in suite.cases)
    attributes = {
        "name": printable(suite.name),
        "tests": str(len(suite.cases)),
        "failures": str(suite.count(Verdict.FAILURE)),
        "errors": str(suite.count(Verdict.ERROR)),
        "skipped": str(suite.count(Verdict.SKIPPED)),
        "time": f"{seconds:.3f}",
    }
    if suite.started is not None:
        attributes["timestamp"] = f"{suite.started.astimezone(UTC):%Y-%m-%dT%H:%M:%S}"
    return attributes


def _case(case: Case, suite: str) -> ET.Element:
    element = ET.Element(
        "testcase",
        name=printable(case.name),
        classname=printable(suite),
        time=f"{case.seconds:.3f}",
    )
    if case.verdict is not None:
        verdict = ET.SubElement(element, case.verdict, message=printable(case.message))
        if case.code:
            verdict.set("type", printable(case.code))
        verdict.text = printable(case.details) or None
    elif case.output:
        ET.SubElement(element, "system-out").text = printable(case.output)
    return element
