"""A run as a ledger has it."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from runner.errors import ExitCode
from runner.outcome import RunOutcome

BEGAN = datetime(2026, 11, 23, 13, 5, 1, 250, tzinfo=UTC)
ENDED = BEGAN + timedelta(minutes=3)
FIRST = "20261123-130501-7f3a"


def begin(ledger, run_id=FIRST, *, job="accounts", started=BEGAN):
    ledger.start_run(
        run_id,
        job=job,
        job_file=Path("/jobs/accounts.yaml"),
        job_sha256="ab" * 32,
        started=started,
        folder=Path("/state/runs") / run_id,
    )


def end(ledger, run_id=FIRST, exit_code=ExitCode.DONE, **more):
    outcome = RunOutcome(
        run_id, "accounts", Path("/jobs/accounts.yaml"), BEGAN, ENDED, exit_code=exit_code, **more
    )
    ledger.finish_run(outcome)
