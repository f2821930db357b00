"""`runner validate`: find every mistake in job files, offline."""

from __future__ import annotations

import json
from pathlib import Path

import typer

from runner.cli.options import JobFiles, Output, OutputOption, Quiet
from runner.cli.settings import AllowHost, AllowOutside, permissions, user_state
from runner.diagnostics import Diagnostic, Severity
from runner.errors import ExitCode


def validate(
    jobs: JobFiles,
    output: OutputOption = Output.TEXT,
    quiet: Quiet = False,
    allow_host: AllowHost = None,
    allow_outside: AllowOutside = None,
) -> None:
    """Find every mistake in job files, offline."""
    from runner.runs.wiring import check_job

    permitted = permissions(allow_host, allow_outside, user_state())
    found = [problem for file in jobs for problem in check_job(file, permitted, thorough=True)[1]]
    if output is Output.JSON:
        _print_json(found)
    else:
        _print_text(jobs, found, quiet=quiet)
    if any(each.severity is Severity.ERROR for each in found):
        raise typer.Exit(ExitCode.INVALID)


def _print_json(found: list[Diagnostic]) -> None:
    from runner.report.diagnostics import diagnostic_document

    valid = not any(each.severity is Severity.ERROR for each in found)
    document = {"valid": valid, "diagnostics": [diagnostic_document(each) for each in found]}
    typer.echo(json.dumps(document, ensure_ascii=False, indent=2))


def _print_text(jobs: list[Path], found: list[Diagnostic], *, quiet: bool) -> None:
    from runner.report.diagnostics import render_diagnostic
    from runner.report.sinks import printable

    for each in found:
        typer.echo(printable(render_diagnostic(each)) + "\n")
    errors = sum(each.severity is Severity.ERROR for each in found)
    warnings = len(found) - errors
    if found:
        typer.echo(f"{_count(errors, 'error')}, {_count(warnings, 'warning')}")
    elif not quiet:
        typer.echo("\n".join(f"{file}: valid" for file in jobs))


def _count(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"
