"""Has the rows of a large source staged by other workers of the cluster, a partition each.

That is pure work: done twice, because a worker died, it gives the same, and files of an attempt
that nobody waits for are not referred to. Everything else stays in the one process that runs the
job. Knows messages and files of runs. Knows nothing of Dask, nor of what is in the rows.
"""

from __future__ import annotations

import secrets
import tempfile
from collections import deque
from collections.abc import Generator, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Protocol

from msgspec import Struct

from runner.errors import RunnerError
from runner.redaction import redacted
from runner.runs.fleet.crew import Crew, Piece
from runner.runs.fleet.messages import Order, Places
from runner.state.paths import StateFolder
from runner.state.process import ProcessIdentity
from runner.state.run_files import Aside, RunFiles
from runner.tables.staging.elsewhere import (
    NotStagedError,
    StagedPartition,
    StagingOrder,
    stage_here,
)

_EACH = 2
"""Orders for a thread: while it does one, the next one waits there."""


class PieceOrder(Struct, frozen=True):
    """A partition to stage for a run."""

    state: str
    run_id: str
    folder: str
    """Of the rows, in the run's."""
    order: StagingOrder


class PieceAnswer(Struct, frozen=True):
    """What became of it."""

    staged: StagedPartition = StagedPartition()
    files: tuple[Aside, ...] = ()
    problem: str = ""
    """Why it was not staged."""


class FleetStager:
    """Stages partitions of the sources of one run."""

    def __init__(self, job: Order, crew: Crew, run: Path, files: RunFiles, places: Places) -> None:
        """Describe it.

        Args:
            job: The order to run the job.
            crew: The workers.
            run: The folder of the run.
            files: Of the runs.
            places: Of this machine.
        """
        self.least_rows = job.least_rows
        self._job = job
        self._crew = crew
        self._run = run
        self._files = files
        self._places = Places(places.project)

    def stage(self, orders: Iterator[StagingOrder], folder: Path) -> Generator[StagedPartition]:
        """Have partitions staged; see `tables.staging.elsewhere.Stager`."""
        inside, most = folder.relative_to(self._run).as_posix(), self._job.threads * _EACH
        pieces: deque[Piece] = deque()
        try:
            for order in orders:
                asked = PieceOrder(self._job.state, self._run.name, inside, order)
                pieces.append(self._crew.submit(self._places.encoded(asked, safe=False)))
                if len(pieces) >= most:
                    yield self._taken(pieces, folder)
            while pieces:
                yield self._taken(pieces, folder)
        finally:
            for piece in pieces:
                piece.cancel()

    def _taken(self, pieces: deque[Piece], folder: Path) -> StagedPartition:
        answer = self._places.decoded(PieceAnswer, pieces[0].result())
        pieces.popleft()
        if answer.problem:
            raise NotStagedError(answer.problem)
        self._files.take(self._run.name, answer.files, folder)
        return answer.staged


def stage_piece(text: str, places: Places, state_of: OpenState) -> str:
    """Stage a partition for another worker; the answer as JSON.

    Args:
        text: What, as JSON.
        places: Of this machine.
        state_of: Gives the state of a name, and the files of its runs.
    """
    try:
        asked = places.decoded(PieceOrder, text)
        with state_of(asked.state) as (state, files), _folder(asked, state) as folder:
            staged = stage_here(asked.order, folder)
            aside = files.put_aside(asked.run_id, [folder / name for name in staged.files])
        answer = PieceAnswer(staged, tuple(aside))
    except (NotStagedError, RunnerError) as error:
        answer = PieceAnswer(
            problem=f"{ProcessIdentity.current().host}: {redacted(str(error), shapes=True)}"
        )
    return places.encoded(answer, safe=False)


class OpenState(Protocol):
    """Opens a state."""

    def __call__(self, named: str, /) -> AbstractContextManager[tuple[StateFolder, RunFiles]]:
        """The state, and the files of its runs, until the block ends."""


@contextmanager
def _folder(asked: PieceOrder, state: StateFolder) -> Iterator[Path]:
    """Where to stage: what is moved from there is moved within the run's folder, if it is here.

    Raises:
        NotStagedError: The run has ended, so its folder is not there any more.
    """
    if state.shared is not None:
        with tempfile.TemporaryDirectory(prefix="runner-piece-") as scratch:
            yield Path(scratch)
        return
    folder = state.run(asked.run_id) / asked.folder / f"piece-{secrets.token_hex(6)}"
    try:
        folder.mkdir()
    except OSError as error:
        raise NotStagedError(str(error)) from error
    yield folder
