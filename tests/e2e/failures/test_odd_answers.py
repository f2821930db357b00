"""Answers that are JSON of another form: each ends in a documented exit code, never in a defect."""

import json
import random

import pytest

from tests.short_form import slow

JOB = """
- name: read
  query: SELECT Id, Name, Owner.Name, (SELECT Id, LastName FROM Contacts) FROM Account
  to: out.json
  retry: {attempts: 2, longest_wait: 1s, total_time: 3s}
- name: read_bulk
  query: SELECT Id, Name FROM Account
  to: out.csv
  api: bulk
  on_error: continue
  retry: {attempts: 2, longest_wait: 1s, total_time: 3s}
- name: load_rest
  upsert: Account
  key: ERP_Id__c
  from: a.csv
  undo: true
  on_error: continue
  retry: {attempts: 2, longest_wait: 1s, total_time: 3s}
- name: load_bulk
  create: Account
  from: b.csv
  api: bulk
  on_error: continue
  retry: {attempts: 2, longest_wait: 1s, total_time: 3s}
"""
DEEP = object()
WORDS = [None, True, -1, 1.5, 10**40, "", "word", [], {}, ["x"], {"x": 1}, [None], DEEP]
CODES = {0, 1, 2, 3, 4, 5}


def seeds(few, all_of_them):
    """The long form has more of them."""
    more = (pytest.param(each, marks=pytest.mark.slow) for each in range(few, all_of_them))
    return pytest.mark.parametrize("seed", [*range(few), *more])


def places(value, path=()):
    """Every place in a JSON value, the value itself first."""
    yield path
    members = value.items() if isinstance(value, dict) else enumerate(value)
    if isinstance(value, dict | list):
        for name, member in list(members)[:12]:
            yield from places(member, (*path, name))


def put(value, path, new):
    if not path:
        return new
    above = value
    for step in path[:-1]:
        above = above[step]
    if new is places:  # a member that is missing
        del above[path[-1]]
    else:
        above[path[-1]] = new
    return value


def mutated(body, chance):
    value = json.loads(body)
    found = list(places(value))
    path = chance.choice(found)
    new = chance.choice([*WORDS, *([places] * 4 if path else [])])
    text = json.dumps(put(value, path, "DEEP" if new is DEEP else new))
    if new is DEEP:
        text = text.replace('"DEEP"', "[" * 100_000 + "]" * 100_000)
    return text.encode(), path, new


@pytest.fixture
def filled(bench, org):
    account = org.create("Account", Name="a", ERP_Id__c="E1")
    org.create("Contact", LastName="c", AccountId=account)
    bench.write("a.csv", "ERP_Id__c,Name\nE1,b\nE2,c\n")
    bench.write("b.csv", "Name\nx\ny\n")


def changes_one(seed, log):
    """Change one member of one JSON answer, by chance; later answers pass."""
    chance = random.Random(seed)  # noqa: S311 - no secret
    left = chance.randrange(40)

    def change(passing):
        nonlocal left
        if not passing.body.lstrip().startswith((b"{", b"[")) or passing.path.startswith("/__org"):
            return
        if left == 0:
            passing.body, path, new = mutated(passing.body, chance)
            log.append(f"{passing.method} {passing.path} {path} {new!r:.60}")
        left -= 1

    return change


@seeds(2, 24)
def test_no_answer_of_another_form_is_a_defect(bench, proxy, filled, seed):
    job = bench.job(JOB, connection=proxy.connection)
    for number in range(5):
        log = []
        proxy.change = changes_one(seed * 100 + number, log)
        ended = bench.run("run", job)
        assert ended.code in CODES, (log, ended.err)
        assert "Traceback" not in ended.err, log
        proxy.change = lambda _: None
        resumed = bench.run("resume", "--abandon") if ended.code not in {0, 3} else ended
        assert resumed.code != 70, (log, resumed.err)


def test_the_job_is_done_where_nothing_is_changed(bench, proxy, filled):
    ended = bench.run("run", bench.job(JOB, connection=proxy.connection))
    assert ended.code == 0, ended.err


HEADERS = {
    "Sforce-NumberOfRecords": ["9" * 5000, "many", "-1", "1.5", ""],
    "Sforce-Locator": ["null", "", "x" * 3000],
    "Sforce-Limit-Info": ["api-usage=" + "9" * 5000, "x"],
    "Date": ["yesterday", "Wed, 01 Jan 99999999999 00:00:00 GMT", ""],
    "Content-Type": ["", "x", "application/json; charset=martian"],
}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        case
        for name, (first, *others) in HEADERS.items()
        for case in ((name, first), *slow(*((name, each) for each in others)))
    ],
)
def test_no_header_is_a_defect(bench, proxy, filled, name, value):
    def change(passing):
        kept = {n: v for n, v in passing.headers.items() if n.lower() != name.lower()}
        passing.headers = {**kept, name: value}

    proxy.change = change
    ended = bench.run("run", bench.job(JOB, connection=proxy.connection))
    assert ended.code in CODES, ended.err
    assert "Traceback" not in ended.err


@pytest.mark.parametrize(
    "value", ["9" * 400, "soon", *slow("Wed, 01 Jan 99999999999 00:00:00 GMT", "-5", "99999999999")]
)
def test_no_retry_after_is_a_defect(bench, proxy, filled, value):
    def change(passing):
        passing.status, passing.body = 503, b"busy"
        passing.headers = {"Retry-After": value}

    proxy.change = change
    ended = bench.run("run", bench.job(JOB, connection=proxy.connection), "--timeout", "4s")
    assert ended.code == 5, ended.err


@seeds(1, 12)
def test_no_answer_to_whoami_is_a_defect(bench, proxy, filled, seed):
    job = bench.job(JOB, connection=proxy.connection)
    for number in range(5):
        log = []
        proxy.change = changes_one(seed * 100 + number, log)
        ended = bench.run("whoami", job)
        assert ended.code in CODES, (log, ended.err)
