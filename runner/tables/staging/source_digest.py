"""Digests of what was read of a source, and whether it has something else by now.

Knows records as they are read. Knows nothing of mapping.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Sequence
from pathlib import Path

from runner.job.endpoints import FileSource
from runner.tables.sources.csv import Records
from runner.tables.sources.open import open_source


def joined_digest(digests: Sequence[str]) -> str:
    """The digest of a source that is read as several records."""
    joined = hashlib.sha256("".join(digests).encode()).hexdigest()
    return digests[0] if len(digests) == 1 else joined


def digest_of_rows(source: FileSource, folder: Path) -> str:
    """The digest of the rows of files as they are now.

    Args:
        source: Files that can be read again.
        folder: For temporary files; created if missing.

    Raises:
        SourceError: They cannot be read.
    """
    folder.mkdir(parents=True, exist_ok=True)  # somebody may have deleted the run's files
    from tempfile import TemporaryDirectory

    with TemporaryDirectory(dir=folder) as scratch:
        return joined_digest([_digest(each) for each in open_source(source, Path(scratch))])


def is_unchanged(source: FileSource, sha256: str, folder: Path) -> bool:
    """Whether reading a source gives the digest that its rows had when they were staged.

    Args:
        source: Files that can be read again.
        sha256: `StagedRows.source_sha256`, or of `digest_of_rows`.
        folder: For temporary files; created if missing.

    Raises:
        SourceError: It cannot be read any more.
    """
    if digest_of_rows(source, folder) == sha256:
        return True
    from tempfile import TemporaryDirectory

    with TemporaryDirectory(dir=folder) as scratch:
        # What DuckDB could not read as it was has been staged, and counted, as plain CSV.
        plain = [
            _digest(each.normalize(Path(scratch) / f"plain-{at}.csv"))
            for at, each in enumerate(open_source(source, Path(scratch)))
            if each.normalize is not None
        ]
        return joined_digest(plain) == sha256


def _digest(records: Records) -> str:
    deque(records.blocks, maxlen=0)
    return records.digest.hexdigest()
