"""Files that appear whole or not at all.

Knows: write beside, flush to disk, rename. Knows nothing of what is written.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from runner.errors import StateError


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """Give a file beside `path` to write to; it takes `path`'s place once it is written.

    An error leaves what was at `path` before, and nothing else. The folder is made where it is
    missing.

    Raises:
        StateError: The folder or the file cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        number, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
        os.close(number)
    except OSError as error:
        raise unwritable(path, error) from error
    beside = Path(name)
    try:
        yield beside
        with beside.open("rb+") as stream:
            os.fsync(stream.fileno())
        beside.chmod(0o666 & ~_umask())
        beside.replace(path)
    except OSError as error:
        raise unwritable(path, error) from error
    finally:
        beside.unlink(missing_ok=True)


def unwritable(path: Path, error: OSError) -> StateError:
    """Say that a file cannot be written, and why."""
    return StateError(
        f"{path} cannot be written: {error.strerror or error}.",
        hint="Check that the folder exists, is writable and has room.",
    )


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
