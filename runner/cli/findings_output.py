"""How findings are printed: text, JSON, and what a CI reads.

Knows stdout. Knows nothing of how they were found.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from runner.cli.options import FindingsOutput
from runner.cli.terminal import echo
from runner.diagnostics import Diagnostic, Severity
from runner.wording import counted


def print_findings(
    found: Sequence[Diagnostic],
    output: FindingsOutput,
    *,
    verb: str,
    jobs: Sequence[Path],
    good: str,
    more: Mapping[str, object] | None = None,
) -> None:
    """Print findings to stdout.

    Args:
        found: In the order to print.
        output: How.
        verb: That found them.
        jobs: The jobs that were looked at.
        good: What to print of jobs without errors, in text; "" for nothing.
        more: Members of the JSON document besides.
    """
    if output is FindingsOutput.JSON:
        from runner.report.diagnostics import diagnostic_document

        valid = not any(each.severity is Severity.ERROR for each in found)
        diagnostics = [diagnostic_document(each) for each in found]
        document = {"valid": valid, "diagnostics": diagnostics, **(more or {})}
        echo(json.dumps(document, ensure_ascii=False, indent=2))
    elif output is FindingsOutput.JUNIT:
        from runner.report.junit import junit_xml, suites_of_findings

        echo(junit_xml(list(suites_of_findings(found, jobs, Path.cwd()))))
    elif output is FindingsOutput.MARKDOWN:
        from runner.report.job_summary import findings_summary

        echo(findings_summary(found, jobs, Path.cwd(), verb), nl=False)
    elif output in {FindingsOutput.SARIF, FindingsOutput.GITLAB}:
        echo(findings_document(found, output))
    elif output in {FindingsOutput.GITHUB, FindingsOutput.AZURE}:
        for line in annotation_lines(found, output):
            echo(line)
        _print_end(found, good)
    else:
        from runner.report.diagnostics import render_diagnostic
        from runner.report.sinks import printable

        for each in found:
            echo(printable(render_diagnostic(each)) + "\n")
        _print_end(found, good)


def annotation_lines(found: Sequence[Diagnostic], output: FindingsOutput) -> Iterator[str]:
    """Findings as lines that GitHub Actions or Azure Pipelines reads in the log."""
    from runner.report.annotations import azure_command, github_annotation

    line = github_annotation if output is FindingsOutput.GITHUB else azure_command
    return (line(each, Path.cwd()) for each in found)


def findings_document(found: Sequence[Diagnostic], output: FindingsOutput) -> str:
    """Findings as a SARIF log, or as GitLab's code quality report."""
    if output is FindingsOutput.SARIF:
        from runner.report.sarif import sarif_document

        return json.dumps(sarif_document(found, Path.cwd()), ensure_ascii=False, indent=2)
    from runner.report.code_quality import code_quality

    return json.dumps(code_quality(found, Path.cwd()), ensure_ascii=False, indent=2)


def _print_end(found: Sequence[Diagnostic], good: str) -> None:
    errors = sum(each.severity is Severity.ERROR for each in found)
    if found:
        echo(f"{counted(errors, 'error')}, {counted(len(found) - errors, 'warning')}")
    if good:
        echo(good)
