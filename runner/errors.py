"""Every error a user can see, with its exit code and what to do next.

    RunnerError                    exit 1
    ├── UsageError                 exit 2   options that contradict each other or make no sense
    ├── JobError                   exit 2   the job is wrong; has every problem, with positions
    │   └── RailError              exit 6   a limit of the job stops the run before it writes
    ├── SourceError                exit 1   a source cannot be read as declared: file, row or byte
    │   └── FileChangedError       exit 1   a row's file is not what it was when the rows were read
    ├── StateError                 exit 1   ledger, folder or result file on this machine
    │   └── StorageError           exit 1   disk full or not writable; the run can be resumed
    ├── SignInError                exit 4   no token, or one that the org rejects
    │   └── WrongOrgError          exit 4   a token of another org than the connection means
    ├── NotConfirmedError          exit 8   changes need a confirmation, and got none
    ├── LockHeldError              exit 11  another run of this job is in progress
    ├── AbortedError               exit 130 or 143   a signal; the ledger is complete
    └── OrgError                   exit 1   the org refused; has its status, code and message
        ├── UnexpectedAnswerError  exit 1   an answer that no Salesforce API gives
        └── TransientError         exit 5   it may work later
            ├── TransportError     exit 5   no answer, or half of one
            │   └── DamagedAnswerError   exit 1   it arrives short or garbled each time
            └── LimitError         exit 5   a limit of the org is reached

Knows nothing of how they are printed. Errors of a library become one of these where the library
is imported.
"""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, ClassVar

from runner.redaction import redacted
from runner.wording import counted

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from runner.diagnostics import Diagnostic
    from runner.outcome import RunOutcome


class ExitCode(IntEnum):
    """What the command returns to the shell."""

    DONE = 0
    FAILED = 1
    INVALID = 2
    PARTIAL = 3
    SIGN_IN = 4
    TEMPORARY = 5
    STOPPED = 6
    """A limit of the job, or its protected connection, keeps the run from writing."""
    PENDING = 8
    """Changes are pending: they wait for a confirmation, or for a run."""
    LOCKED = 11
    OVERDUE = 12
    """A job has not succeeded as often as it is expected to."""
    DEFECT = 70
    INTERRUPTED = 130
    TERMINATED = 143

    @property
    def is_by_signal(self) -> bool:
        """Whether a signal ended it."""
        return self in {ExitCode.INTERRUPTED, ExitCode.TERMINATED}

    @property
    def ended_well(self) -> bool:
        """Whether every task did what it could: what `--fail-fast` goes on after."""
        return self in {ExitCode.DONE, ExitCode.PARTIAL}


class RunnerError(Exception):
    """Base of all; `hint` says what to do next."""

    exit_code: ExitCode = ExitCode.FAILED
    resumed: RunOutcome | None = None
    """The unfinished run that was finished before the run that could not start."""
    job_file: Path | None = None
    """The job that could not start, if there are several."""
    not_started: str | None = None
    """Which jobs of the command were not started, if there are several."""

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        # Messages quote the org and others; they go to logs, the ledger and files from here.
        self.message = redacted(message, shapes=True)
        self.hint = None if hint is None else redacted(hint, shapes=True)
        super().__init__(self.message)


class UsageError(RunnerError):
    """The command line asks for something impossible."""

    exit_code = ExitCode.INVALID


class JobError(RunnerError):
    """The job file is wrong; nothing was attempted."""

    exit_code = ExitCode.INVALID

    def __init__(self, diagnostics: tuple[Diagnostic, ...]) -> None:
        self.diagnostics = diagnostics
        count = len(diagnostics)
        self.count = counted(count, "problem")
        super().__init__(f"{self.count}; nothing was attempted.")

    def __str__(self) -> str:
        """The message and the first problems: what a log of Python has of an error."""
        shown = [_in_a_line(each) for each in self.diagnostics[:_MOST_SHOWN]]
        more = len(self.diagnostics) - len(shown)
        lines = [self.message, *shown, *([f"and {more:,} more"] if more else [])]
        return redacted("\n".join(lines), shapes=True)


def _in_a_line(problem: Diagnostic) -> str:
    at = problem.position
    place = f"{problem.file}:{at.line}:{at.column}" if at else str(problem.file)
    return f"{place}: {problem.message}" + (f" ({problem.help})" if problem.help else "")


_MOST_SHOWN = 20
"""Problems in the text of an error; `diagnostics` has all."""


class RailError(JobError):
    """A limit of the job would be exceeded, or a protected connection is not confirmed.

    Attributes:
        resumable: Whether a resume goes on: the run wrote before this could be known.
        rows: How many rows the task has read that was about to write.
    """

    exit_code = ExitCode.STOPPED

    def __init__(self, diagnostics: tuple[Diagnostic, ...], *, resumable: bool = False) -> None:
        super().__init__(diagnostics)
        self.rows = 0
        count = len(diagnostics)
        self.count = f"{counted(count, 'limit')} reached"
        self.message = f"{self.count}; nothing {'more ' if resumable else ''}was written."
        self.resumable = resumable


class SourceError(RunnerError):
    """A source cannot be read as the job declares it."""


class FileChangedError(SourceError):
    """A file that a row names is gone, or is no longer what it was when the rows were read."""


class StateError(RunnerError):
    """A file of the runner on this machine cannot be read or written."""


class StorageError(StateError):
    """A file cannot be written: the disk is full, or this user may not write there.

    Once that is fixed, the run can be resumed.
    """


class SignInError(RunnerError):
    """A token is missing, unreadable, revoked or of another org."""

    exit_code = ExitCode.SIGN_IN


class WrongOrgError(SignInError):
    """A token of another org than the connection means.

    Attributes:
        key: The key of the connection that says so: `org_id`, `domain` or `environment`.
    """

    def __init__(self, message: str, *, key: str, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.key = key


class NotConfirmedError(RunnerError):
    """The changes need a confirmation and got none; nothing was changed."""

    exit_code = ExitCode.PENDING


class LockHeldError(RunnerError):
    """Another run of this job, or one that adds to the same file, is under way."""

    exit_code = ExitCode.LOCKED


class AbortedError(RunnerError):
    """A signal ended the run."""

    of_signal: ClassVar[ExitCode | None] = None
    """Of the signal that this process got; None if it got none."""

    def __init__(self, exit_code: ExitCode) -> None:
        word = "interrupted" if exit_code is ExitCode.INTERRUPTED else "terminated"
        super().__init__(f"The run was {word}.", hint="`runner resume` continues where it stopped.")
        self.exit_code = exit_code


class OrgError(RunnerError):
    """The org refused a request."""

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        code: str | None = None,
        fields: tuple[str, ...] = (),
        hint: str | None = None,
    ) -> None:
        super().__init__(message, hint=hint)
        self.status = status
        self.code = code
        self.fields = fields


class UnexpectedAnswerError(OrgError):
    """The org, or a proxy in front of it, gave an answer that no Salesforce API gives."""


class TransientError(OrgError):
    """Retries are used up, or the org asks to try later."""

    exit_code = ExitCode.TEMPORARY


class TransportError(TransientError):
    """No answer, or half of one.

    Attributes:
        may_have_arrived: Whether the org may have executed the request.
    """

    def __init__(self, message: str, *, may_have_arrived: bool, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.may_have_arrived = may_have_arrived


class DamagedAnswerError(TransportError):
    """An answer that arrived short or garbled, although the connection was fine.

    It is fetched again; this is raised when it stays so, which calls for a look at what is between
    this machine and the org.

    Attributes:
        what: What arrived: `The answer to GET /services/data`.
        reason: What is wrong with it.
    """

    exit_code = ExitCode.FAILED

    def __init__(self, what: str, reason: str, *, tried: str = "", hint: str | None = None) -> None:
        self.what = what
        self.reason = reason
        super().__init__(
            f"{what} arrived damaged: {reason}{tried}.",
            may_have_arrived=True,
            hint=hint
            or "A proxy may cut or change answers on their way: check HTTPS_PROXY and the proxy; "
            "`runner resume` asks again.",
        )


class LimitError(TransientError):
    """A limit of the org is reached, such as the daily API requests."""


def library_of(error: ImportError) -> str | None:
    """The library that is missing; None if it is not known. fsspec tells it in the cause only."""
    cause = error.__cause__
    return error.name or (cause.name if isinstance(cause, ImportError) else None)


def all_of(errors: Sequence[RunnerError]) -> RunnerError:
    """Several errors of a kind in one: the problems of all jobs, or all messages."""
    if len(errors) == 1:
        return errors[0]
    others = [each for each in errors if not isinstance(each, JobError)]
    words = " ".join(each.message for each in others) or None
    problems = tuple(
        found for each in errors if isinstance(each, JobError) for found in each.diagnostics
    )
    if not problems:
        return UsageError(words or "", hint=others[0].hint)
    error = JobError(problems)
    error.hint = words
    return error
