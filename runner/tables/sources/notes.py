"""What the user should know about how files were read, with the names of the files.

Knows notes. Knows nothing of what they say.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from itertools import chain
from pathlib import Path

from msgspec.structs import replace

from runner.tables.sources.csv import Records

_EMPTY = "empty, skipped"
_Notes = Iterable[tuple[Path, str]]


def with_file_names(
    opened: Sequence[Records], files: Sequence[Path], pattern: Path
) -> tuple[Records, ...]:
    """Name the files in their notes; a note shared by several is given once, by the first."""
    own = ((records.path, note) for records in opened for note in records.notes)
    notes = _named(files, {records.path for records in opened}, own)
    notes += _folder_note(files, pattern, opened[0].columns)
    return tuple(
        replace(records, notes=() if place else notes) for place, records in enumerate(opened)
    )


def file_notes(
    files: Sequence[Path],
    read: Sequence[Path],
    note_of: Callable[[Path], str | None],
    pattern: Path,
    columns: Sequence[str],
) -> tuple[str, ...]:
    """The notes of files that are read one after the other as one.

    Args:
        files: All files.
        read: Those that have content.
        note_of: Gives what there is to say of one of these.
        pattern: What matches the files.
        columns: Theirs.
    """
    notes = ((file, note) for file in read if (note := note_of(file)) is not None)
    return _named(files, set(read), notes) + _folder_note(files, pattern, columns)


def _named(files: Sequence[Path], read: Collection[Path], own: _Notes) -> tuple[str, ...]:
    """Notes with the names of their files; each note once."""
    named: dict[str, list[str]] = {}
    for file, note in chain(((file, _EMPTY) for file in files if file not in read), own):
        named.setdefault(note, []).append(file.name)
    return tuple(
        f"{names[0]}{f' and {len(names) - 1:,} more' if names[1:] else ''}: {note}"
        for note, names in named.items()
    )


def _folder_note(files: Sequence[Path], pattern: Path, columns: Sequence[str]) -> tuple[str, ...]:
    """The columns of which only folders tell the values: `region` in `region=EU/part-0.parquet`."""
    fixed = next((at for at, part in enumerate(pattern.parts) if set(part) & set("*?[")), None)
    folders = () if fixed is None else (part for file in files for part in file.parts[fixed:-1])
    named = dict.fromkeys(part.partition("=")[0] for part in folders if "=" in part)
    own = {column.lower() for column in columns}
    found = [each for each in named if each and each.lower() not in own]
    return (f"named by folders only, not read: {', '.join(found)}",) if found else ()
