"""Which job may start next: jobs of one org in their order, and after those whose files they read.

Pure: over jobs that are checked. Knows nothing of workers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from runner.credentials import SecretReference
from runner.job.model import Connection, Environment, Job
from runner.job.partial_job import files_written_by, source_files
from runner.job.source_query import SourceQuery, connections_of
from runner.runs.local_org_process import org_folder

OrgFact = tuple[str, str]
"""Something by which an org is known; two connections that share one are of the same org."""


class Schedule:
    """The order of jobs.

    No job of an org overtakes another: it may look up the records that the one before it writes.
    """

    def __init__(
        self, jobs: Sequence[Job], per_org: int, token: SecretReference | None = None
    ) -> None:
        """Plan.

        Args:
            jobs: In the order in which they would run one after another.
            per_org: How many of one org may be under way.
            token: Used instead of every job's own.
        """
        self._orgs = [orgs_of(job, token) for job in jobs]
        self._after = [
            frozenset(at for at, earlier in enumerate(jobs[:own]) if _is_after(job, earlier))
            for own, job in enumerate(jobs)
        ]
        self._per_org = per_org
        self.waiting = list(range(len(jobs)))

    def orgs(self, number: int) -> frozenset[OrgFact]:
        """By what the orgs of a job are known."""
        return self._orgs[number]

    def take(
        self, under_way: Collection[int], may_start: Callable[[int], bool] = lambda _: True
    ) -> int | None:
        """Take the next job that may start while others are under way; None: none may.

        Args:
            under_way: The others, of this command.
            may_start: Whether others let it, too; asked once this command would start it.
        """
        used = Counter(fact for each in under_way for fact in self._orgs[each])
        blocked = {fact for fact, count in used.items() if count >= self._per_org}
        for number in self.waiting:
            missing = self._after[number] & {*under_way, *self.waiting}
            if not missing and blocked.isdisjoint(self._orgs[number]) and may_start(number):
                self.waiting.remove(number)
                return number
            blocked |= self._orgs[number]
        return None


def orgs_of(job: Job, token: SecretReference | None) -> frozenset[OrgFact]:
    """By what the orgs of a job are known: the one it writes to, and those it reads from."""
    own = job.connection
    facts = set() if token else set(_facts(own, job.file))
    if token is not None:
        facts.add(("token", str(token)))
    queries = [task for task in job.tasks if isinstance(task, SourceQuery)]
    for connection in connections_of(queries):
        if connection is not None:
            facts |= set(_facts(connection, job.file))
    return frozenset(facts)


def _facts(connection: Connection, job_file: Path) -> Iterator[OrgFact]:
    known = {
        "org": connection.org_id,
        "domain": connection.domain,
        "url": connection.url,
        "token": str(connection.token) if connection.token else None,
    }
    given = [(name, value) for name, value in known.items() if value]
    yield from given
    if not given and connection.environment is Environment.LOCAL:
        yield "local", str(org_folder(job_file, connection))
    elif not given:
        yield "app", f"{connection.environment} {connection.client_id} {connection.auth}"


def _is_after(job: Job, earlier: Job) -> bool:
    """Whether a job has to wait for an earlier one: both use a file, and one writes it."""
    writes, wrote = files_written_by(job), files_written_by(earlier)
    return _meet(_read_by(job), wrote) or _meet(writes, wrote) or _meet(_read_by(earlier), writes)


def _read_by(job: Job) -> frozenset[Path]:
    return frozenset(source.path for task in job.tasks for _, source in source_files(task))


def _meet(some: Collection[Path], others: Collection[Path]) -> bool:
    return any(_is_same(one, other) for one in some for other in others)


def _is_same(one: Path, other: Path) -> bool:
    """Whether two paths are one file, or one is a folder or a pattern that has the other."""
    return (
        one == other
        or one in other.parents
        or other in one.parents
        or fnmatchcase(str(other), str(one))
    )
