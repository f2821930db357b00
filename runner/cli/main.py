"""The entry point: whatever happens ends as a message and an exit code, never as a traceback.

Answers `--version`, and bash's completion of a verb, before anything else is imported. Knows every
exit code. Knows nothing of the verbs.
"""

from __future__ import annotations

import atexit
import gc
import os
import sys

TYPE_CHECKING = False  # `typing` imports `re`
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import NoReturn


_FOLDERS = frozenset({"HOME", "XDG_STATE_HOME"})
"""Variables that say where the state folder is."""
_INTERRUPTED, _TERMINATED = 130, 143
"""As in `ExitCode`, which is imported later."""
_GARBAGE = (5_000, 100, 100)
"""How often cycles are looked for: less often than is usual in Python, among new objects and old
ones. It would look through what is being imported, and the rows of requests, again and again."""


def main() -> None:
    """Run the command line and exit with its code."""
    if None in {sys.stdin, sys.stdout, sys.stderr}:
        from runner.cli.streams import open_closed_streams

        open_closed_streams()
    if sys.argv[1:] == ["--version"]:
        from runner.version import __version__

        _print(f"runner {__version__}")
        return
    from runner.cli.verbs import completed_verbs

    verbs = completed_verbs(os.environ)
    if verbs:
        _print("\n".join(verbs))
        return
    import signal

    # As Python has it, but where a script has started this in the background, with Ctrl-C ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    gc.set_threshold(*_GARBAGE)
    atexit.register(gc.freeze)  # Python would look for cycles in all that ends with it
    try:
        from runner.cli.log_format import logging_as_asked
        from runner.cli.redact_output import redacted_streams
        from runner.cli.streams import expect_no_reader

        stderr = expect_no_reader()
        with redacted_streams(os.environ), logging_as_asked(stderr):
            code = _run()
    except KeyboardInterrupt:
        code = _INTERRUPTED
    if code in {_INTERRUPTED, _TERMINATED}:
        _leave_at_once(code)
    sys.exit(code)


def _print(text: str) -> None:
    """Print what is answered before anything is imported."""
    try:
        sys.stdout.write(f"{text}\n")
        sys.stdout.flush()
    except OSError as error:
        if not isinstance(error, BrokenPipeError):
            sys.stderr.write(f"error: Standard output cannot be written: {error.strerror}.\n")
        _leave_at_once(1)


def _leave_at_once(code: int) -> NoReturn:
    """Flush the output and exit, without waiting for threads."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            continue  # nobody reads it
    os._exit(code)


def _import_msgspec() -> None:
    """Import msgspec without `typing_extensions`, which imports `inspect`: a fifth of a start.

    msgspec takes the same from `typing` where it is not installed.
    """
    if "typing_extensions" not in sys.modules:
        sys.modules["typing_extensions"] = None  # type: ignore[assignment]  # as if it were not
        import msgspec  # noqa: F401

        del sys.modules["typing_extensions"]


def _run() -> int:
    """Run the verb; give the exit code of whatever ends it."""
    from runner.cli.terminal import Exit
    from runner.errors import ExitCode, RunnerError

    try:
        check_texts(sys.argv[1:], os.environ)
        _run_verb()
    except Exit as end:
        return end.code
    except RunnerError as error:
        from runner.cli.error_output import end_with

        end_with(error)
        return error.exit_code
    except KeyboardInterrupt:
        return ExitCode.INTERRUPTED
    except (BrokenPipeError, EOFError) as error:
        from runner.cli.error_output import discard_stdout

        if isinstance(error, EOFError):  # in place of an answer
            sys.stderr.write("\nAborted!\n")
        else:
            discard_stdout()
        return ExitCode.FAILED
    except Exception as error:  # noqa: BLE001 - the one place where everything is caught
        from runner.cli.error_output import print_unexpected

        return print_unexpected(error)
    return ExitCode.DONE


def _run_verb() -> None:
    """Run what the command line says; Typer reads it only if it has to."""
    from runner.cli.plain_words import verb_of
    from runner.cli.verbs import COMPLETE

    _import_msgspec()
    verb = None if COMPLETE in os.environ else verb_of(sys.argv[1:], os.environ)
    if verb is None:
        from runner.cli.app import run_app

        run_app()
    else:
        verb()


def check_texts(words: Sequence[str], environ: Mapping[str, str]) -> None:
    """Refuse empty arguments, and bytes that are not UTF-8: ledger and requests have text only.

    Raises:
        UsageError: Names the argument, the variable or the folder; or the folder is gone.
    """
    from pathlib import Path

    from runner.errors import UsageError

    for word in words:
        if word == "" or (word[:2] == "--" and word.find("=") == len(word) - 1 > 2):  # noqa: PLR2004
            # As a path it would be the current folder, and as a run the last one.
            what = f"The value of {word[:-1]}" if word else "An argument"
            raise UsageError(f"{what} is empty.", hint="A variable in it may not be set.")
    texts = [("The argument", word) for word in words]
    texts += [
        (f"The variable {name}", value)
        for name, value in environ.items()
        if name.startswith("SFRUNNER_") or name in _FOLDERS
    ]
    try:
        texts.append(("The path of the current folder", str(Path.cwd())))
    except OSError as error:
        raise UsageError(
            f"The current folder cannot be used: {error.strerror}.",
            hint="It may have been deleted; change to another one.",
        ) from error
    for what, text in texts:
        try:
            text.encode()
        except UnicodeEncodeError:
            raise UsageError(
                f"{what} is not UTF-8: {text!a}.", hint="Rename it, or write it in UTF-8."
            ) from None
