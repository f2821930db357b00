"""Bulk jobs that a killed process leaves in the org, of a run that nobody resumes."""

import pytest

JOB = "- {name: load, create: Account, from: a.csv, api: bulk}"
ROWS = 5


def jobs_by_state(org, kind="ingest"):
    answer = org.request("GET", f"/services/data/v68.0/jobs/{kind}").json()
    return sorted(each["state"] for each in answer["records"])


class Loads:
    def __init__(self, bench, org, killer):
        killer.env["T"] = org.token
        connection = f"{{environment: local, url: '{org.url}', token: {{env: T}}}}"
        self.job = bench.job(JOB, connection=connection)
        self.killer, self.org, self.folder = killer, org, bench.folder
        bench.write("a.csv", "Name\n" + "".join(f"n {n}\n" for n in range(ROWS)))

    def command(self, *words, number, kill_at=None):
        state = self.folder / "states" / str(number)
        return self.killer.run(*words, "-o", "json", state=state, kill_at=kill_at)

    def killed_and_abandoned(self, at):
        """Whether a job was left open, and what the next run of the job says."""
        assert self.org.request("POST", "/__org/reset").status_code == 204
        assert self.command("run", self.job, number=at, kill_at=at).code == -9
        was_open = jobs_by_state(self.org) == ["Open"]
        self.command("resume", "--abandon", number=at)
        ended = self.command("run", self.job, number=at)
        assert ended.code == 0, ended.err + ended.out
        assert "Open" not in jobs_by_state(self.org), f"killed at point {at}"
        return was_open, ended.err


@pytest.fixture
def loads(bench, org, killer):
    return Loads(bench, org, killer)


def test_the_next_run_aborts_jobs_that_an_abandoned_one_left_open(loads):
    """One whose making was not recorded yet, and one whose Id is in the ledger."""
    points = loads.command("run", loads.job, number=0).points
    for at in range(points // 3, points):
        was_open, told = loads.killed_and_abandoned(at)
        if was_open:
            break
    assert "aborted 1 Bulk job that run" in told
    was_open, told = loads.killed_and_abandoned(at + 2)
    assert was_open
    assert "aborted 1 Bulk job that run" in told


@pytest.mark.slow
def test_no_point_leaves_a_job_open(loads):
    points = loads.command("run", loads.job, number=0).points
    found = [loads.killed_and_abandoned(at)[0] for at in range(1, points)]
    assert any(found)


def test_a_query_job_of_a_process_that_died_is_aborted(bench, org):
    org.stall_jobs()
    org.create("Account", Name="one")
    query = "- {{name: list, query: SELECT Id FROM Account, to: a.csv, api: {}}}"
    process = bench.begin("run", bench.job(query.format("bulk")), "-v")
    for line in process.stderr:
        if "InProgress" in line:
            break
    process.kill()
    process.communicate(timeout=60)
    assert jobs_by_state(org, "query") == ["InProgress"]
    org.fault(kind="status", status=503, method="PATCH", times=1)
    ended = bench.run("run", bench.job(query.format("rest")))
    assert ended.code == 0
    assert "could not abort 1 Bulk job that run" in ended.err
    assert "the next run tries again" in ended.err
    assert jobs_by_state(org, "query") == ["InProgress"]
    assert bench.run("run", bench.job(query.format("rest"))).code == 0
    assert jobs_by_state(org, "query") == ["Aborted"]
