"""Limits stop a run before it writes: each is tripped by the disaster that it is for."""

import json
from dataclasses import replace

import pytest

from tests.short_form import slow

UPSERT = """
- name: people
  upsert: Account
  key: ERP_Id__c
  from: people.csv
  blank: clear
  limits: {{{limits}}}
"""
HEADER = "ERP_Id__c,Name,Phone"
PEOPLE = [(f"K{n}", f"Name {n}", f"030 {n}") for n in range(1, 21)]
SOQL = "SELECT ERP_Id__c, Name, Phone, SystemModstamp FROM Account ORDER BY ERP_Id__c"


def write_people(bench, rows, header=HEADER):
    text = "".join(f"{','.join(row)}\n" for row in rows)
    bench.write("people.csv", f"{header}\n{text}")


def loaded(bench, org):
    """What the org holds once it has the whole file."""
    write_people(bench, PEOPLE)
    first = bench.run("run", bench.job(UPSERT.format(limits="")))
    assert first.code == 0, first.out + first.err
    return org.rows(SOQL)


def trip(bench, job, *options):
    ended = bench.run("run", job, "-o", "json", *options)
    assert ended.code == 6, ended.out + ended.err
    return [each for task in ended.document["tasks"] for each in task["problems"]]


@pytest.mark.parametrize(
    ("rail", "disaster", "code", "says"),
    [
        ("min_rows: 10", "empty", "rail/min-rows", "has 0 rows, and `min_rows` requires 10"),
        ("max_updates: 50%", "shifted", "rail/max-updates", "would change 20 records, and"),
        ("max_clears: 3", "blanked", "rail/max-clears", "would empty 20 cells of records, and"),
        ("max_creates: 5", "other keys", "rail/max-creates", "would create 20 records, and"),
    ],
)
def test_a_disaster_stops_an_upsert_before_it_writes(bench, org, rail, disaster, code, says):
    before = loaded(bench, org)
    header = HEADER
    rows = {
        "empty": [],
        "shifted": PEOPLE,
        "blanked": [(key, name, "") for key, name, _ in PEOPLE],
        "other keys": [(f"X{key}", name, phone) for key, name, phone in PEOPLE],
    }[disaster]
    if disaster == "shifted":
        header = "ERP_Id__c,Phone,Name"
    write_people(bench, rows, header)
    job = bench.job(UPSERT.format(limits=rail))
    [found] = trip(bench, job)
    assert found["code"] == code
    assert says in found["message"]
    assert found["line"] == 10
    assert found["column"]
    assert "--allow " + rail.split(":")[0] in found["help"]
    assert org.rows(SOQL) == before


def test_a_doubled_file_stops_a_create(bench, org):
    bench.write("new.csv", "Name\n" + "x\n" * 20)
    job = bench.job(
        "- {name: new, create: Account, from: new.csv, limits: {min_rows: 5, max_creates: 10}}"
    )
    [found] = trip(bench, job)
    assert "`new` would create 20 records, and `max_creates` allows 10" in found["message"]
    text = bench.run("run", job).out
    assert "error[rail/max-creates]: `new` would create 20 records" in text
    assert "1 limit reached; the task sent nothing." in text
    assert "read 20  created 0  unprocessed 20  failed 0" in text
    assert "stopped by a limit of the job (exit 6)" in text
    assert org.rows("SELECT COUNT(Id) n FROM Account") == [{"n": 0}]
    assert bench.run("run", job, "--allow", "max_creates").code == 0
    assert org.rows("SELECT COUNT(Id) n FROM Account") == [{"n": 20}]


def test_a_checkbox_is_never_empty(bench, org):
    org.create("Account", Name="A", ERP_Id__c="K1", Active__c=True, Phone="1")
    bench.write("a.csv", "ERP_Id__c,Active__c\nK1,false\n")
    job = bench.job(
        "- {name: a, upsert: Account, key: ERP_Id__c, from: a.csv, limits: {max_clears: 0}}"
    )
    assert bench.run("run", job).code == 0
    assert org.rows("SELECT Active__c, Phone FROM Account") == [{"Active__c": False, "Phone": "1"}]


def test_too_many_deletes_are_a_share_of_the_records(bench, org):
    before = loaded(bench, org)
    ids = [row["Id"] for row in org.rows("SELECT Id FROM Account LIMIT 3")]
    bench.write("gone.csv", "Id\n" + "".join(f"{each}\n" for each in ids))
    text = "- {name: gone, delete: Account, from: gone.csv, limits: {max_deletes: 10%}}"
    job = bench.job(text)
    [found] = trip(bench, job)
    assert (
        "would delete 3 records, and `max_deletes` allows 10% of the 20 of Account"
        in (found["message"])
    )
    assert org.rows(SOQL) == before
    assert bench.run("run", bench.job(text.replace("10%", "15%"))).code == 0


SEVERAL = """
- name: first
  create: Contact
  from: contacts.csv
- name: doomed
  query: SELECT Id FROM Account
- name: gone
  delete: Account
  from: {task: doomed}
"""


@pytest.mark.parametrize(
    ("head", "by_file"),
    [("limits: {max_deletes: 5}\n", False), ("limits: {max_deletes: 20%}\n", True)],
)
def test_a_later_task_stops_the_run_before_an_earlier_one_writes(bench, org, head, by_file):
    before = loaded(bench, org)
    bench.write("contacts.csv", "LastName\nA\n")
    tasks = SEVERAL.replace("- name: first", "- name: last").replace(
        "- name: doomed", "- name: doomed"
    )
    first, query, delete = (part for part in tasks.split("- name: ")[1:])
    job = bench.job("".join(f"- name: {part}" for part in (query, first, delete)), head=head)
    [found] = trip(bench, job)
    assert found["path"] == ["limits", "max_deletes"]
    assert org.rows(SOQL) == before
    assert org.rows("SELECT COUNT(Id) n FROM Contact") == [{"n": 0}]


def test_what_is_known_only_after_a_write_stops_the_rest_and_can_be_resumed(bench, org):
    loaded(bench, org)
    bench.write("contacts.csv", "LastName\nA\n")
    job = bench.job(SEVERAL, head="limits: {max_deletes: 5}\n")
    ended = bench.run("run", job)
    assert ended.code == 6
    assert org.rows("SELECT COUNT(Id) n FROM Contact") == [{"n": 1}]
    assert org.rows("SELECT COUNT(Id) n FROM Account") == [{"n": 20}]
    again = bench.run("resume", "--allow", "max_deletes")
    assert again.code == 0, again.out + again.err
    assert org.rows("SELECT COUNT(Id) n FROM Contact") == [{"n": 1}]
    assert org.rows("SELECT COUNT(Id) n FROM Account") == [{"n": 0}]


def test_failed_rows_that_are_sent_again_may_be_fewer_than_an_extract_has(bench, org):
    bench.write("new.csv", "Name,Tier__c\n" + "x,Gold\n" * 9 + "y,Wrong\n")
    job = bench.job(
        "- {name: new, create: Account, from: new.csv}", head="limits: {min_rows: 10}\n"
    )
    assert bench.run("run", job).code == 3
    ended = bench.run("retry", "last")
    assert ended.code == 1, ended.out + ended.err
    assert "Every row failed." in ended.out


def protected(bench, org, text="protect: true\n"):
    bench.env["ORG_TOKEN"] = org.token
    url = f"environment: local\nurl: '{org.url}'\ntoken: {{env: ORG_TOKEN}}\n"
    bench.write("connections/acme-live.yaml", url + text)
    return {"connection": "connections/acme-live.yaml"}


def test_a_protected_connection_is_written_to_with_its_name_only(bench, org):
    place = protected(bench, org)
    bench.write("new.csv", "Name,Tier__c\nx,Gold\ny,Wrong\n")
    job = bench.job("- {name: new, create: Account, from: new.csv}", **place)
    for options in ((), ("--confirm", "acme-uat"), ("-o", "json")):
        ended = bench.run("run", job, *options)
        assert ended.code == 6, ended.out + ended.err
        assert "--confirm acme-live" in ended.out + ended.err
        assert "acme-live.yaml" in ended.out + ended.err
    assert org.rows("SELECT COUNT(Id) n FROM Account") == [{"n": 0}]
    assert bench.run("run", job, "--confirm", "acme-live").code == 3
    assert bench.run("retry", "last").code == 6
    assert bench.run("undo", "last", "--yes").code == 6
    assert bench.run("undo", "last", "--dry-run").code == 0
    assert org.rows("SELECT COUNT(Id) n FROM Account") == [{"n": 1}]
    bench.env["SFRUNNER_CONFIRM"] = "other acme-live"
    assert bench.run("undo", "last", "--yes").code == 0
    assert org.rows("SELECT COUNT(Id) n FROM Account") == [{"n": 0}]


def test_a_protected_connection_is_read_without_a_word(bench, org):
    place = protected(bench, org, "protect: true\nname: main\n")
    query = "- {name: q, query: SELECT Id FROM Account, to: out.csv}\n"
    write = "- {name: w, create: Account, from: a.csv}\n"
    bench.write("a.csv", "Name\nx\n")
    assert bench.run("run", bench.job(query, **place)).code == 0
    both = bench.job(query + write, **place)
    assert bench.run("run", both, "--task", "q").code == 0
    assert "--confirm main" in bench.run("run", both).err


def test_no_job_of_several_starts_if_one_is_not_confirmed(bench, org):
    bench.write("a.csv", "Name\nx\n")
    task = "- {name: w, create: Account, from: a.csv}\n"
    plain = bench.job(task, name="plain.yaml")
    guarded = bench.job(task, name="guarded.yaml", **protected(bench, org))
    assert bench.run("run", plain, guarded).code == 6
    assert org.rows("SELECT COUNT(Id) n FROM Account") == [{"n": 0}]


def test_a_run_that_would_use_the_reserve_does_not_start(bench, serve_org):
    org = serve_org("--daily-api-requests", "100")
    bench.write("a.csv", "Name\n" + "x\n" * 40)
    task = "- {name: w, create: Account, from: a.csv, api: rest, batch_size: 1}"
    job = bench.job(task, head="limits: {reserve_api_calls: 80%}\n")
    ended = bench.run("run", job, "-o", "json")
    assert ended.code == 6
    [found] = ended.document["diagnostics"]
    assert found["code"] == "rail/reserve-api-calls"
    assert "`reserve_api_calls` leaves 80 of 100 to others" in found["message"]
    assert org.rows("SELECT COUNT(Id) n FROM Account") == [{"n": 0}]


def test_a_run_that_reaches_the_reserve_stops_and_can_be_resumed(bench, serve_org):
    org = serve_org("--daily-api-requests", "200")
    bench.write("a.json", json.dumps([{"Name": "x"}] * 40))  # rows that no forecast counts
    task = "- {name: w, create: Account, from: a.json, api: rest, batch_size: 1}\n"
    job = bench.job(task, head="limits: {reserve_api_calls: 180}\n")
    ended = bench.run("run", job, "-o", "json")
    assert ended.code == 5, ended.out + ended.err
    assert "`reserve_api_calls` leaves 180 of them to others" in ended.task("w")["message"]
    sent = ended.task("w")["counts"]["created"]
    assert 0 < sent < 40
    assert org.rows("SELECT COUNT(Id) n FROM Account") == [{"n": sent}]
    assert bench.run("resume").code == 5
    again = bench.run("resume", "--allow", "reserve_api_calls")
    assert again.code == 0, again.out + again.err
    assert org.rows("SELECT COUNT(Id) n FROM Account") == [{"n": 40}]


def test_another_org_has_none_of_the_keys(bench, org, serve_org, tmp_path):
    loaded(bench, org)
    other = serve_org(place=replace(bench, folder=tmp_path / "other"))
    bench.env["ORG_TOKEN"] = other.token
    connection = f"{{environment: local, url: '{other.url}', token: {{env: ORG_TOKEN}}}}"
    job = bench.job(UPSERT.format(limits="max_creates: 5%"), connection=connection)
    [found] = trip(bench, job)
    assert (
        "would create 20 records, and `max_creates` allows 5% of the 0 of Account"
        in (found["message"])
    )
    assert other.rows("SELECT COUNT(Id) n FROM Account") == [{"n": 0}]


CHANGES = """
- name: people
  update: Account
  key: ERP_Id__c
  from: people.csv
  only_changes: {only}
  limits: {{max_updates: {most}}}
"""


@pytest.mark.parametrize("only", ["true", *slow("false")])
def test_records_that_hold_everything_already_do_not_count(bench, org, only):
    loaded(bench, org)
    write_people(bench, [(key, f"{name}!", phone) for key, name, phone in PEOPLE[:3]] + PEOPLE[3:])
    [found] = trip(bench, bench.job(CHANGES.format(only=only, most=2)))
    assert "would change 3 records, and `max_updates` allows 2" in found["message"]
    assert bench.run("run", bench.job(CHANGES.format(only=only, most=3))).code == 0
    assert len(org.rows("SELECT Id FROM Account WHERE Name LIKE '%!'")) == 3


def test_a_record_outside_of_the_scope_is_not_a_new_one(bench, org):
    loaded(bench, org)
    write_people(bench, [(key, f"{name}!", phone) for key, name, phone in PEOPLE])
    limits = "max_creates: 0, max_updates: 20"
    text = UPSERT.format(limits=limits) + "  only_changes: true\n  scope: Name LIKE '%1'\n"
    [found] = trip(bench, bench.job(text.replace(": 20", ": 19")))
    assert "would change 20 records, and `max_updates` allows 19" in found["message"]
    ended = bench.run("run", bench.job(text))
    assert ended.code == 0, ended.out + ended.err


def test_an_upsert_by_id_creates_rows_without_one(bench, org):
    made = org.create("Account", Name="a")
    bench.write("a.csv", f"Id,Name\n{made},a\n,b\n,c\n")
    text = "- {{name: u, upsert: Account, key: Id, from: a.csv, limits: {{max_creates: {}}}}}"
    [found] = trip(bench, bench.job(text.format(1)))
    assert "would create 2 records" in found["message"]
    assert bench.run("run", bench.job(text.format(2))).code == 0


def test_a_plan_says_which_limits_would_stop_its_run(bench, org):
    loaded(bench, org)
    write_people(bench, [(key, name, "") for key, name, _ in PEOPLE])
    place = protected(bench, org)  # a plan writes nothing, so it needs no name
    job = bench.job(
        UPSERT.format(limits="max_clears: 3, max_updates: 20"),
        head="limits: {min_rows: 30, reserve_api_calls: 100%}\n",
        **place,
    )
    ended = bench.run("plan", job, "-o", "json")
    assert ended.code == 0, ended.out + ended.err
    trips = {each["rail"]: each for each in ended.document["trips"]}
    assert trips.keys() == {"max_clears", "min_rows", "reserve_api_calls"}
    assert trips["max_clears"]["message"].startswith("`people` would empty 20 cells of records")
    assert "the run would stop: `people` would empty" in bench.run("plan", job).out
    assert org.rows("SELECT COUNT(Id) n FROM Account WHERE Phone = null") == [{"n": 0}]


def test_a_check_says_that_the_reserve_would_be_used(bench, serve_org):
    serve_org("--daily-api-requests", "50")
    bench.write("a.csv", "Name\n" + "x\n" * 40)
    task = "- {name: w, create: Account, from: a.csv, api: rest, batch_size: 2}"
    ended = bench.run("check", bench.job(task, head="limits: {reserve_api_calls: 80%}\n"))
    assert ended.code == 2
    assert "error[rail/reserve-api-calls]" in ended.out


BESIDE = """
- name: doomed
  query: SELECT Id FROM Account
  needs: []
- name: contacts
  create: Contact
  from: contacts.csv
  needs: []
- name: gone
  delete: Account
  from: {task: doomed}
  needs: [doomed]
  limits: {max_deletes: 100, min_rows: 20}
"""


def test_tasks_side_by_side_are_judged_by_whole_rows(bench, org):
    loaded(bench, org)
    bench.write("contacts.csv", "LastName\nA\n")
    ended = bench.run("run", bench.job(BESIDE))
    assert ended.code == 0, ended.out + ended.err
    assert org.rows("SELECT COUNT(Id) n FROM Account") == [{"n": 0}]
