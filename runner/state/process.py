"""Which process it is, and whether it has ended.

Knows pids and how the kernel counts. Knows nothing of what a process does.
"""

from __future__ import annotations

import os
import platform
from pathlib import Path

from msgspec import Struct

_START_TIME_FIELD = 19
"""Of /proc/PID/stat after the command's name: field 22, `starttime`, in proc(5)."""


class ProcessIdentity(Struct, frozen=True):
    """A process that cannot be confused with another.

    A pid is not enough: pids are reused, and in a container every run may have pid 1. So the time
    at which the process started is part of it, as the kernel counts.
    """

    pid: int
    host: str
    started: str | None = None
    """Opaque; None where the system does not say."""

    @classmethod
    def current(cls) -> ProcessIdentity:
        """Identify this process."""
        pid = os.getpid()
        return cls(pid, platform.node(), _start_time(pid))

    @property
    def is_of_this_machine(self) -> bool:
        """Whether it runs, or ran, under this machine's kernel since its last start."""
        boot = (self.started or "").partition("/")[0]
        return self.host == platform.node() and (not boot or boot == _boot_id())

    def has_ended(self) -> bool:
        """Whether it is certain to have ended; nothing is certain of another machine's process."""
        if self.host != platform.node():
            return False
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return True
        except PermissionError:
            return False  # it exists, and belongs to another user
        return self.started is not None and self.started != _start_time(self.pid)


def _start_time(pid: int) -> str | None:
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    # The command's name may contain spaces and brackets; nothing after the last bracket does.
    fields = status.rpartition(")")[2].split()
    if fields[0] == "Z":
        return None  # it has ended, and its parent has not asked how: so it is with some pid 1
    return f"{_boot_id()}/{fields[_START_TIME_FIELD]}"


def _boot_id() -> str:
    """Of this machine's kernel since its last start; empty where the system does not say."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""
