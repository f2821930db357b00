"""Local orgs that runs start, in forks of the warm process, too, instead of Python anew.

The warm process forks them, not the run: a run has threads and locks, and they would have copies.
A run asks for one over a socket, with the streams that it is to have. Knows how a run starts its
org, and nothing of what it is for. Where the system has no pidfd, runs start orgs as ever.
"""

import json
import os
import select
import signal
import socket
import subprocess
from contextlib import suppress
from pathlib import Path
from threading import Lock

PROGRAM = ["-P", "-m", "sfrunner_command"]
"""How a run calls itself."""
MOST_BYTES = 1 << 16
IS_POSSIBLE = hasattr(os, "pidfd_open") and hasattr(socket, "send_fds")


class Beside:
    """Such an org, as much of a `Popen` as a run uses."""

    returncode = None

    def __init__(self, pid, stdin, stdout):
        self.pid = pid
        self.stdin = os.fdopen(stdin, "w")
        self.stdout = os.fdopen(stdout)
        self._end = os.pidfd_open(pid)

    def poll(self):
        with suppress(subprocess.TimeoutExpired):
            self.wait(0)
        return self.returncode

    def wait(self, timeout=None):
        if not select.select([self._end], [], [], timeout)[0]:
            raise subprocess.TimeoutExpired(PROGRAM, timeout)
        self.returncode = 0
        return self.returncode

    def kill(self):
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)


def ask_for_them(channel):
    """From now on, in a fork that runs a command."""
    lock = Lock()

    class Popen(subprocess.Popen):
        def __new__(cls, command, **_options):
            if command[1:5] == [*PROGRAM, "org"]:
                with lock:
                    return started(channel, command[4:])
            return super().__new__(cls)

    subprocess.Popen = Popen


def started(channel, argv):
    read_by_it, stdin = os.pipe()
    stdout, written_by_it = os.pipe()
    asked = {"argv": argv, "cwd": str(Path.cwd()), "env": dict(os.environ)}
    socket.send_fds(channel, [json.dumps(asked).encode()], [read_by_it, written_by_it, 2])
    os.close(read_by_it)
    os.close(written_by_it)
    return Beside(int(channel.recv(MOST_BYTES)), stdin, stdout)


def channels():
    """The warm process's end and its fork's."""
    return socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)


def until_end(child, channel, fork):
    """Start orgs that a fork asks for, until it has ended; `fork` starts one and gives its pid."""
    end = os.pidfd_open(child)
    try:
        while True:
            ready, _, _ = select.select([channel, end], [], [])
            content, streams = None, []
            if channel in ready:
                content, streams, _, _ = socket.recv_fds(channel, MOST_BYTES, 3)
            if content:
                pid = fork({**json.loads(content), "streams": streams})
                for each in streams:
                    os.close(each)
                channel.send(str(pid).encode())
            elif end in ready:
                return
            else:  # its last copy of the socket is closed
                select.select([end], [], [])
                return
    finally:
        os.close(end)
