"""The entry point: whatever happens ends as a message and an exit code, never as a traceback.

Answers `--version` before anything else is imported. Knows every exit code. Knows nothing of the
verbs.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from runner.errors import ExitCode


def main() -> None:
    """Run the command line and exit with its code."""
    if sys.argv[1:] == ["--version"]:
        from runner.version import __version__

        sys.stdout.write(f"runner {__version__}\n")
        return
    from runner.cli.redact_output import redacted_streams

    with redacted_streams(os.environ):
        sys.exit(int(_run()))


def _run() -> ExitCode:
    """Run the verb; give the exit code of whatever ends it."""
    from runner.errors import ExitCode, RunnerError

    try:
        from runner.cli.app import app

        app()
    except RunnerError as error:
        from runner.cli.error_output import print_error

        print_error(error)
        return error.exit_code
    except KeyboardInterrupt:
        return ExitCode.INTERRUPTED
    except BrokenPipeError:
        from runner.cli.error_output import discard_stdout

        discard_stdout()
        return ExitCode.FAILED
    except Exception as error:  # noqa: BLE001 - the one place where everything is caught
        from runner.cli.error_output import print_unexpected

        return print_unexpected(error)
    return ExitCode.DONE
