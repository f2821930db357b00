"""Whether the process that wrote something down is still there.

A pid alone does not tell: pids come round again, and in a container every run may have pid 1. So
the moment the process began is kept beside it, in the kernel's own count.
"""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from pathlib import Path

_STARTED_FIELD = 19
"""Of /proc/PID/stat after the command's name: field 22, `starttime`, in proc(5)."""


@dataclass(frozen=True, slots=True)
class Presence:
    """A process, such that another cannot be taken for it."""

    pid: int
    host: str
    began: str | None = None
    """Opaque; None where the system does not tell."""

    @classmethod
    def here(cls) -> Presence:
        """Describe this process."""
        pid = os.getpid()
        return cls(pid, socket.gethostname(), _began(pid))

    def is_gone(self) -> bool:
        """Tell whether it has ended for sure; of another machine's process nothing is sure."""
        if self.host != socket.gethostname():
            return False
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return True
        except PermissionError:
            return False  # it exists, and belongs to another user
        return self.began is not None and self.began != _began(self.pid)


def _began(pid: int) -> str | None:
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return None
    # The command's name may hold spaces and brackets; nothing after the last bracket does.
    fields = status.rpartition(")")[2].split()
    if fields[0] == "Z":
        return None  # it has ended, though nobody has asked how: so it is with some pid 1
    return f"{boot}/{fields[_STARTED_FIELD]}"
