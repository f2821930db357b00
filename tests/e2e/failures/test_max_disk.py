"""A run whose files would take more than they may ends in order, and is resumed with more."""

import pytest

from tests.short_form import slow

JOB = """
- name: load
  create: Account
  from: {source}
  api: bulk
"""
ROWS = 4_000


def room_taken(bench):
    return sum(file.stat().st_size for file in (bench.state / "runs").rglob("*") if file.is_file())


@pytest.mark.parametrize("ending", ["csv", *slow("jsonl")])
def test_staging_stops_at_the_bound_and_a_resume_with_more_goes_on(bench, org, ending):
    filler = "x" * 200
    rows = [f"n{number:05} {filler}" for number in range(ROWS)]
    lines = [f'{{"Name": "{row}"}}' for row in rows] if ending == "jsonl" else ["Name", *rows]
    bench.write(f"a.{ending}", "\n".join(lines) + "\n")
    job = bench.job(JOB.format(source=f"a.{ending}"), head="max_disk: 500KB\n")
    ended = bench.run("run", job)
    assert ended.code == 1
    assert "`max_disk` is 500 KB: load/staging" in ended.out
    assert "`runner resume --max-disk 1MB`" in ended.out
    assert room_taken(bench) < 500_000, "what was staged is gone"
    assert org.rows("SELECT COUNT(Id) n FROM Account") == [{"n": 0}]
    resumed = bench.run("resume", "--max-disk", "50MB")
    assert resumed.code == 0, resumed.out + resumed.err
    assert org.rows("SELECT COUNT(Id) n FROM Account") == [{"n": ROWS}]


@pytest.mark.parametrize("size", ["much", "-5KB"])
def test_what_is_no_size_is_told(bench, size):
    bench.write("a.csv", "Name\nx\n")
    job = bench.job(JOB.format(source="a.csv"))
    ended = bench.run("run", job, "--max-disk", size)
    assert ended.code == 2
    assert "Write it like 500MB or 20GB." in ended.err
