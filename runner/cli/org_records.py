"""`runner org load` and `runner org dump`: records of files into the local org, and back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

from runner.cli.declare import Argument, Option
from runner.cli.options import Output, OutputOption, StateDir
from runner.cli.org import GROUP, OrgFile, folder_of_org
from runner.cli.settings import state_folder
from runner.cli.terminal import echo
from runner.wording import counted

if TYPE_CHECKING:
    from collections.abc import Mapping

EXAMPLES = {
    "load": "runner org load Account.csv Contact.csv\n"
    "runner org load customers.csv --object Account\n"
    "runner org load data/accounts-plan.json\nrunner org load sfdmu/",
    "dump": "runner org dump\nrunner org dump tests/data --update --org-file org.yaml",
}


@GROUP.verb("load", EXAMPLES["load"])
def load(
    files: Annotated[
        list[Path],
        Argument(
            help="CSV files, trees or plans of `sf data import tree`, folders of CSV files, "
            "SFDMU exports.",
            metavar="FILE...",
        ),
    ],
    sobject: Annotated[
        str | None,
        Option(
            "--object",
            help="Object of the CSV files. Default: the name of each file.",
            metavar="NAME",
            show_default=False,
        ),
    ] = None,
    org_file: OrgFile = None,
    output: OutputOption = Output.TEXT,
    state_dir: StateDir = None,
) -> None:
    """Create records from files in the local org.

    Creates all records or none. Files can refer to each other, in any order. The org may be
    running. It is the org of the org file's folder; without one, of the current folder.
    """
    from runner.runs.load_rows import read_files
    from runner.runs.local_org_control import org_control
    from runner.runs.local_org_records import load_rows

    found = read_files(files, sobject)
    state = state_folder(state_dir).create()
    with org_control(state, folder_of_org(org_file), org_file) as org:
        loaded = load_rows(org, found.rows, org_file)
    ignored = cast("list[str]", loaded["ignored"])
    for setting in found.ignored:
        echo(f"warning: {setting} has no effect; the values are those of the files.", err=True)
    if ignored:
        echo(f"warning: not loaded, because it cannot be written: {', '.join(ignored)}.", err=True)
    if output is Output.JSON:
        echo(json.dumps(loaded))
        return
    created = cast("Mapping[str, int]", loaded["created"])
    known = cast("Mapping[str, int]", loaded["found"])
    echo(f"{_records(created)} created{_by_object(created)}.")
    if known:
        echo(f"{_records(known)} of the org used{_by_object(known)}.")


@GROUP.verb("dump", EXAMPLES["dump"])
def dump(
    folder: Annotated[
        Path, Argument(help="Folder to write to; new or empty.", metavar="FOLDER")
    ] = Path("dump"),
    update: Annotated[
        bool, Option("--update", help="Replace the CSV files that the folder has.")
    ] = False,
    org_file: OrgFile = None,
    output: OutputOption = Output.TEXT,
    state_dir: StateDir = None,
) -> None:
    """Write the records of the local org to CSV files.

    Writes one file per object; `runner org load` reads them again. Records that every org has are
    left out. The org may be running.
    """
    from runner.runs.local_org_control import org_control
    from runner.runs.local_org_records import dump_records

    state = state_folder(state_dir).create()
    with org_control(state, folder_of_org(org_file), org_file) as org:
        dumped = dump_records(org, folder, update=update)
    for name, reason in dumped.left_out.items():
        echo(f"warning: {name} is left out: {reason}.", err=True)
    if output is Output.JSON:
        document = {"records": dumped.records, "left_out": dumped.left_out}
        echo(json.dumps({"folder": str(folder), **document}))
        return
    echo(f"{folder}: {_records(dumped.records)}{_by_object(dumped.records)}.")


def _records(counts: Mapping[str, int]) -> str:
    return counted(sum(counts.values()), "record")


def _by_object(counts: Mapping[str, int]) -> str:
    listed = ", ".join(f"{name} {count:,}" for name, count in counts.items())
    return f" ({listed})" if listed else ""
