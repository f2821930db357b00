"""The edge of the program: whatever happens becomes a text and an exit code, never a traceback.

Knows every error's exit code and how errors are printed. Knows nothing of the verbs.
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
from typing import cast

from runner import __version__
from runner.cli.redact_output import guarded_streams, tell_github
from runner.credentials import redacted
from runner.errors import ExitCode, JobError, RunnerError, StorageError
from runner.files import NO_ROOM


def run_command() -> None:
    """Run the verb that the command line names; leave with its exit code."""
    tell_github(os.environ)
    with guarded_streams():
        _run()


def _run() -> None:
    from runner.cli.app import app

    try:
        app()
    except RunnerError as error:
        _tell(error)
        _leave(error.exit_code)
    except KeyboardInterrupt:
        _leave(ExitCode.INTERRUPTED)
    except BrokenPipeError:
        _give_up_stdout()
        _leave(ExitCode.FAILED)
    except Exception as error:  # noqa: BLE001 - the one place where everything is caught
        if getattr(error, "errno", None) in NO_ROOM:
            _give_up_stdout()
            sys.stdout = sys.stderr
            _tell(_unwritable(cast("OSError", error)))
            _leave(ExitCode.FAILED)
        _tell_defect(error)
        _leave(ExitCode.DEFECT)


def _give_up_stdout() -> None:
    """Send what is left nowhere: whoever read it has gone, and a flush at exit would fail again."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _unwritable(error: OSError) -> StorageError:
    return StorageError(
        f"{error.filename or 'Standard output'} cannot be written: {error.strerror}.",
        hint="Make room on the disk; `runner history` tells what a run had come to.",
    )


def _leave(code: ExitCode) -> None:
    sys.exit(int(code))


def _tell(error: RunnerError) -> None:
    if _wants_json():
        sys.stdout.write(json.dumps(_document(error)) + "\n")
        return
    from runner.report.sinks import printable

    if isinstance(error, JobError):
        from runner.report.diagnostics import render_diagnostic

        for diagnostic in error.diagnostics:
            sys.stderr.write(printable(render_diagnostic(diagnostic)) + "\n")
    sys.stderr.write(printable(f"error: {error.message}") + "\n")
    if error.hint:
        sys.stderr.write(printable(f"help: {error.hint}") + "\n")


def _document(error: RunnerError) -> dict[str, object]:
    document: dict[str, object] = {
        "error": error.message,
        "hint": error.hint,
        "exit_code": int(error.exit_code),
    }
    if isinstance(error, JobError):
        from runner.report.diagnostics import diagnostic_document

        document["diagnostics"] = [diagnostic_document(each) for each in error.diagnostics]
    return document


def _wants_json() -> bool:
    """Whether the command line asked for JSON; read here because the verb may not have begun."""
    words = sys.argv[1:]
    asked = any(
        word in {"-ojson", "--output=json"} or (word in {"-o", "--output"} and after == "json")
        for word, after in pairwise([*words, ""])
    )
    return asked or os.environ.get("SFRUNNER_OUTPUT") == "json"


def _tell_defect(error: Exception) -> None:
    report = _crash_report(error)
    where = _keep(report)
    sys.stderr.write(
        f"error: the runner met a defect of its own ({type(error).__name__}).\n"
        f"help: please report it with the crash report, which holds no values: {where}\n"
    )


def _crash_report(error: Exception) -> str:
    trace = "".join(traceback.format_exception(error))
    return (
        f"runner {__version__}, Python {platform.python_version()}, {platform.platform()}\n"
        f"{datetime.now(UTC).isoformat(timespec='seconds')}\n\n" + redacted(trace, shapes=True)
    )


def _keep(report: str) -> Path:
    descriptor, name = tempfile.mkstemp(prefix="runner-crash-", suffix=".txt")
    with suppress(OSError), os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(report)
    return Path(name)
