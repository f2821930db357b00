"""Files that appear whole or not at all, and folders for one pair of eyes.

Knows temp, fsync and rename. Knows nothing of what the files hold.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from runner.errors import StorageError

PRIVATE_FILE = 0o600
PRIVATE_FOLDER = 0o700


def private_folder(path: Path) -> Path:
    """Make a folder, and those above it, that only its owner may enter; give it back.

    One that exists already keeps its mode: it may be a folder that a team shares.

    Raises:
        StateError: It cannot be made, or a file stands in its place.
    """
    with _told(f"The folder {path} cannot be made"):
        for folder in (*reversed(path.parents), path):
            if not folder.is_dir():
                with contextlib.suppress(FileExistsError):  # another run made it meanwhile
                    folder.mkdir(mode=PRIVATE_FOLDER)
        if not path.is_dir():
            raise NotADirectoryError(20, "a file stands in its place")
    return path


@contextmanager
def atomic_target(path: Path, mode: int = PRIVATE_FILE) -> Iterator[Path]:
    """Give a temporary file beside `path` that takes its place once the block ends well.

    The temporary file has its mode from its first byte. It is synced before it is renamed, and
    gone when the block raises: `path` is then as it was. A symbolic link stays one; the file it
    points at is replaced.

    Raises:
        StateError: The folder is missing, read-only or full.
    """
    path = Path(os.path.realpath(path))
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        with _told(f"{path} cannot be written", about=temporary):
            os.close(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode))
            temporary.chmod(mode)  # the umask may have taken bits away
            yield temporary
            _sync(temporary)
            temporary.replace(path)
            _sync(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def write_atomic(path: Path, content: bytes | str, mode: int = PRIVATE_FILE) -> None:
    """Write a whole file, text as UTF-8; readers see the old content or the new, never a half.

    Raises:
        StateError: The folder is missing, read-only or full.
    """
    with atomic_target(path, mode) as temporary:
        temporary.write_bytes(content.encode() if isinstance(content, str) else content)


def _sync(path: Path) -> None:
    """Wait until a file, or the names in a folder, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _told(what: str, *, about: Path | None = None) -> Iterator[None]:
    """Turn an OSError into a StateError; with `about`, leave one that names another file alone."""
    try:
        yield
    except OSError as error:
        if about is not None and error.filename not in (None, str(about), str(about.parent)):
            raise
        raise StorageError(
            f"{what}: {error.strerror or error}.",
            hint="Check that the folder exists, that this user may write there and that the disk "
            "is not full.",
        ) from error
