"""What the CI gets that runs the command: annotations, a summary page, outputs.

Knows the variables of GitHub Actions and Azure Pipelines. Never changes how a command ends: a file
of the CI that cannot be written is a warning.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from runner.cli.findings_output import annotation_lines, findings_document
from runner.cli.log_format import json_lines
from runner.cli.options import DOCUMENTS, FindingsOutput, found_ci
from runner.errors import RunnerError

if TYPE_CHECKING:
    from runner.diagnostics import Diagnostic
    from runner.outcome import RunOutcome
    from runner.plan import RunPlan

VERBS = frozenset({"run", "plan", "apply", "resume", "retry", "undo", "validate", "check", "test"})
"""Those that a CI runs for their result."""
_FOR_PEOPLE = frozenset({FindingsOutput.TEXT, FindingsOutput.GITHUB, FindingsOutput.AZURE})


def tell_ci(
    output: str,
    exit_code: int,
    found: Callable[[], Iterable[Diagnostic]],
    summary: Callable[[], str],
    run_ids: Sequence[str] = (),
) -> None:
    """Tell the CI how a command ends; elsewhere do nothing.

    Args:
        output: How the command prints: annotations go to stderr, unless they are printed already,
            and there are neither annotations nor a summary beside a document.
        exit_code: What the command ends with.
        found: Gives what to annotate.
        summary: Gives the text of the summary page, in Markdown.
        run_ids: The runs of the command.
    """
    ci = found_ci()
    if ci is None:
        return
    if output in _FOR_PEOPLE:
        if output != ci and json_lines() is None:
            for line in annotation_lines(list(found()), ci):
                sys.stderr.write(f"{line}\n")
        if ci is FindingsOutput.GITHUB:
            _append("GITHUB_STEP_SUMMARY", summary)
    if ci is FindingsOutput.GITHUB:
        ids = f"run-id={' '.join(run_ids)}\n" if run_ids else ""
        _append("GITHUB_OUTPUT", lambda: f"exit-code={int(exit_code)}\n{ids}")


def tell_ci_findings(
    verb: str, found: Sequence[Diagnostic], jobs: Sequence[Path], output: str, exit_code: int
) -> None:
    """Tell the CI what a check found."""

    def summary() -> str:
        from runner.report.job_summary import findings_summary

        return findings_summary(found, jobs, Path.cwd(), verb)

    tell_ci(output, exit_code, lambda: found, summary)


def tell_ci_ends(ends: Sequence[RunOutcome | RunnerError], output: str, exit_code: int) -> None:
    """Tell the CI how jobs ended."""

    def summary() -> str:
        from runner.report.job_summary import runs_summary

        return runs_summary(ends, Path.cwd())

    runs = [end.run_id for end in ends if not isinstance(end, RunnerError)]
    tell_ci(output, exit_code, lambda: _findings(ends), summary, runs)


def tell_ci_plans(plans: Sequence[RunPlan], output: str, exit_code: int) -> None:
    """Tell the CI what runs would do: what would stop them, and the rows that would be refused."""

    def found() -> list[Diagnostic]:
        from runner.job.load import task_places
        from runner.report.findings import findings_of_plan

        places = cache(task_places)
        return [
            each
            for plan in plans
            for each in findings_of_plan(plan, lambda file, task: places(file).get(task))
        ]

    def summary() -> str:
        from runner.report.plan.markdown import plan_markdown

        return plan_markdown(plans)

    tell_ci(output, exit_code, found, summary)


def tell_ci_error(error: RunnerError, words: Sequence[str], output: str) -> None:
    """Tell the CI of an error that ends a command.

    Args:
        error: The error.
        words: The command line, without the program.
        output: How the command prints.
    """
    if words and words[0] in VERBS:
        tell_ci_ends([error], output, error.exit_code)


def print_ends(ends: Sequence[RunOutcome | RunnerError], output: str) -> None:
    """Print how jobs ended as a CI reads it; nothing for text and JSON."""
    if output == FindingsOutput.JUNIT:
        from runner.report.junit import junit_xml, suites_of_run

        suites = [suite for end in ends for suite in suites_of_run(end, Path.cwd())]
        sys.stdout.write(f"{junit_xml(suites)}\n")
    elif output == FindingsOutput.MARKDOWN:
        from runner.report.job_summary import runs_summary

        sys.stdout.write(runs_summary(ends, Path.cwd()))
    elif output in DOCUMENTS:
        document = findings_document(_findings(ends), FindingsOutput(output))
        sys.stdout.write(f"{document}\n")
    elif output in {FindingsOutput.GITHUB, FindingsOutput.AZURE}:
        for line in annotation_lines(_findings(ends), FindingsOutput(output)):
            sys.stdout.write(f"{line}\n")


def _findings(ends: Sequence[RunOutcome | RunnerError]) -> list[Diagnostic]:
    from runner.job.load import task_places
    from runner.report.findings import findings_of

    places = cache(task_places)
    return [
        found
        for end in ends
        for found in findings_of(end, lambda file, task: places(file).get(task))
    ]


def _append(variable: str, text: Callable[[], str]) -> None:
    """Append to the file that a variable names."""
    from runner.redaction import redacted

    name = os.environ.get(variable)
    if not name:
        return
    try:
        with Path(name).open("a", encoding="utf-8", errors="replace") as file:
            file.write(redacted(text(), shapes=True))
    except OSError as error:
        sys.stderr.write(f"warning: {variable}: {name} cannot be written: {error.strerror}\n")
