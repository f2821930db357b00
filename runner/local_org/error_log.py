"""Where defects of a served org are written: `errors.log` in its folder, and one line on stderr.

Knows handlers of `logging`. Knows nothing of requests and jobs, whose modules log their defects.
"""

from __future__ import annotations

import logging
from pathlib import Path

FILE_NAME = "errors.log"


def log_errors(folder: Path) -> None:
    """Write defects, with their tracebacks, to a folder's log; tell each kind once on stderr.

    Stderr is usually the terminal of the person who runs a job, who cannot use a traceback.
    """
    path = folder / FILE_NAME
    whole = logging.FileHandler(path, encoding="utf-8", delay=True)
    whole.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
    brief = logging.StreamHandler()
    brief.setFormatter(_OneLine(path))
    brief.addFilter(_Once())
    log = logging.getLogger(__package__)
    log.propagate = False
    for handler in (whole, brief):
        handler.setLevel(logging.ERROR)
        log.addHandler(handler)


class _OneLine(logging.Formatter):
    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path

    def format(self, record: logging.LogRecord) -> str:
        kind = record.exc_info[0] if record.exc_info else None
        name = f": {kind.__name__}" if kind else ""
        return f"local org: {record.getMessage()} failed{name}; details in {self._path}"


class _Once(logging.Filter):
    """Lets each message through once; a client that retries meets the same defect again."""

    def __init__(self) -> None:
        super().__init__()
        self._seen: set[str] = set()

    def filter(self, record: logging.LogRecord) -> bool:
        message = record.getMessage()
        is_new = message not in self._seen
        self._seen.add(message)
        return is_new
