"""What the command and the workers tell each other, as JSON.

Paths in the project and in the state are relative, as each machine has its own folders. What a
worker says is redacted before it leaves: only there are its secrets known. Knows nothing of Dask.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from msgspec import Struct

from runner import events
from runner.credentials import SecretReference
from runner.diagnostics import Diagnostic
from runner.errors import ExitCode, JobError, RailError, RunnerError
from runner.outcome import RunOutcome
from runner.state.process import ProcessIdentity
from runner.telemetry.document import redacted_value

Value = TypeVar("Value")
_EVENTS: dict[str, type[events.Event]] = {
    each.__name__: each
    for each in (
        events.RunStarted,
        events.Connected,
        events.ApiCallsCounted,
        events.TaskStarted,
        events.Progress,
        events.Retrying,
        events.Warned,
        events.Noticed,
        events.TaskFinished,
        events.RunFinished,
    )
}


class Places(Struct, frozen=True):
    """The folders of this machine that paths in messages are relative to."""

    project: Path
    state: Path | None = None

    @property
    def _roots(self) -> tuple[tuple[str, Path], ...]:
        project = ("project:", self.project)
        return (project,) if self.state is None else (("state:", self.state), project)

    def text(self, path: Path) -> str:
        """A path as it travels."""
        for mark, root in self._roots:
            if path.is_relative_to(root):
                return mark + path.relative_to(root).as_posix()
        return str(path)

    def path(self, text: str) -> Path:
        """A path that has travelled, on this machine."""
        for mark, root in self._roots:
            if text.startswith(mark):
                return root / text.removeprefix(mark)
        return Path(text)

    def encoded(self, value: object, *, safe: bool = True) -> str:
        """A value as JSON; `safe`: without secrets."""
        plain = msgspec.to_builtins(value, enc_hook=self.text)
        return json.dumps(redacted_value(plain) if safe else plain)

    def decoded(self, kind: type[Value], text: str) -> Value:
        """The value of some JSON."""
        return self._value(kind, json.loads(text))

    def event_text(self, event: events.Event) -> str:
        """An event as JSON."""
        return self.encoded([type(event).__name__, event])

    def event(self, text: str) -> events.Event:
        """The event of some JSON."""
        name, members = json.loads(text)
        return self._value(_EVENTS[name], members)

    def _value(self, kind: type[Value], plain: object) -> Value:
        def path(_kind: type, given: Any) -> Path:  # noqa: ANN401 - as it was written
            return self.path(given)

        return msgspec.convert(plain, kind, dec_hook=path)


class Question(Struct, frozen=True):
    """What the command wants to know of a worker before anything is sent."""

    state: str
    """A folder, or the address of a shared state, without its password."""
    files: tuple[tuple[str, str], ...] = ()
    """Job files and files of connections, each with the SHA-256 of its bytes."""
    modules: tuple[tuple[str, str], ...] = ()
    """Optional modules that the jobs need, and the extra that each is in."""


class Report(Struct, frozen=True):
    """What a worker says of itself."""

    version: str
    python: str = ""
    process: ProcessIdentity = ProcessIdentity(0, "")
    project: str = ""
    missing: tuple[str, ...] = ()
    """Files that it does not have."""
    different: tuple[str, ...] = ()
    """Files whose version differs on the worker."""
    extras: tuple[str, ...] = ()
    """Extras that it lacks."""
    state_error: str | None = None
    """Why it cannot use the state."""
    jobs: tuple[str, ...] = ()
    """What it runs at the moment."""


class Order(Struct, frozen=True):
    """A job to run, and how. No secret is in it: a token is named, not told."""

    fleet: str
    """The command that gives it."""
    number: int
    """Of the job, in this command."""
    job_file: str
    sha256: str
    request: str
    """As JSON."""
    state: str
    state_of: str | None = None
    """The file of the project that alone says where the state is, if so: no token may go there."""
    hosts: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()
    token: SecretReference | None = None
    wait_lock_seconds: float = 0.0
    ends_at: float | None = None
    """Seconds since 1970."""
    max_disk_bytes: int | None = None
    parallel: int = 1
    allowed: tuple[str, ...] = ()
    confirmed: tuple[str, ...] = ()
    excel_safe: bool = False
    threads: int = 1
    """Of the cluster, which stage large sources together."""
    least_rows: int = 0
    """Of a source that is worth being staged by several workers."""


class Problem(Struct, frozen=True):
    """An error of the runner."""

    message: str
    hint: str | None
    exit_code: ExitCode
    diagnostics: tuple[Diagnostic, ...] = ()
    resumed: RunOutcome | None = None

    @classmethod
    def of(cls, error: RunnerError) -> Problem:
        """An error as it travels."""
        found = error.diagnostics if isinstance(error, JobError) else ()
        return cls(error.message, error.hint, error.exit_code, found, error.resumed)

    @property
    def error(self) -> RunnerError:
        """The error, to be handled as one of this process."""
        error: RunnerError
        if self.diagnostics:
            is_rail = self.exit_code is ExitCode.STOPPED
            error = (RailError if is_rail else JobError)(self.diagnostics)
            error.message, error.hint = self.message, self.hint
        else:
            error = RunnerError(self.message, hint=self.hint)
        error.exit_code, error.resumed = self.exit_code, self.resumed
        return error


class Answer(Struct, frozen=True):
    """How an order ended: the run, the error that kept it from starting, or a crash."""

    attempt: str
    """Names this execution of the order: one whose worker died is executed again."""
    outcome: RunOutcome | None = None
    problem: Problem | None = None
    crash: str | None = None
    """Report of an error that is a mistake of the runner."""
