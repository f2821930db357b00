"""Which job files the words of a command line mean: files, folders, patterns and tags.

Knows what makes a YAML file a job. Knows nothing of what is done with the jobs.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from glob import glob
from pathlib import Path
from typing import Annotated

from runner.cli.declare import Argument, Option
from runner.errors import UsageError
from runner.files import real_path

JobFiles = Annotated[
    list[Path],
    Argument(
        help="Job files, folders of them, or patterns such as 'jobs/**/*.yaml'.",
        metavar="JOB…",
        show_default=False,
    ),
]
OptionalJobFiles = Annotated[
    list[Path] | None,
    Argument(
        help="Job files, folders of them, or patterns such as 'jobs/**/*.yaml'.",
        metavar="[JOB…]",
        show_default=False,
    ),
]
Tags = Annotated[
    list[str] | None,
    Option(
        "--tag",
        envvar="SFRUNNER_TAG",
        help="Only jobs with this tag; repeatable.",
        metavar="TAG",
    ),
]

_NO_JOB = (
    "A job is a YAML file with `connection` and `tasks`; `runner init` writes one to start from."
)
_SUFFIXES = frozenset({".yaml", ".yml"})
_KEYS_OF_A_JOB = frozenset({"connection", "tasks"})
_LOOKS_LIKE_A_JOB = re.compile(rb"^(?:connection|tasks)[ \t]*:", re.MULTILINE)


def job_files(given: Sequence[Path], tags: Sequence[str] | None = None) -> list[Path]:
    """The job files that are meant, those of a folder or a pattern in the order of their names.

    A file is taken as it is given. Of a folder (and the folders in it, but no hidden ones) and of a
    pattern, the YAML files with `connection` or `tasks` are taken, each once, also where links lead
    to it.

    Raises:
        UsageError: A folder or pattern has no job, or no job has one of the tags.
    """
    found: list[Path] = []
    for each in given:
        files, known = _meant_by(each), set(map(real_path, found))
        found += files if files == [each] else [f for f in files if real_path(f) not in known]
    return _tagged(found, tags) if tags else found


def jobs_below(folder: Path) -> list[Path]:
    """Every job in a folder and the folders in it, sorted by name; hidden folders are skipped."""
    return _jobs_among(_files_below(folder))


def _files_below(folder: Path) -> Iterator[Path]:
    # Unlike `rglob`, `walk` passes over folders that vanish meanwhile.
    for place, folders, files in os.walk(folder):
        folders[:] = (each for each in folders if not each.startswith("."))
        yield from (Path(place, each) for each in files if not each.startswith("."))


def _meant_by(given: Path) -> list[Path]:
    from runner.job.notation import is_pattern

    if given.is_dir():
        found, hint = jobs_below(given), _NO_JOB
    elif is_pattern(given) and not given.exists():
        matching = [*map(Path, glob(str(given), recursive=True))]  # noqa: PTH207 - of any folder
        found = _jobs_among(matching)
        hint = _NO_JOB if matching else "`**` stands for folders in folders; put it in quotes."
    else:
        return [given]
    if not found:
        raise UsageError(f"There is no job in `{given}`.", hint=hint)
    return found


def _jobs_among(files: Iterable[Path]) -> list[Path]:
    of_place: dict[Path, Path] = {}
    for file in sorted(files, key=lambda each: (each.is_symlink(), each)):
        if file.suffix.lower() in _SUFFIXES and file.is_file() and is_job(file):
            of_place.setdefault(real_path(file), file)
    return sorted(of_place.values())


def is_job(file: Path) -> bool:
    """Whether a YAML file is a job, also one with mistakes: those are for a check to find.

    A file that is gone by now, such as an editor's temporary one, is none.
    """
    from runner.job.yaml.document import read_document

    document = read_document(file)
    if not document.is_broken:
        from runner.job.foreign_files import of_another_tool

        has_keys = not _KEYS_OF_A_JOB.isdisjoint(document.values)
        return has_keys and of_another_tool(document) is None
    try:
        return _LOOKS_LIKE_A_JOB.search(file.read_bytes()) is not None
    except FileNotFoundError:
        return False
    except OSError:
        return True


def _tagged(files: Sequence[Path], tags: Sequence[str]) -> list[Path]:
    """The jobs that have one of the tags, and those that cannot be read."""
    of_file = {file: set(_tags_of(file)) for file in files}
    known = sorted(set().union(*(has - {_UNREADABLE} for has in of_file.values())))
    unknown = next((tag for tag in tags if tag not in known), None)
    if unknown is not None:
        from runner.suggest import did_you_mean

        listed = f"The jobs have the tags {', '.join(known)}." if known else "No job has a tag."
        raise UsageError(
            f"No job has the tag `{unknown}`.", hint=did_you_mean(unknown, known, listed)
        )
    wanted = {*tags, _UNREADABLE}
    return [file for file in files if wanted & of_file[file]]


_UNREADABLE = ""
"""In place of tags, where a job cannot be read: it is a problem to report, not to leave out."""


def _tags_of(file: Path) -> Iterator[str]:
    from runner.job.yaml.document import read_document

    document = read_document(file)
    if document.problems:
        yield _UNREADABLE
    tags = document.values.get("tags")
    yield from (tag for tag in tags if isinstance(tag, str)) if isinstance(tags, list) else ()
