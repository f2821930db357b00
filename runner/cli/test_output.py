"""How `runner test` prints differences and snapshots.

Knows stdout, and that a terminal shows colours. Knows nothing of how tests are run.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from runner.cli.options import FindingsOutput, TestOutput
from runner.cli.terminal import echo
from runner.diagnostics import Diagnostic
from runner.errors import ExitCode
from runner.verdict import Status, Verdict


class Results(Struct, frozen=True):
    """What is printed of tests."""

    verdicts: Sequence[Verdict]
    written: Sequence[Path]
    """Files of snapshots."""
    obsolete: Sequence[Diagnostic]
    """Snapshots that no test has."""
    seconds: float


def print_results(results: Results, output: TestOutput, *, cover: bool, quiet: bool) -> None:
    """Print what follows the lines of the tests, or everything as one JSON document."""
    if output is TestOutput.JSON:
        from runner.report.test_cover import cover_document
        from runner.report.verdicts import snapshots_document, verdicts_document

        document = verdicts_document(results.verdicts)
        document |= snapshots_document(results.written, results.obsolete)
        if cover:
            document["cover"] = cover_document(results.verdicts)
        echo(json.dumps(document, ensure_ascii=False))
        return
    _print_snapshots(results, quiet=quiet)
    if output is TestOutput.GITHUB:
        _print_annotations(results.verdicts)
    print_end(
        results.verdicts,
        results.seconds,
        quiet=quiet,
        details=output is TestOutput.TEXT,
        cover=cover,
    )


def exit_code_of(verdicts: Sequence[Verdict]) -> ExitCode:
    """What `runner test` ends with."""
    ended = {each.status for each in verdicts}
    if ended <= {Status.PASSED}:
        return ExitCode.DONE
    return ExitCode.INVALID if Status.BROKEN in ended else ExitCode.FAILED


def print_end(
    verdicts: Sequence[Verdict],
    seconds: float,
    *,
    quiet: bool,
    details: bool = True,
    cover: bool = False,
) -> None:
    """Print what is not as expected, what no test has met if wanted, and how many ended how."""
    from runner.report.verdicts import summary, verdict_details

    shown = [found for each in verdicts if details and (found := verdict_details(each))]
    _print_details(shown)
    covered = _cover(verdicts) if cover else ""
    if covered:
        echo(f"\n{covered}")
    if not quiet or any(each.status is not Status.PASSED for each in verdicts):
        echo(f"{chr(10) if shown or covered else ''}{summary(verdicts, seconds)}")


def _print_details(details: Sequence[str]) -> None:
    """Print what is not as expected: on a terminal, `- ` in red and `+ ` in green."""
    if not details:
        return
    from runner.report.console import console_for
    from runner.report.verdicts import coloured

    console = console_for(sys.stdout)
    for each in details:
        console.print("\n", coloured(each), sep="", soft_wrap=True)


def _print_annotations(verdicts: Sequence[Verdict]) -> None:
    """Print what is wrong as GitHub Actions reads it in the log."""
    from runner.cli.findings_output import annotation_lines
    from runner.report.verdicts import findings

    for line in annotation_lines(list(findings(verdicts)), FindingsOutput.GITHUB):
        echo(line)


def _cover(verdicts: Sequence[Verdict]) -> str:
    from runner.report.test_cover import cover_text

    return cover_text(verdicts, Path.cwd())


def _print_snapshots(results: Results, *, quiet: bool) -> None:
    """Print which files of snapshots were written, and which snapshots no test has."""
    from runner.report.diagnostics import render_diagnostic
    from runner.report.findings import path_from
    from runner.report.sinks import printable

    for file in results.written if not quiet else ():
        echo(printable(f"wrote  {path_from(Path.cwd(), file)}"))
    for each in results.obsolete:
        found = replace(each, file=Path(path_from(Path.cwd(), each.file)))
        echo(f"\n{printable(render_diagnostic(found))}")
