"""Every error a user can meet, with its exit code and what to do next.

    RunnerError                    exit 1
    ├── UsageError                 exit 2   options that contradict or make no sense
    ├── JobError                   exit 2   the job is wrong; carries every problem, with positions
    ├── SourceError                exit 1   a source cannot be read as declared: file, row or byte
    ├── StateError                 exit 1   ledger, folder or result file on this machine
    │   └── StorageError           exit 1   no room, no right to write; a resume goes on later
    ├── SignInError                exit 4   no token, or one that the org no longer takes
    ├── NotConfirmedError        exit 8   somebody must say yes first, and nobody did
    ├── LockHeldError              exit 11  another run of this job is under way
    ├── AbortedError               exit 130 or 143   a signal; the ledger is true
    └── OrgError                   exit 1   the org refused; carries its status, code and message
        ├── UnexpectedAnswerError  exit 1   an answer that no Salesforce API gives
        └── TransientError         exit 5   it may work later
            ├── TransportError     exit 5   no answer, or half of one
            └── LimitError         exit 5   a limit of the org is used up

Knows nothing of how they are printed. Third-party errors become one of these at the seam that
imports the third party.
"""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING

from runner.credentials import redacted

if TYPE_CHECKING:
    from runner.diagnostics import Diagnostic


class ExitCode(IntEnum):
    """What the command answers to the shell."""

    DONE = 0
    FAILED = 1
    INVALID = 2
    PARTIAL = 3
    SIGN_IN = 4
    TEMPORARY = 5
    CHANGES_PENDING = 8
    LOCKED = 11
    DEFECT = 70
    INTERRUPTED = 130
    TERMINATED = 143


class RunnerError(Exception):
    """Base of all; `hint` says what to do next."""

    exit_code: ExitCode = ExitCode.FAILED

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        # Messages quote what others said; they go into logs, the ledger and files from here.
        self.message = redacted(message)
        self.hint = None if hint is None else redacted(hint)
        super().__init__(self.message)


class UsageError(RunnerError):
    """The command line asks for something that cannot be."""

    exit_code = ExitCode.INVALID


class JobError(RunnerError):
    """The job file is wrong; nothing was attempted."""

    exit_code = ExitCode.INVALID

    def __init__(self, diagnostics: tuple[Diagnostic, ...]) -> None:
        count = len(diagnostics)
        super().__init__(f"{count} problem{'s' if count != 1 else ''}; nothing was attempted.")
        self.diagnostics = diagnostics


class SourceError(RunnerError):
    """A source cannot be read as the job declares it."""


class StateError(RunnerError):
    """Something on this machine that outlives a run cannot be read or written."""


class StorageError(StateError):
    """Something cannot be written on this machine, for want of room or of the right to.

    It passes once somebody mends it: the run that met it can be resumed.
    """


class SignInError(RunnerError):
    """A token is missing, unreadable, revoked or of another org."""

    exit_code = ExitCode.SIGN_IN


class NotConfirmedError(RunnerError):
    """Somebody must say yes first, and nobody did; nothing was changed."""

    exit_code = ExitCode.CHANGES_PENDING


class LockHeldError(RunnerError):
    """Another run of this job holds the lock."""

    exit_code = ExitCode.LOCKED


class AbortedError(RunnerError):
    """A signal ended the run."""

    def __init__(self, exit_code: ExitCode) -> None:
        word = "interrupted" if exit_code is ExitCode.INTERRUPTED else "terminated"
        super().__init__(f"The run was {word}.", hint="`runner resume` goes on where it stopped.")
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
    """The org, or something in front of it, answered what no Salesforce API answers."""


class TransientError(OrgError):
    """Retries are used up, or the org asks to come back later."""

    exit_code = ExitCode.TEMPORARY


class TransportError(TransientError):
    """No answer, or half of one.

    Attributes:
        may_have_arrived: Whether the request may have been carried out all the same.
    """

    def __init__(self, message: str, *, may_have_arrived: bool, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.may_have_arrived = may_have_arrived


class LimitError(TransientError):
    """A limit of the org is used up, such as the daily API requests."""
