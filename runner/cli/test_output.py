"""How `runner test` prints differences and snapshots.

Knows stdout, and that a terminal shows colours. Knows nothing of how tests are run.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import typer
from msgspec.structs import replace

from runner.diagnostics import Diagnostic


def print_details(details: Sequence[str]) -> None:
    """Print what is not as expected: on a terminal, `- ` in red and `+ ` in green."""
    if not details:
        return
    from rich.console import Console

    from runner.report.verdicts import coloured

    console = Console(file=sys.stdout, markup=False, highlight=False, emoji=False)
    for each in details:
        console.print("\n", coloured(each), sep="", soft_wrap=True)


def print_snapshots(
    written: Sequence[Path], obsolete: Sequence[Diagnostic], *, quiet: bool
) -> None:
    """Print which files of snapshots were written, and which snapshots no test has."""
    from runner.report.diagnostics import render_diagnostic
    from runner.report.findings import path_from
    from runner.report.sinks import printable

    for file in written if not quiet else ():
        typer.echo(printable(f"wrote  {path_from(Path.cwd(), file)}"))
    for each in obsolete:
        found = replace(each, file=Path(path_from(Path.cwd(), each.file)))
        typer.echo(f"\n{printable(render_diagnostic(found))}")
