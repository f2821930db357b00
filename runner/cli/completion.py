"""Words that a shell completes: tasks, params and targets of the job that is typed, and run ids.

Answers with nothing where a job or the ledger cannot be read: a shell shows no errors. Reads the
text of a job only, so that a key stroke does not wait for its checks.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, Protocol

_MOST_RUNS = 30


class Line(Protocol):
    """The command line so far, as Typer passes it to a parameter that is called `ctx`."""

    args: list[str]
    params: dict[str, Any]


def tasks(ctx: Line, incomplete: str) -> list[str]:
    """Tasks of the jobs on the command line, as they are written."""
    found = (
        task.get("name")
        for values in _jobs(ctx)
        for task in _list(values.get("tasks"))
        if isinstance(task, dict)
    )
    return _beginning(found, incomplete)


def params(ctx: Line, incomplete: str) -> list[str]:
    """Params of the jobs, each with its `=`."""
    found = (f"{name}=" for values in _jobs(ctx) for name in _mapping(values.get("params")))
    return _beginning(found, incomplete)


def targets(ctx: Line, incomplete: str) -> list[str]:
    """Targets of the jobs."""
    from runner.job.connections import target_names

    found: list[str] = []
    for file in _files(ctx):
        with suppress(Exception):
            found += target_names(file)
    return _beginning(found, incomplete)


def runs(ctx: Line, incomplete: str) -> list[str]:
    """Ids of the newest runs, newest first."""
    import sqlite3

    from runner.state.paths import state_at

    found: list[str] = []
    with suppress(Exception):
        given = ctx.params.get("state_dir")  # as text: nothing is converted yet
        ledger = state_at(given, os.environ).ledger
        # Not the Ledger: it would create and change the file.
        with closing(sqlite3.connect(f"{ledger.as_uri()}?mode=ro", uri=True)) as connection:
            rows = connection.execute(
                "SELECT run_id FROM runs ORDER BY started DESC LIMIT ?", (_MOST_RUNS,)
            )
            found = [str(run_id) for (run_id,) in rows]
    return _beginning([*found, "last"], incomplete)


def _jobs(ctx: Line) -> Iterator[Mapping[str, Any]]:
    from runner.job.yaml.document import read_document

    for file in _files(ctx):
        with suppress(Exception):
            yield read_document(file).values


def _files(ctx: Line) -> list[Path]:
    """The jobs on the command line; while a word is completed they are unparsed words."""
    return [file for word in ctx.args if (file := Path(word).expanduser()).is_file()]


def _beginning(found: Any, incomplete: str) -> list[str]:  # noqa: ANN401 - what a job has there
    names = [each for each in found if isinstance(each, str) and each.startswith(incomplete)]
    return list(dict.fromkeys(names))


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
