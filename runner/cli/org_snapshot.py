"""`runner org snapshot`, `restore` and `time`: the state of the local org, and its clock."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, cast
from urllib.parse import quote

from runner.cli.declare import Argument, Option
from runner.cli.options import Output, OutputOption, StateDir
from runner.cli.org import GROUP, OrgFile, folder_of_org
from runner.cli.settings import state_folder
from runner.cli.terminal import echo
from runner.wording import counted

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from pathlib import Path

    from runner.runs.local_org_control import OrgControl

EXAMPLES = {
    "snapshot": "runner org snapshot base\nrunner org snapshot base --update\n"
    "runner org snapshot --list\nrunner org snapshot base --delete",
    "restore": "runner org restore base\nrunner org restore base --org-file org.yaml",
    "time": "runner org time\nrunner org time 2026-01-31T08:00Z\nrunner org time +3d\n"
    "runner org time --reset",
}
_STEP = re.compile(r"\+(\d+(?:\.\d+)?[smhd])")
_SNAPSHOTS, _CLOCK = "/__org/snapshots", "/__org/clock"
Snapshot = dict[str, object]


@GROUP.verb("snapshot", EXAMPLES["snapshot"])
def snapshot(
    name: Annotated[str | None, Argument(help="Name of the snapshot.", metavar="NAME")] = None,
    update: Annotated[bool, Option("--update", help="Replace the snapshot of this name.")] = False,
    listing: Annotated[
        bool, Option("--list", help="List the snapshots of this org instead.")
    ] = False,
    delete: Annotated[
        bool, Option("--delete", help="Delete the snapshot of this name instead.")
    ] = False,
    org_file: OrgFile = None,
    output: OutputOption = Output.TEXT,
    state_dir: StateDir = None,
) -> None:
    """Save the state of the local org of a folder under a name.

    Saves records, files and clock, without Bulk jobs and sign-ins. The folder is that of the org
    file; without one, the current folder. The org may be running. `runner org reset` keeps
    snapshots.
    """
    from runner.errors import UsageError

    if update + listing + delete > 1:
        raise UsageError("--update, --list and --delete exclude each other.")
    if (name is None) != listing:
        what = "--list takes no NAME" if listing else "NAME is missing"
        raise UsageError(f"{what}.", hint="See `runner org snapshot --help`.")
    with _control(org_file, state_dir) as org:
        if listing:
            _print_list(cast("list[Snapshot]", org.ask("GET", _SNAPSHOTS)), output)
            return
        named = str(name)
        if delete:
            org.ask("DELETE", f"{_SNAPSHOTS}/{quote(named, safe='')}")
            _print({"deleted": named}, f"The snapshot {named} is deleted.", output)
            return
        taken = org.ask("POST", _SNAPSHOTS, {"name": named, "update": update})
    found = cast("Snapshot", taken)
    _print(found, f"Snapshot {found['name']}: {_records(found)}.", output)


@GROUP.verb("restore", EXAMPLES["restore"])
def restore(
    name: Annotated[str, Argument(help="Name of the snapshot.", metavar="NAME")],
    org_file: OrgFile = None,
    output: OutputOption = Output.TEXT,
    state_dir: StateDir = None,
) -> None:
    """Restore the local org of a folder from a snapshot.

    Everything written since is lost, and Bulk jobs are deleted; sign-ins remain. The org may be
    running. If the restore fails, the org is unchanged.
    """
    with _control(org_file, state_dir) as org:
        found = cast("Snapshot", org.ask("POST", f"{_SNAPSHOTS}/{quote(name, safe='')}/restore"))
    said = f"The local org of {folder_of_org(org_file)} is as in the snapshot {name}"
    _print(found, f"{said}: {_records(found)}.", output)


@GROUP.verb("time", EXAMPLES["time"])
def time(
    to: Annotated[
        str | None,
        Argument(
            help="A time, 2026-01-31T08:00Z, or a step ahead: +90s, +10m, +2h or +3d.",
            metavar="TIME",
            show_default=False,
        ),
    ] = None,
    reset: Annotated[bool, Option("--reset", help="Set it to the time of this machine.")] = False,
    org_file: OrgFile = None,
    output: OutputOption = Output.TEXT,
    state_dir: StateDir = None,
) -> None:
    """Print or set the clock of the local org of a folder.

    The clock continues from this time, even if the org is stopped and started again. Date
    literals, the times of records and the ends of sessions follow it.
    """
    from runner.errors import UsageError

    if to is not None and reset:
        raise UsageError("TIME and --reset exclude each other.")
    wanted = None if to is None or _STEP.fullmatch(to) else _moment(to)
    with _control(org_file, state_dir) as org:
        told = cast("dict[str, object]", org.ask("GET", _CLOCK))
        ahead = 0.0 if reset else _ahead(float(cast("float", told["ahead"])), to, wanted)
        if reset or to is not None:
            told = cast("dict[str, object]", org.ask("POST", _CLOCK, {"ahead": ahead}))
    now = datetime.fromisoformat(str(told["now"])).astimezone(UTC).isoformat(timespec="seconds")
    _print({**told, "now": now}, now.replace("+00:00", "Z"), output)


def _moment(text: str) -> datetime:
    from runner.errors import UsageError

    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(
            f"{text} is neither a time nor a step.",
            hint="Write it like 2026-01-31 or 2026-01-31T08:00Z (without a zone it is UTC), or "
            "+90s, +10m, +2h or +3d.",
        ) from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _ahead(before: float, to: str | None, wanted: datetime | None) -> float:
    from runner.job.notation import duration_seconds

    if wanted is not None:
        return (wanted - datetime.now(UTC)).total_seconds()
    return before + duration_seconds(to[1:]) if to else before


def _control(org_file: Path | None, state_dir: str | None) -> AbstractContextManager[OrgControl]:
    from runner.runs.local_org_control import org_control

    return org_control(state_folder(state_dir).create(), folder_of_org(org_file), org_file)


def _records(found: Snapshot) -> str:
    return counted(cast("int", found["records"]), "record")


def _print_list(found: list[Snapshot], output: Output) -> None:
    if output is Output.JSON:
        echo(json.dumps(found))
        return
    if not found:
        echo("There are no snapshots of this org.")
    for each in found:
        taken = datetime.fromisoformat(str(each["taken"])).astimezone(UTC)
        echo(f"{each['name']}  {taken:%Y-%m-%d %H:%M:%S} UTC  {_records(each)}")


def _print(document: object, text: str, output: Output) -> None:
    echo(json.dumps(document) if output is Output.JSON else text)
