"""`runner state export` and `runner state import`: take the state to another machine."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from runner.cli.declare import Argument, Group, Option
from runner.cli.options import Output, OutputOption, StateDir
from runner.cli.settings import state_folder
from runner.cli.terminal import echo
from runner.errors import UsageError
from runner.job.endpoints import shown_url
from runner.job.notation import IN_MEMORY, is_url
from runner.wording import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

GROUP = Group("Move history and unfinished runs to another machine.")
EXAMPLES = {
    "export": "runner state export state.zip\nrunner state export s3://acme/state.zip --results",
    "import": "runner state import state.zip\nrunner state import state.zip --move /srv/jobs=/app",
}


@GROUP.verb("export", EXAMPLES["export"])
def export(
    file: Annotated[
        str,
        Argument(help="File to write, or its address in an object store.", metavar="FILE"),
    ],
    results: Annotated[
        bool,
        Option("--results", help="Also write the files of finished runs, for `retry` and `undo`."),
    ] = False,
    output: OutputOption = Output.TEXT,
    state_dir: StateDir = None,
) -> None:
    """Write history and unfinished runs to one file.

    The file also contains the watermarks and the rows of unfinished runs. It contains no tokens.
    """
    from runner.runs.state_file import export_state

    if file.lower().startswith(IN_MEMORY):
        raise UsageError(
            f"{file} is in memory, where the export is gone with the command.",
            hint="Name a file, or an object store such as s3://bucket/state.zip.",
        )
    with _local(file) as local:
        done = export_state(state_folder(state_dir), local, results=results)
        if is_url(file):
            from runner.tables.remote import send

            send(local, file)
    unfinished = [run.run_id for run in done.runs if run.is_unfinished]
    if output is Output.JSON:
        document = {
            "file": _shown(file),
            "bytes": done.size_bytes,
            "runs": len(done.runs),
            "unfinished": unfinished,
            "watermarks": done.watermarks,
            "mirrors": done.mirrors,
        }
        echo(json.dumps(document))
        return
    what = _counted(len(done.runs), done.watermarks, done.mirrors)
    echo(f"{_shown(file)}: {what}, {done.size_bytes:,} bytes")
    for run_id in unfinished:
        echo(f"  {run_id} is unfinished: resume it on one machine only")


@GROUP.verb("import", EXAMPLES["import"])
def import_(
    file: Annotated[
        str,
        Argument(help="File of `runner state export`, or its address.", metavar="FILE"),
    ],
    move: Annotated[
        list[str] | None,
        Option(
            "--move",
            help="Job files of folder THERE are in folder HERE on this machine; repeatable.",
            metavar="THERE=HERE",
        ),
    ] = None,
    output: OutputOption = Output.TEXT,
    state_dir: StateDir = None,
) -> None:
    """Add the history and unfinished runs of an export.

    Adds them to the state folder or the shared state, all or nothing. A run or watermark that is
    already there must be the same.
    """
    from runner.runs.state_file import import_state

    with _local(file) as local:
        if is_url(file):
            from runner.tables.remote import fetch

            fetch(file, local)
        done = import_state(state_folder(state_dir), local, _folders(move or []))
    added = done.added
    if output is Output.JSON:
        document = {
            "file": _shown(file),
            "host": done.host,
            "created": done.created.isoformat(),
            "runs": list(added.runs),
            "skipped": list(added.known),
            "unfinished": list(done.unfinished),
            "watermarks": added.watermarks,
            "mirrors": added.mirrors,
        }
        echo(json.dumps(document))
        return
    what = _counted(len(added.runs), added.watermarks, added.mirrors)
    echo(f"imported {what} of {done.host}, {done.created:%Y-%m-%d %H:%M:%S} UTC")
    if added.known:
        echo(f"  {counted(len(added.known), 'run')} skipped: here already")
    for run_id in done.unfinished:
        echo(f"  {run_id} is unfinished: `runner resume {run_id}`")


@contextmanager
def _local(file: str) -> Iterator[Path]:
    """The file itself, or one to copy from or to its address."""
    if not is_url(file):
        yield Path(file)
        return
    with tempfile.TemporaryDirectory(prefix="runner-state-") as folder:
        yield Path(folder) / "state.zip"


def _shown(file: str) -> str:
    """A file or an address, without what may be secret."""
    return shown_url(file) if is_url(file) else file


def _folders(moves: Sequence[str]) -> dict[str, str]:
    """The folders of `--move`.

    Raises:
        UsageError: One of them is not two absolute paths.
    """
    from runner.errors import UsageError

    found: dict[str, str] = {}
    for each in moves:
        there, equals, here = each.partition("=")
        if not (equals and there.startswith("/") and here):
            raise UsageError(
                f"--move {each} is not two folders.", hint="Write it like /srv/jobs=/home/ci/jobs."
            )
        found[there] = str(Path(here).absolute())
    return found


def _counted(runs: int, watermarks: int, mirrors: int) -> str:
    return (
        f"{counted(runs, 'run')}, {counted(watermarks, 'watermark')}, "
        f"{counted(mirrors, 'list')} of managed records"
    )
