"""The cluster: a scheduler that is running, or one of this machine's cores.

The one importer of `distributed`, where its errors become the runner's. Knows addresses, futures
and topics. Knows nothing of jobs.
"""

from __future__ import annotations

import asyncio
import logging
import os
import re
import socket
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from queue import Empty, SimpleQueue
from typing import Any
from urllib.parse import urlsplit

from runner.errors import RunnerError, TransientError, UsageError
from runner.runs.fleet import worker
from runner.runs.fleet.crew import Crew
from runner.runs.fleet.own_cluster import own_cluster

ASK_SECONDS = 60
_END_SECONDS = 20  # of the runs on a worker that is shut down
_PROBE_SECONDS = 1.0
LOCAL = "dask"
LISTING = "sfrunner-listing"  # in place of the name of a command that gives orders
_ADDRESS = re.compile(r"(tcp|tls|ws|wss)://[^/]+:[0-9]+/?")
_QUIET = {
    # A worker takes one job at a time, and no second one that its death would count against.
    "distributed.scheduler.worker-saturation": 1.0,
    # Otherwise a worker that is not replaced this fast is given up, or one that dies twice.
    "distributed.deploy.lost-worker-timeout": "1h",
    "distributed.admin.tick.limit": "1h",
    "distributed.worker.profile.enabled": False,
    "distributed.logging.distributed": "critical",
}
_LOGS = ("distributed", "distributed.client", "tornado.application")
"""The second has a level of its own; the third has what its callbacks raise, with tracebacks."""
_GONE = (OSError, TimeoutError, RuntimeError, AttributeError)
"""What a client raises whose scheduler has gone; it has no `scheduler` once it has given up."""


class LostJobError(RunnerError):
    """Nobody knows how a job ended: its workers died again and again, or the scheduler has gone."""

    by_deaths = False
    """Whether it is that workers died which had this job, running or next."""

    def __init__(self, message: str, advice: str) -> None:
        super().__init__(message, hint=f"{advice} Run the job again: an unfinished run is resumed.")
        self._advice = advice

    def name_run(self, run_id: str) -> None:
        """Say which run it is, and what to do with it."""
        self.message = f"{self.message.removesuffix('.')}: run {run_id}."
        self.hint = (
            f"{self._advice} `runner fleet` shows whether a worker still runs it, "
            f"`runner show {run_id}` shows its progress, and `runner resume {run_id}` continues it."
        )


class Cluster:
    """Workers that take orders."""

    def __init__(self, client: Any, name: str, fleet: str, *, is_own: bool = False) -> None:  # noqa: ANN401 - an extra's
        """Use the workers of a scheduler.

        Args:
            client: Connected to the scheduler.
            name: Of the cluster, for messages.
            fleet: Names this command; its events are sent under it.
            is_own: Whether no other command uses it.
        """
        self.name = name
        self._is_own = is_own
        self._semaphores: dict[str, Any] = {}
        self._places: dict[int, list[Any]] = {}
        self._client = client
        self._fleet = fleet
        self._said: SimpleQueue[str | None] = SimpleQueue()
        self._tasks: dict[int, Any] = {}
        client.subscribe_topic(fleet, lambda event: self._said.put(str(event[1])))

    @property
    def threads(self) -> int:
        """How many jobs the workers take at once."""
        try:
            return sum(self._client.nthreads().values())
        except _GONE:
            return 0

    @property
    def is_given_up(self) -> bool:
        """Whether the scheduler has gone, and has not come back for a while."""
        return str(self._client.status) == "closed"

    @property
    def is_cut_off(self) -> bool:
        """Whether the scheduler does not answer, and is tried again."""
        return str(self._client.status) == "connecting"

    def ask(self, question: str) -> dict[str, str | Exception]:
        """What every worker answers, or why it cannot."""
        with self._as_lost():
            found: dict[str, str | Exception] = self._client.run(
                worker.report, question, on_error="return"
            )
            return found

    def prepare(self) -> None:
        """Have workers that are shut down end their runs in order."""
        with self._as_lost():
            self._client.register_plugin(_plugin())

    def take_places(self, number: int, orgs: Iterable[str], most: int) -> bool:
        """Take a place at each org of a job, unless jobs of other commands have all of them.

        A place is a lease that this process renews, so that those of a dead command become free.

        Args:
            number: The job.
            orgs: A name of each.
            most: How many places this command sees at an org.
        """
        if self._is_own:
            return True
        taken: list[Any] = []
        with suppress(*_GONE):  # then nothing is started
            for org in sorted(orgs):
                places = (self._semaphore(f"sfrunner-org-{org}-{at}") for at in range(most))
                place = next((each for each in places if each.acquire(timeout=0)), None)
                if place is None:
                    break
                taken.append(place)
            else:
                self._places[number] = taken
                return True
            self._leave(taken)
        return False

    def leave_places(self, number: int) -> None:
        """Let other commands have the places of a job."""
        self._leave(self._places.pop(number, ()))

    def _semaphore(self, name: str) -> Any:  # noqa: ANN401 - an extra's
        from distributed import Semaphore

        if name not in self._semaphores:
            at: Any = self._client
            self._semaphores[name] = Semaphore(1, name, at.scheduler, at.loop)  # type: ignore[no-untyped-call]
        return self._semaphores[name]

    def _leave(self, places: Iterable[Any]) -> None:
        for each in () if self.is_cut_off else places:
            with suppress(*_GONE):  # then it runs out
                each.release()

    def start(self, number: int, order: str) -> None:
        """Have a worker execute an order."""
        with self._as_lost():
            key = f"sfrunner-{self._fleet}-{number}-{os.urandom(4).hex()}"
            future = self._client.submit(_run_job, order, self._fleet, key=key, pure=False)
        self._tasks[number] = future
        future.add_done_callback(lambda _: self._said.put(None))

    def said(self, seconds: float) -> Iterator[str]:
        """What has been said meanwhile; waits for something to happen, but not for long."""
        with suppress(Empty):
            first = self._said.get(timeout=seconds)
            while True:
                if first is not None:
                    yield first
                first = self._said.get_nowait()

    def ended(self) -> Iterator[tuple[int, str | LostJobError]]:
        """The orders that have ended since, and their answers."""
        for number, future in list(self._tasks.items()):
            if future.done():
                del self._tasks[number]
                yield number, self._end_of(future)

    def stop(self, code: int) -> None:
        """Let the runs of this command end in order."""
        with suppress(*_GONE):
            self._client.run(worker.stop, self._fleet, code, on_error="ignore")

    def _end_of(self, future: Any) -> str | LostJobError:  # noqa: ANN401 - an extra's
        from distributed import KilledWorker

        if future.status == "finished":
            return str(future.result())
        error = future.exception() if future.status == "error" else None
        if isinstance(error, KilledWorker):
            lost = LostJobError(
                f"The workers that ran this job died, {error.allowed_failures + 1} in a row.",
                "Perhaps they have too little memory: look at their logs.",
            )
            lost.by_deaths = True
            return lost
        why = f": {type(error).__name__}: {error}" if error is not None else ""
        return LostJobError(
            f"{self.name} has lost this job{why}.", "Look at the logs of the scheduler."
        )

    @contextmanager
    def _as_lost(self) -> Iterator[None]:
        try:
            yield
        except (OSError, TimeoutError) as error:
            raise _silent(self.name, error) from error


@contextmanager
def cluster_of(
    where: str, jobs: int, fleet: str, say: Callable[[str], None], state: str | None = None
) -> Iterator[Cluster]:
    """Connect to a cluster until the block ends.

    Args:
        where: The address of a scheduler, or `dask` or `dask:N` for one of this machine's cores.
        jobs: How many there are; a cluster of this machine gets no more workers than that.
        fleet: Names this command.
        say: Shows what is waited for.
        state: The address of the state, for workers that are started here; they get it in their
            environment, as it may have a password.

    Raises:
        UsageError: `where` is neither, or the library is missing.
        TransientError: The scheduler does not answer.
    """
    local = _local_workers(where, jobs)
    try:
        import dask.config
        import dask.utils
        import distributed
    except ImportError as error:
        raise UsageError(
            f"--on needs the library {error.name}, which is not installed.",
            hint="Install it: pip install 'sfrunner[dask]'",
        ) from error
    library: Any = distributed  # only some of its functions have types
    with ExitStack() as stack:
        for each in _LOGS:
            logging.getLogger(each).setLevel(logging.CRITICAL)
        if local is None:
            name, address = f"The scheduler at {where}", where
            _check_certificates(where, library)
            reason = _why_silent(where)
            if reason is not None:
                wait = f"Waiting for it, up to {_patience(dask):,.0f} s."
                say(f"{name} does not answer: {reason}. {wait}")
        else:
            name = "The cluster of this machine"
            stack.enter_context(dask.config.set(_QUIET))
            address = stack.enter_context(own_cluster(library, local, state))
        try:
            client = stack.enter_context(
                library.Client(address, timeout=_patience(dask), set_as_default=False)
            )
            if local is not None:
                client.wait_for_workers(local, timeout=ASK_SECONDS)
        except (OSError, TimeoutError, ValueError) as error:
            raise _silent(name, error) from error
        with suppress(TimeoutError):
            client.wait_for_workers(1, timeout=_patience(dask))
        yield Cluster(client, name, fleet, is_own=local is not None)


def _why_silent(where: str) -> str | None:
    """Why nobody takes a connection at an address; None if somebody does.

    Dask itself says nothing while it tries again and again: the scheduler may be starting.
    """
    place = urlsplit(where)
    try:
        socket.create_connection((place.hostname, place.port), _PROBE_SECONDS).close()
    except TimeoutError:
        return f"nothing came within {_PROBE_SECONDS:.0f} s"
    except (OSError, ValueError) as error:
        return str(getattr(error, "strerror", None) or error)
    return None


def _check_certificates(where: str, library: Any) -> None:  # noqa: ANN401 - an extra's
    """Refuse TLS that is not set up: a client of Dask fails then, and keeps the process alive."""
    if (
        where.startswith("tls:")
        and not library.Security().get_connection_args("client")["ssl_context"]
    ):
        raise UsageError(
            f"--on {where} needs certificates, and Dask's settings name none.",
            hint="Set DASK_DISTRIBUTED__COMM__TLS__CA_FILE, …__CLIENT__CERT and …__CLIENT__KEY.",
        )


def _patience(dask: Any) -> float:  # noqa: ANN401 - an extra's
    """How many seconds to wait for a scheduler and its first worker."""
    return float(dask.utils.parse_timedelta(dask.config.get("distributed.comm.timeouts.connect")))


def workers_of(where: str, question: str, say: Callable[[str], None]) -> dict[str, str | Exception]:
    """What the workers of a scheduler answer.

    Raises:
        UsageError: It is not the address of a scheduler.
        TransientError: The scheduler does not answer.
    """
    if _local_workers(where, 1) is not None:
        raise UsageError(
            f"--on {where} is a cluster that exists only while its jobs run.",
            hint="Name a scheduler, e.g. tcp://scheduler:8786, or leave --on out.",
        )
    with cluster_of(where, 0, LISTING, say) as cluster:
        return cluster.ask(question)


def _local_workers(where: str, jobs: int) -> int | None:
    """How many workers to start on this machine; None: there is a scheduler.

    Raises:
        UsageError: It is no address.
    """
    if _ADDRESS.fullmatch(where):
        return None
    name, colon, number = where.partition(":")
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    if name == LOCAL and not colon:
        return max(1, min(jobs, cores or 1))
    if name == LOCAL and number.isdecimal() and int(number):
        return int(number)
    raise UsageError(
        f"--on {where} is not the address of a scheduler.",
        hint="Write it like tcp://scheduler:8786 or tls://scheduler:8786; `dask` uses the cores of "
        "this machine, `dask:4` four workers.",
    )


def _silent(name: str, error: Exception) -> TransientError:
    reason = f": {error}" if str(error) else ""
    return TransientError(
        f"{name} does not answer{reason}.".replace("..", "."),
        hint="Check the address, and whether the scheduler is running; then run again.",
    )


def _run_job(order: str, fleet: str) -> str:
    """On a worker, in one of its threads."""
    from distributed import get_worker

    here = get_worker()
    return worker.run_job(
        order, lambda said: here.log_event(fleet, said), Crew(_connect, _stage_piece)
    )


def _stage_piece(order: str) -> str:
    """On a worker, in one of its threads."""
    return worker.stage_piece(order)


def _connect() -> Any:  # noqa: ANN401 - an extra's
    """On a worker, in the thread that has a job: leave it to others, and give a client."""
    import distributed

    library: Any = distributed  # only some of its functions have types
    library.secede()  # or pieces of a job could wait for the threads that jobs have
    return library.get_client()


def _plugin() -> Any:  # noqa: ANN401 - its class exists where the library is
    from distributed import WorkerPlugin

    class StopRuns(WorkerPlugin):
        name = "sfrunner"
        idempotent = True
        """Or a second command would replace it, which ends the runs of the first."""

        async def teardown(self, worker: object) -> None:  # noqa: ARG002 - as it is called
            from runner.runs.fleet import worker as ours

            # Until this returns, the scheduler gives the jobs to nobody else.
            with suppress(TimeoutError):
                await asyncio.wait_for(asyncio.to_thread(ours.stop_all), _END_SECONDS)

    return StopRuns()
