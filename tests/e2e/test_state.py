"""`runner state`: a run that one machine began is finished on another."""

import shutil

TASKS = """
- name: first
  create: Account
  from: a.csv
- name: second
  create: Account
  from: b.csv
  api: bulk
  retry: {attempts: 1}
"""


def test_an_unfinished_run_is_finished_on_another_machine(bench, org):
    bench.write("a.csv", "Name\na\n")
    bench.write("b.csv", "Name\nb\n")
    bench.env["ORG_TOKEN"] = org.token
    connection = f"{{environment: local, url: '{org.url}', token: {{env: ORG_TOKEN}}}}"
    job = bench.job(TASKS, connection=connection)
    org.fault(kind="status", status=503, path="/jobs/ingest", times=1000)
    assert bench.run("run", job).code == 5
    exported = bench.run("state", "export", "state.zip")
    assert exported.code == 0, exported.err
    [_, line] = exported.out.splitlines()
    run_id = line.split()[0]
    assert line.endswith("is unfinished: resume it on one machine only")
    shutil.rmtree(bench.state / "runs")  # this machine is gone
    org.go_on()

    other = ("--state", bench.folder / "other")
    imported = bench.run("state", "import", "state.zip", *other)
    assert imported.code == 0, imported.err
    assert imported.out.startswith("imported 1 run, 0 watermarks, 0 lists of managed records of ")
    assert imported.out.endswith(f"  {run_id} is unfinished: `runner resume {run_id}`\n")
    resumed = bench.run("resume", *other, "-o", "json")
    assert resumed.code == 0, resumed.err
    assert resumed.document["run_id"] == run_id
    assert org.rows("SELECT Name FROM Account ORDER BY Name") == [{"Name": "a"}, {"Name": "b"}]
    undone = bench.run("undo", run_id, "--yes", *other)
    assert undone.code == 0, undone.err + undone.out
    assert org.rows("SELECT Name FROM Account") == []

    again = bench.run("state", "import", "state.zip", *other)
    assert again.code == 2
    assert f"already has run {run_id}, which differs from the file" in again.err
    assert bench.run("state", "import", "b.csv").code == 2
    assert bench.run("state", "import", "state.zip", "--move", "here").code == 2
    listed = bench.run("state", "export", "all.zip", "--results", *other, "-o", "json").document
    assert (listed["runs"], listed["unfinished"]) == (2, [])
    third = ("--state", bench.folder / "third", "-o", "json")
    moved = bench.run("state", "import", "all.zip", "--move", f"{bench.folder}=/srv", *third)
    assert moved.document["runs"][0] == run_id
    assert {run["job_file"] for run in bench.run("history", *third).document["runs"]} == {
        "/srv/job.yaml"
    }


def test_a_state_may_be_at_an_address(bench, org):
    bench.write("a.csv", "Name\nAda\n")
    job = bench.job("- {name: load, create: Account, from: a.csv}")
    assert bench.run("run", job).code == 0
    address = (bench.folder / "state.zip").as_uri()
    ended = bench.run("state", "export", address, "-o", "json")
    assert ended.code == 0, ended.err
    assert ended.document["file"] == address
    there = bench.folder / "elsewhere"
    ended = bench.run("state", "import", address, "--state", there)
    assert ended.code == 0, ended.err
    runs = bench.run("history", "--state", there, "-o", "json").document["runs"]
    assert [run["exit_code"] for run in runs] == [0]
    missing = bench.run("state", "import", f"{address}x", "--state", there)
    assert missing.code == 1
    assert "state.zipx cannot be read" in missing.err
    assert "Traceback" not in missing.err
    assert bench.run("state", "export", "nonsense://a/b").code == 1
    lost = bench.run("state", "export", "memory://a/state.zip")
    assert (lost.code, lost.out) == (2, "")


def test_the_old_name_of_the_variable_is_told_once(bench):
    told = "warning: SFRUNNER_STATE_DIR is ignored; it has been renamed to SFRUNNER_STATE.\n"
    bench.env |= {"SFRUNNER_STATE_DIR": "elsewhere"}
    assert bench.run("history").err == "", "the new one is set"
    bench.env |= {"SFRUNNER_STATE": "", "XDG_STATE_HOME": str(bench.folder)}
    ended = bench.run("history", "-o", "json")
    assert (ended.code, ended.err, ended.document) == (0, told, {"runs": []})
    bench.write("rows.csv", "Name\nA\n")
    job = bench.job("[{name: a, create: Account, from: rows.csv}]")
    assert bench.run("validate", job).err == told
    assert bench.run("history", "--state", "named").err == ""
