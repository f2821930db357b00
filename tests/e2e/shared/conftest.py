"""Machines that share a state: each has its own checkout, home folder and name."""

import secrets
import shutil
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import sqlalchemy

from tests.e2e.crash.conftest import SCENARIOS, CrashBench, Killer
from tests.e2e.shared.driver import LIBRARIES
from tests.e2e.warm_process import Warm
from tests.postgresql import USER, url_of

DRIVER = "tests.e2e.shared.driver"


@dataclass
class Machine:
    """A machine that runs the command in forks of the warm process."""

    name: str
    folder: Path
    killer: Killer
    state: str

    @property
    def checkout(self):
        return self.killer.folder

    @property
    def runs(self):
        """Where it has the files of runs."""
        return next((self.folder / "xdg").glob("sfrunner/shared/*/runs"))

    def run(self, *words, kill_at=None):
        return self.killer.run(*words, state=self.state, kill_at=kill_at)

    def write(self, name, text):
        path = self.checkout / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    def die(self):
        """Lose what the machine had, but for its targets."""
        shutil.rmtree(self.folder / "xdg", ignore_errors=True)


@dataclass
class Fleet:
    """Machines with one state."""

    root: Path
    warm: Warm
    database: Path
    store: str
    env: dict = field(default_factory=dict)
    machines: dict = field(default_factory=dict)
    schema: str = ""

    def __post_init__(self):
        self.renew()

    def renew(self):
        """Begin with an empty state."""
        self.schema = f"t{secrets.token_hex(6)}"
        for each in self.machines.values():
            each.die()
            each.state = self.state

    @property
    def state(self):
        return (
            f"postgresql://{USER}@/postgres?host={self.database}"
            f"&files={self.store}/{self.schema}&schema={self.schema}"
        )

    def machine(self, name):
        if name not in self.machines:
            folder = self.root / name
            checkout = folder / f"checkout-{name}"
            (checkout / ".git").mkdir(parents=True)
            env = {
                "PATH": "/usr/bin:/bin",
                "HOME": str(folder / "home"),
                "LANG": "C.UTF-8",
                "XDG_STATE_HOME": str(folder / "xdg"),
                "SFRUNNER_TEST_HOST": name,
                **self.env,
            }
            killer = Killer(self.warm, checkout, env, DRIVER)
            self.machines[name] = Machine(name, folder, killer, self.state)
        return self.machines[name]

    def write(self, name, text):
        """A file that all machines have."""
        for each in self.machines.values():
            each.write(name, text)

    def sql(self, statement):
        engine = sqlalchemy.create_engine(url_of(self.database), poolclass=sqlalchemy.NullPool)
        with engine.begin() as connection:
            connection.exec_driver_sql(f"SET search_path = {self.schema}")
            found = connection.exec_driver_sql(statement)
            return [*found.mappings()] if found.returns_rows else []

    def is_over(self):
        """Whether runs have been recorded, and each has come to its end."""
        with suppress(sqlalchemy.exc.ProgrammingError):  # killed before there were tables
            runs = self.sql("SELECT settled FROM runs")
            return bool(runs) and all(each["settled"] for each in runs)
        return False

    def run_out(self):
        """Let all leases be over."""
        with suppress(sqlalchemy.exc.ProgrammingError):  # killed before there were tables
            self.sql("UPDATE locks SET expires = clock_timestamp() - interval '1 second'")


@pytest.fixture(scope="session")
def shared_warm(tmp_path_factory):
    """The warm process of these tests, which has the libraries of a shared state loaded."""
    made = Warm(tmp_path_factory.mktemp("shared"), *LIBRARIES)
    yield made
    made.end()


@pytest.fixture
def fleet(tmp_path, shared_warm, postgres):
    """Machines with their files in a folder that all mount."""
    return Fleet(tmp_path, shared_warm, postgres, (tmp_path / "store").as_uri())


@dataclass
class Checkouts:
    """The folders of one job on several machines."""

    fleet: Fleet

    def write(self, name, text):
        self.fleet.write(f"jobs/{name}", text)

    @property
    def folder(self):
        """Where the target is; on the first machine where there is none."""
        folders = [each.checkout / "jobs" for each in self.fleet.machines.values()]
        return next((each for each in folders if (each / "out.csv").exists()), folders[0])


@dataclass
class OtherMachineBench(CrashBench):
    """A scenario whose runs are killed on one machine and finished on another."""

    def prepare(self):
        super().prepare()
        fleet = self.bench.fleet
        fleet.renew()
        for each in fleet.machines.values():
            (each.checkout / "jobs" / "out.csv").unlink(missing_ok=True)
        return fleet.state

    def finish(self, state, *, by="resume"):
        fleet, mine = self.bench.fleet, self.killer
        ada, bob = fleet.machines.values()
        ada.die()
        fleet.run_out()
        self.killer = bob.killer
        if fleet.is_over():
            by = "resume"  # it was killed after its end; a run would be a new one
        try:
            return super().finish(state, by=by)
        finally:
            self.killer = mine


@pytest.fixture
def two(fleet, org):
    """Two machines that sign in to one org; a job is written with `job`."""
    fleet.env["T"] = org.token
    return fleet.machine("ada"), fleet.machine("bob")


@pytest.fixture
def job(fleet, two, org):
    """Write a job file on all machines; gives its name."""

    def write(tasks, head="", connection=None):
        connection = connection or f"{{environment: local, url: '{org.url}', token: {{env: T}}}}"
        text = f"version: 1\nname: test\nconnection: {connection}\n{head}tasks:\n"
        lines = (f"  {line}" if line else "" for line in tasks.strip("\n").split("\n"))
        fleet.write("jobs/job.yaml", text + "\n".join(lines) + "\n")
        return "jobs/job.yaml"

    return write


@pytest.fixture
def crash_bench(fleet, two, job, org):
    """Makes the bench of a scenario."""

    def make(name):
        scenario = SCENARIOS[name]
        place = Path(job(scenario.tasks))
        return OtherMachineBench(scenario, org, Checkouts(fleet), two[0].killer, place)

    return make
