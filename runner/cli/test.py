"""`runner test`: run the tests of jobs on local orgs."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

from runner.cli.declare import Argument, Option
from runner.cli.options import Quiet, TestOutput
from runner.cli.terminal import Exit, echo
from runner.errors import AbortedError, UsageError

if TYPE_CHECKING:
    from runner.job.job_tests import JobTest
    from runner.runs.job_test_snapshots import Snapshots
    from runner.verdict import Verdict

EXAMPLES = """\
runner test
runner test jobs/accounts.test.yaml -k "without a name"
runner test jobs/ --junit tests.xml
runner test --update
"""


def test(
    paths: Annotated[
        list[Path] | None,
        Argument(
            help="Test files, their jobs, or folders of them. Default: the current folder.",
            metavar="[PATH…]",
            show_default=False,
        ),
    ] = None,
    name: Annotated[
        str | None,
        Option(
            "-k",
            help="Only tests with this text in their name.",
            metavar="TEXT",
            show_default=False,
        ),
    ] = None,
    junit: Annotated[
        Path | None,
        Option(
            "--junit",
            help="Also write the results to this file as JUnit XML.",
            metavar="FILE",
            show_default=False,
        ),
    ] = None,
    number: Annotated[
        str,
        Option(
            "-n",
            help="How many tests run at once. Default: one per processor, if there are "
            "more than a few tests.",
            metavar="N",
            show_default=False,
        ),
    ] = "auto",
    watch: Annotated[
        bool,
        Option(
            "--watch",
            help="Keep running, and repeat tests when a file changes that they read: their own, "
            "their job, sources, rows, org file.",
            show_default=False,
        ),
    ] = False,
    update: Annotated[
        bool,
        Option(
            "--update",
            help="Update the snapshots of tests that have one to what the jobs do now.",
            show_default=False,
        ),
    ] = False,
    cover: Annotated[
        bool,
        Option(
            "--cover",
            help="Also print which tasks, fields and outcomes no test covers.",
            show_default=False,
        ),
    ] = False,
    output: Annotated[
        TestOutput,
        Option(
            "--output",
            "-o",
            envvar="SFRUNNER_OUTPUT",
            help="Print text, one JSON document, or GitHub annotations.",
        ),
    ] = TestOutput.TEXT,
    quiet: Quiet = False,
) -> None:
    """Run the tests of jobs, each on a new local org.

    The tests of `accounts.yaml` are in `accounts.test.yaml` beside it. No other org is contacted,
    no token is read, and jobs write to a temporary folder.
    """
    from runner.cli.ci import tell_ci_findings
    from runner.cli.run_output import exit_with
    from runner.cli.test_output import Results, exit_code_of, print_results
    from runner.report.verdicts import findings, junit_document
    from runner.runs.job_test_snapshots import Snapshots
    from runner.runs.job_tests import loaded

    processes, began, is_text = _processes(number), time.monotonic(), output is TestOutput.TEXT

    every: list[JobTest] = []  # those that do not run, too

    def files() -> list[Path]:
        return _test_files(paths or [Path()])

    def load(files: Sequence[Path]) -> tuple[list[JobTest], list[Verdict]]:
        tests, broken = loaded(files)
        every[:] = tests
        wanted = (name or "").casefold()
        return [each for each in tests if wanted in each.name.casefold()], broken

    if watch:
        alone = is_text and junit is None and not update
        _watch(files, load, processes, quiet=quiet, cover=cover, alone=alone)
    test_files = files()
    tests, verdicts = load(test_files)
    if name is not None and not tests and not verdicts:
        raise UsageError(
            f"No test has {name!r} in its name.", hint="`runner test` lists the names."
        )
    snapshots = Snapshots(every, update=update)
    aborted = _run(
        tests, verdicts, processes, snapshots, lines=output is not TestOutput.JSON, quiet=quiet
    )
    written = snapshots.write() if aborted is None else ()
    results = Results(verdicts, written, snapshots.obsolete(), time.monotonic() - began)
    print_results(results, output, cover=cover, quiet=quiet)
    if junit is not None:
        _write(junit, junit_document(verdicts))
    if aborted is not None:
        done = sum(each.name != "" for each in verdicts)
        echo(f"stopped: {len(tests) - done} of {len(tests)} tests have no result", err=True)
        exit_with(aborted.exit_code)
    code = exit_code_of(verdicts)
    tell_ci_findings("test", list(findings(verdicts)), test_files, output, code)
    raise Exit(code)


def _run(
    tests: Sequence[JobTest],
    verdicts: list[Verdict],
    processes: int | None,
    snapshots: Snapshots,
    *,
    lines: bool,
    quiet: bool,
) -> AbortedError | None:
    """Run tests and add their verdicts, all printed as lines if wanted; what ended it early."""
    from runner.cli.signals import signals_stop_the_run
    from runner.cli.test_progress import Progress
    from runner.cli.test_scratch import scratch_folder
    from runner.runs.job_tests import verdicts as run_all
    from runner.verdict import Status

    _print_lines(verdicts if lines else (), quiet=quiet)
    progress, unread = Progress(sys.stderr, len(tests)), len(verdicts)
    with scratch_folder() as scratch, signals_stop_the_run("the other tests were not run"):
        try:
            progress.show(0, 0)
            for ended in run_all(tests, scratch, processes):
                verdict = snapshots.judged(ended)
                verdicts.append(verdict)
                progress.clear()
                _print_lines([verdict] if lines else (), quiet=quiet)
                not_passed = sum(each.status is not Status.PASSED for each in verdicts[unread:])
                progress.show(len(verdicts) - unread, not_passed)
        except AbortedError as error:
            return error
        finally:
            progress.clear()
    return None


def _watch(
    files: Callable[[], Sequence[Path]],
    load: Callable[[Sequence[Path]], tuple[list[JobTest], list[Verdict]]],
    processes: int | None,
    *,
    quiet: bool,
    cover: bool,
    alone: bool,
) -> NoReturn:
    """Run tests and stay, until a signal comes.

    Raises:
        UsageError: Results are wanted as a document, too.
    """
    from runner.cli.run_output import exit_with
    from runner.cli.signals import signals_end_the_wait
    from runner.cli.test_output import print_end
    from runner.cli.test_watch import polled, watch
    from runner.runs.job_test_snapshots import Snapshots

    if not alone:
        message = "--watch never ends, so it cannot write results to a file."
        raise UsageError(message, hint="Leave out --junit, --output and --update.")

    def run(tests: Sequence[JobTest], verdicts: list[Verdict]) -> None:
        began = time.monotonic()
        snapshots = Snapshots(tests, update=False)
        check()
        aborted = _run(tests, verdicts, processes, snapshots, lines=True, quiet=quiet)
        print_end(verdicts, time.monotonic() - began, quiet=quiet, cover=cover)
        if aborted is not None:
            exit_with(aborted.exit_code)

    with signals_end_the_wait() as check:
        watch(files, load, run, partial(polled, check))


def _processes(number: str) -> int | None:
    """How many at once; None: auto.

    Raises:
        UsageError: It is neither.
    """
    if number == "auto":
        return None
    if not number.isdecimal() or int(number) == 0:
        raise UsageError(
            f"-n {number} is not a number of tests.", hint="Write `-n 4` or `-n auto`."
        )
    return int(number)


def _test_files(given: Sequence[Path]) -> list[Path]:
    """The test files that are meant, each once; those of a folder in the order of their names.

    A job means the tests beside it.

    Raises:
        UsageError: A path is not a test file, or a folder has none.
    """
    from runner.job.job_tests import SUFFIXES

    found: list[Path] = []
    for path in given:
        if path.is_dir():
            below = sorted(
                each
                for each in path.rglob("*")
                if each.name.endswith(SUFFIXES)
                and each.is_file()
                and not any(part.startswith(".") for part in each.relative_to(path).parts)
            )
            if not below:
                raise UsageError(
                    f"There is no test in {path}.",
                    hint="The tests of accounts.yaml are in accounts.test.yaml.",
                )
            found += below
        else:
            found.append(path if path.name.endswith(SUFFIXES) else _tests_of(path))
    return list(dict.fromkeys(found))


def _tests_of(path: Path) -> Path:
    """The tests beside a job; a file that is not a job stays, for its reading to fail.

    Raises:
        UsageError: The job has none.
    """
    from runner.cli.job_files import is_job

    tests = path.with_name(f"{path.stem}.test{path.suffix}")
    if tests.is_file():
        return tests
    if path.is_file() and is_job(path):
        raise UsageError(
            f"{path} has no tests: there is no {tests.name} beside it.",
            hint="`runner init NEW.yaml` writes a job with a test as an example; "
            "`snapshot: true` is the quickest expectation.",
        )
    return path


def _print_lines(verdicts: Sequence[Verdict], *, quiet: bool) -> None:
    from runner.report.verdicts import verdict_line
    from runner.verdict import Status

    for each in verdicts:
        if not quiet or each.status is not Status.PASSED:
            echo(verdict_line(each))


def _write(file: Path, text: str) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{error.filename} cannot be written: {error.strerror}.") from error
