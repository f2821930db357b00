"""The process that commands of tests are forks of, and the commands that run in them."""

import csv
import json
import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from tests import short_form

FOR_FORKS = {
    "OPENBLAS_NUM_THREADS": "1",  # or NumPy starts threads
    "MALLOC_ARENA_MAX": "1",  # threads of a fork take memory that it has, not pages of their own
}
"""Variables of the process that forks; each fork has its own."""


def command_seconds():
    """A million rows take minutes on a machine that does other things, too."""
    return 600 if short_form.is_long else 120


@dataclass
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def document(self):
        return json.loads(self.out)

    def task(self, name):
        return next(task for task in self.document["tasks"] if task["name"] == name)

    def rows(self, kind, task="load"):
        """The rows of a result file of a task: `failed`, `succeeded`, …"""
        csv.field_size_limit(1_000_000)
        file = Path(self.task(task)["results"]) / f"{kind}.csv"
        with file.open(encoding="utf-8", newline="") as lines:
            return list(csv.DictReader(lines))

    def counts(self, *names, task="load"):
        found = self.task(task)["counts"]
        return tuple(found[name] for name in names)


class Warm:
    """A process that has everything loaded, and forks for each command."""

    def __init__(self, folder, *modules):
        """`modules`: what it loads besides."""
        self.free = threading.Lock()
        self._folder = folder
        self._modules = modules
        self._process = None
        self._started = 0

    def run(self, words, cwd, env, given):
        given_file = self._folder / "in"
        given_file.write_text(given or "", encoding="utf-8")
        pipes = [self._folder / name for name in ("out", "err")]
        for pipe in pipes:
            if not pipe.exists():
                os.mkfifo(pipe)
        asked = {
            "argv": [*map(str, words)],
            "cwd": str(cwd),
            "env": env,
            "streams": [*map(str, [given_file, *pipes])],
        }
        with ThreadPoolExecutor(len(pipes)) as pool:
            said = pool.map(lambda pipe: pipe.read_text(encoding="utf-8"), pipes)
            code = self._answer(asked)
            return Ended(code, *said)

    def start(self, words, cwd, env, *, with_errors=False):
        """Start a command that runs on, its stderr that of the tests or a stream of its own."""
        self._started += 1
        names = ("out", "err") if with_errors else ("out",)
        pipes = [self._folder / f"{name}-{self._started}" for name in names]
        for pipe in pipes:
            os.mkfifo(pipe)
        asked = {
            "argv": [*map(str, words)],
            "cwd": str(cwd),
            "env": env,
            "streams": [os.devnull, *map(str, pipes), *([] if with_errors else [None])],
            "wait": False,
        }
        with self.free:
            pid = self._answer(asked)
            return Fork(self, pid, *(pipe.open(encoding="utf-8") for pipe in pipes))

    def ask(self, asked):
        """Ask for what the other methods do not; see `warm.py`."""
        with self.free:
            return self._answer(asked)

    def end_of(self, number):
        """The exit code (or negative signal) of a command that was started; waits for its end."""
        with self.free:
            return self._answer({"ended": number})

    def end_so_far(self, number):
        """The same, or None if it runs, or if this process is busy."""
        if not self.free.acquire(blocking=False):
            return None
        try:
            return self._answer({"ended": number, "wait": False})
        finally:
            self.free.release()

    def _answer(self, asked):
        if self._process is None:
            self._process = subprocess.Popen(
                [sys.executable, Path(__file__).with_name("warm.py"), *self._modules],
                env=os.environ | FOR_FORKS,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
        late = threading.Timer(seconds := command_seconds(), self.end)
        late.start()
        try:
            self._process.stdin.write(json.dumps(asked) + "\n")
            self._process.stdin.flush()
            answer = self._process.stdout.readline()
        finally:
            late.cancel()
        said = f"no end within {seconds} s, or no process any more"
        assert answer, f"{said}: {asked.get('argv', asked)}"
        return json.loads(answer)

    def end(self):
        """End it, and with it the commands that are its forks."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.communicate()


@dataclass
class Fork:
    """A command that runs on in a fork of the warm process, as much of a `Popen` as tests use."""

    warm: Warm
    pid: int
    stdout: TextIO
    stderr: TextIO | None = None
    returncode: int | None = None
    stdin = None

    def poll(self):
        if self.returncode is None:
            self.returncode = self.warm.end_so_far(self.pid)
        return self.returncode

    def send_signal(self, number):
        if self.returncode is None:
            os.kill(self.pid, number)

    def terminate(self):
        self.send_signal(signal.SIGTERM)

    def kill(self):
        self.send_signal(signal.SIGKILL)

    def wait(self, _timeout=None):
        """Wait for its end, as long as any command may take."""
        if self.returncode is None:
            self.returncode = self.warm.end_of(self.pid)
        return self.returncode

    def communicate(self, timeout=None):
        """What it says until its end, on both streams."""
        late = threading.Timer(timeout or command_seconds(), self.kill)
        late.start()
        try:
            with ThreadPoolExecutor(1) as pool:
                out = pool.submit(self.stdout.read)
                err = self.stderr.read()
            self.wait()
        finally:
            late.cancel()
        return out.result(), err
