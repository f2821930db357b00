"""How an error that ends the command is printed: text or JSON, or a crash report.

Knows the streams and the crash report. Knows nothing of the verbs.
"""

from __future__ import annotations

import json
import os
import platform
import sys
import tempfile
import traceback
from contextlib import suppress
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

from runner.cli.log_format import json_lines
from runner.errors import ExitCode, JobError, RunnerError, StorageError
from runner.files import NO_ROOM
from runner.redaction import redacted
from runner.version import __version__


def end_with(error: RunnerError) -> None:
    """Print the error that ends the command, and tell the CI of it."""
    output = _asked_output()
    print_error(error)
    if output != "json":
        from runner.cli.ci import print_ends, tell_ci_error

        print_ends([error], output)
        tell_ci_error(error, sys.argv[1:], output)


def print_error(error: RunnerError) -> None:
    """Print an error, with its hint and the problems of a job."""
    lines = json_lines()
    if lines is not None:
        members = error_document(error)
        lines.say("error", "error", str(members.pop("error")), **members)
    if print_document_if_asked(error) or lines is not None:
        return
    from runner.report.sinks import printable

    if isinstance(error, JobError):
        from runner.report.diagnostics import render_diagnostic

        for diagnostic in error.diagnostics:
            sys.stderr.write(printable(render_diagnostic(diagnostic)) + "\n\n")
    mark = "" if isinstance(error, JobError) else "error: "  # each problem has its own
    sys.stderr.write(printable(f"{mark}{error.message}") + "\n")
    if error.hint:
        sys.stderr.write(printable(f"help: {error.hint}") + "\n")
    if error.not_started:
        sys.stderr.write(printable(error.not_started) + "\n")


def print_document_if_asked(error: RunnerError) -> bool:
    """Print an error as a JSON document, if the command line asks for one; whether it does."""
    if _asked_output() != "json":
        return False
    sys.stdout.write(json.dumps(error_document(error)) + "\n")
    return True


def print_unexpected(error: Exception) -> ExitCode:
    """Print any other error: a full disk or a bad path as such, the rest with a crash report."""
    if isinstance(error, OSError) and error.errno in NO_ROOM:
        discard_stdout()
        sys.stdout = sys.stderr
        unwritten = error.filename or "Standard output"
        print_error(
            StorageError(
                f"{unwritten} cannot be written: {error.strerror}.",
                hint="Free disk space; `runner history` shows how far the runs got.",
            )
        )
        return ExitCode.FAILED
    if isinstance(error, OSError) and error.filename is not None:
        print_error(
            StorageError(
                f"{error.filename} cannot be used: {error.strerror}.",
                hint="Check this path and its permissions; `runner history` shows how far the "
                "runs got.",
            )
        )
        return ExitCode.FAILED
    file = save_report(_crash_report(error))
    what = f"internal error ({type(error).__name__})."
    hint = f"please report it with the crash report, which contains none of your data: {file}"
    lines = json_lines()
    if lines is not None:
        lines.say("error", "error", what, hint=hint, exit_code=int(ExitCode.DEFECT))
    else:
        sys.stderr.write(f"error: {what}\nhelp: {hint}\n")
    return ExitCode.DEFECT


def discard_stdout() -> None:
    """Send what is left nowhere: its reader is gone, and a flush at exit would fail again."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def error_document(error: RunnerError) -> dict[str, object]:
    """An error as a JSON document."""
    document: dict[str, object] = {
        "error": error.message,
        "hint": error.hint,
        "exit_code": int(error.exit_code),
    }
    if error.job_file is not None:
        document["job_file"] = str(error.job_file)
    if error.not_started:
        document["not_started"] = error.not_started
    if isinstance(error, JobError):
        from runner.report.diagnostics import diagnostic_document

        document["diagnostics"] = [diagnostic_document(each) for each in error.diagnostics]
    return document


def _asked_output() -> str:
    """What the command line asks to print; read here because no verb may have parsed it."""
    asked = os.environ.get("SFRUNNER_OUTPUT") or "text"
    for word, after in pairwise([*sys.argv[1:], ""]):
        if word in {"-o", "--output"}:
            asked = after
        elif word.startswith("--output=") or (word.startswith("-o") and word != "-o"):
            asked = word.removeprefix("--output=").removeprefix("-o")
    return asked


def _crash_report(error: Exception) -> str:
    trace = "".join(traceback.format_exception(error))
    return (
        f"runner {__version__}, Python {platform.python_version()}, {platform.platform()}\n"
        f"{datetime.now(UTC).isoformat(timespec='seconds')}\n\n" + redacted(trace, shapes=True)
    )


def save_report(report: str) -> Path:
    """Save a crash report in a file of its own."""
    descriptor, name = tempfile.mkstemp(prefix="runner-crash-", suffix=".txt")
    with suppress(OSError), os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(report)
    return Path(name)
