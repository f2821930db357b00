"""Who a token is, how it was had, how long it will last, and what mends it."""

import json

ONE = """
- name: list
  query: SELECT Id FROM Account
  to: out/list.csv
"""


def connected(bench, org, token, name="job.yaml"):
    connection = f"{{environment: local, url: '{org.url}', client_id: app, token: {token}}}"
    return bench.job(ONE, name=name, connection=connection)


def test_a_token_alone_is_told_with_its_place_and_its_end(bench, org):
    bench.env["ACME"] = org.token
    ended = bench.run("whoami", connected(bench, org, "{env: ACME}"), "-o", "json")
    assert ended.code == 0, ended.err
    told = ended.document
    assert told["username"] == "admin@local.example"
    assert told["token"] == "variable ACME"
    assert "nothing renews it" in told["ends_when"]
    assert told["mend"].startswith("runner login ")


def test_age_and_missing_scopes_are_told(bench, org):
    members = {
        "version": 1,
        "access_token": org.token,
        "instance_url": org.url,
        "scopes": ["openid"],
        "issued_at": "2026-01-02T03:04:05+00:00",
    }
    bench.write("tokens/org.json", json.dumps(members)).chmod(0o600)
    ended = bench.run("whoami", connected(bench, org, "tokens/org.json"))
    assert ended.code == 0, ended.err
    assert "missing_scopes" in ended.out
    assert "api refresh_token" in ended.out
    assert "2026-01-02T03:04:05Z, " in ended.out
    assert " ago" in ended.out


def test_all_jobs_are_told_one_that_fails_among_them(bench, org):
    bench.env["ACME"] = org.token
    connected(bench, org, "{env: ACME}", name="jobs/good.yaml")
    connected(bench, org, "tokens/none.json", name="jobs/bad.yaml")
    connected(bench, org, "../tokens/none.json", name="jobs/outside.yaml")
    bench.write("jobs/.hidden/other.yaml", "version: 1")
    bench.write("jobs/notes.yaml", "colour: red")
    ended = bench.run("whoami", "--all", "-o", "json")
    assert ended.code == 4, ended.err
    bad, good, outside = ended.document
    assert bench.run("whoami", "jobs", "-o", "json").document == ended.document
    assert "There is no token" in bad["error"]
    assert bad["mend"] == "runner login jobs/bad.yaml"
    assert "outside the job's folder" in outside["error"]
    assert outside["mend"] == "runner validate jobs/outside.yaml"
    assert good["username"] == "admin@local.example"


def test_a_shared_connection_is_asked_once(bench, org):
    bench.env["ACME"] = org.token
    bench.write(
        "connections/org.yaml", f"environment: local\nurl: {org.url}\ntoken: {{env: ACME}}\n"
    )
    for name in ("a", "b"):
        bench.job(ONE, name=f"{name}.yaml", connection="connections/org.yaml")
    ended = bench.run("whoami", "--all")
    assert ended.code == 0, ended.err
    assert ended.out.count("admin@local.example") == 1


def test_without_a_job_it_says_what_to_name(bench):
    ended = bench.run("whoami")
    assert (ended.code, "--all" in ended.err) == (2, True)
