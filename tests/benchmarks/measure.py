"""Runs one command and says what it took: a process of its own, small, so that it hides nothing.

    python -S -E measure.py OUTPUT ERRORS COMMAND...

Prints one line of JSON: seconds on the clock, seconds of CPU (user and system, of the command and
its own children), peak memory in bytes, exit code. A command that is started begins with the
memory of whoever starts it; that is why this is not done by the harness itself.
"""

from __future__ import annotations

import json
import os
import sys
import time


def main() -> None:
    """Run what the command line says."""
    output, errors, *command = sys.argv[1:]
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    actions = [
        (os.POSIX_SPAWN_OPEN, 1, output, flags, 0o644),
        (os.POSIX_SPAWN_OPEN, 2, errors, flags, 0o644),
    ]
    began = time.perf_counter()
    child = os.posix_spawnp(command[0], command, os.environ, file_actions=actions)
    _, status, used = os.wait4(child, 0)
    taken = {
        "seconds": time.perf_counter() - began,
        "cpu_seconds": used.ru_utime + used.ru_stime,
        "peak_bytes": used.ru_maxrss * 1024,
        "exit_code": os.waitstatus_to_exitcode(status),
    }
    sys.stdout.write(json.dumps(taken) + "\n")


if __name__ == "__main__":
    main()
