"""How the findings of `validate` and `check` are printed: text, JSON, GitHub annotations, SARIF.

Knows stdout. Knows nothing of how they were found.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from runner.diagnostics import Diagnostic, Severity


class FindingsOutput(StrEnum):
    """How findings are printed."""

    TEXT = "text"
    JSON = "json"
    GITHUB = "github"
    SARIF = "sarif"


FindingsOption = Annotated[
    FindingsOutput,
    typer.Option(
        "--output",
        "-o",
        envvar="SFRUNNER_OUTPUT",
        help="Print text, one JSON document, GitHub annotations, or SARIF 2.1.0.",
    ),
]


def print_findings(
    found: Sequence[Diagnostic],
    output: FindingsOutput,
    *,
    good: str,
    more: Mapping[str, object] | None = None,
) -> None:
    """Print findings to stdout.

    Args:
        found: In the order to print.
        output: How.
        good: What to print of jobs without errors, in text; "" for nothing.
        more: Members of the JSON document besides.
    """
    if output is FindingsOutput.JSON:
        from runner.report.diagnostics import diagnostic_document

        valid = not any(each.severity is Severity.ERROR for each in found)
        diagnostics = [diagnostic_document(each) for each in found]
        document = {"valid": valid, "diagnostics": diagnostics, **(more or {})}
        typer.echo(json.dumps(document, ensure_ascii=False, indent=2))
    elif output is FindingsOutput.SARIF:
        from runner.report.annotations import sarif_document

        typer.echo(json.dumps(sarif_document(found, Path.cwd()), ensure_ascii=False, indent=2))
    elif output is FindingsOutput.GITHUB:
        from runner.report.annotations import github_annotation

        for each in found:
            typer.echo(github_annotation(each, Path.cwd()))
        _print_end(found, good)
    else:
        from runner.report.diagnostics import render_diagnostic
        from runner.report.sinks import printable

        for each in found:
            typer.echo(printable(render_diagnostic(each)) + "\n")
        _print_end(found, good)


def _print_end(found: Sequence[Diagnostic], good: str) -> None:
    errors = sum(each.severity is Severity.ERROR for each in found)
    if found:
        typer.echo(f"{_count(errors, 'error')}, {_count(len(found) - errors, 'warning')}")
    if good:
        typer.echo(good)


def _count(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"
