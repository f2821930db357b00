"""How a source writes its values, kept beside the row results that repeat them.

Another task, or a retry, reads those rows as the source was read. Knows shapes. Knows nothing of
what is in the rows.
"""

from __future__ import annotations

from pathlib import Path

import msgspec
from msgspec.structs import replace

from runner.errors import StateError
from runner.files import atomic_write
from runner.job.endpoints import FileShape, Written
from runner.tables.sources.csv import PLAIN_CSV, plain_csv

WITH_NAN = (replace(PLAIN_CSV, has_nan=True),)
"""Of a column of floating point numbers, some of which are no numbers."""
WITH_LISTS = (replace(PLAIN_CSV, has_lists=True),)
"""Of a column of lists, which are JSON."""
_FILE = "written.json"
_SHAPES = msgspec.json.Decoder(dict[str, tuple[FileShape, ...]])


def value_shape(shape: FileShape) -> FileShape:
    """How values are written once those that mean a blank are blank."""
    return replace(
        plain_csv(shape),
        nulls=(),
        has_nan=shape.has_nan,
        has_lists=shape.has_lists,
        has_objects=shape.has_objects,
    )


def save_written(written: Written, folder: Path) -> None:
    """Save how columns are written; nothing if all are as SQL writes them.

    Raises:
        StateError: It cannot be saved.
    """
    values = {column: tuple(map(value_shape, shapes)) for column, shapes in written.items()}
    if any(shapes != (PLAIN_CSV,) for shapes in values.values()):
        with atomic_write(folder / _FILE) as beside:
            beside.write_bytes(msgspec.json.encode(values))


def read_written(folder: Path) -> Written:
    """Read how columns are written.

    Raises:
        StateError: The file is damaged.
    """
    file = folder / _FILE
    if not file.exists():
        return {}
    try:
        return _SHAPES.decode(file.read_bytes())
    except (OSError, msgspec.MsgspecError) as error:
        raise StateError(f"{file} cannot be read: {error}.") from error
