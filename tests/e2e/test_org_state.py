"""`runner org snapshot`, `restore` and `time`, on an org that runs and on one that does not."""

from datetime import UTC, datetime

CONNECTION = "{environment: local, org_file: org.yaml}"
ORG_FILE = "version: 1\nseed: {Account: seed.csv}\n"


def said(bench, *words, code=0):
    ended = bench.run("org", *words)
    assert ended.code == code, (ended.out, ended.err)
    return ended.out if code == 0 else ended.err


def test_a_stopped_org_and_a_running_one_share_snapshots_and_clock(bench, serve_org):
    bench.write("seed.csv", "Name\nSeeded\n")
    named = ("--org-file", bench.write("org.yaml", ORG_FILE))
    assert said(bench, "snapshot", "base", *named) == "Snapshot base: 8 records.\n"
    assert said(bench, "time", "2031-05-06T07:00Z", *named).startswith("2031-05-06T07:00:0")

    org = serve_org(org_file=ORG_FILE)
    made = org.create("Account", Name="Made")
    (record,) = org.rows(f"SELECT CreatedDate FROM Account WHERE Id = '{made}'")
    assert record["CreatedDate"].startswith("2031-05-06T07:")
    assert said(bench, "time", "+1d", *named).startswith("2031-05-07T07:")
    assert said(bench, "snapshot", "more", *named) == "Snapshot more: 9 records.\n"
    restored = f"The local org of {bench.folder} is as in the snapshot base: 8 records.\n"
    assert said(bench, "restore", "base", *named) == restored
    assert [each["Name"] for each in org.rows("SELECT Name FROM Account")] == ["Seeded"]
    today = datetime.now(UTC).date().isoformat()
    assert said(bench, "time", *named) >= today, "a restore brings the clock of the snapshot"
    org.process.terminate()
    org.process.wait()

    said(bench, "reset", *named)
    listed = said(bench, "snapshot", "--list", *named).splitlines()
    assert [line.split()[0] for line in listed] == ["base", "more"]
    assert "9 records" in said(bench, "restore", "more", *named)
    assert said(bench, "time", "--reset", *named)[:10] == datetime.now(UTC).date().isoformat()


def test_what_cannot_be_says_why_and_what_to_do(bench):
    assert said(bench, "restore", "base", code=1) == (
        "error: There is no snapshot base of this org.\n"
        "help: Take one with `runner org snapshot NAME`.\n"
    )
    said(bench, "snapshot", "base")
    again = said(bench, "snapshot", "base", code=1)
    assert again.startswith("error: There is a snapshot base already.\nhelp: Add `--update`")
    assert "There are: base" in said(bench, "restore", "bsae", code=1)
    assert "NAME is missing" in said(bench, "snapshot", code=2)
    assert "exclude each other" in said(bench, "snapshot", "a", "--list", "--delete", code=2)
    assert "is neither a time nor a step" in said(bench, "time", "3d", code=2)
    assert "at most 1,000,000,000 seconds" in said(bench, "time", "2999-01-01", code=1)
