"""Tasks whose `needs` allow it run at once, and leave what they leave one after another."""

import json
import signal
import threading

import pytest

from tests.e2e.proxy import Proxy
from tests.short_form import slow

ROWS = 40
SECONDS = 120
"""More than a start takes on a busy machine; nothing waits that long for what comes."""
ACCOUNTS = "- name: accounts\n  create: Account\n  from: a.csv\n  api: rest\n  needs: []\n"
CONTACTS = (
    ACCOUNTS.replace("account", "contact").replace("Account", "Contact").replace("a.csv", "c.csv")
)
LIST = "- name: list\n  query: SELECT Name FROM Account\n  to: out.csv\n  needs: [accounts]\n"
AFTER = "- name: after\n  query: SELECT LastName FROM Contact\n  to: after.csv\n"


class Gate(Proxy):
    """Holds answers about accounts and contacts until both are here, or until it is opened."""

    def __init__(self, org, *, together=True):
        self.here = {"Account": threading.Event(), "Contact": threading.Event()}
        self.opened = threading.Event()
        self.together = together
        super().__init__(org, change=self.hold)

    def hold(self, passing):
        """Hold what creates records, or reads those of `BOTH_LISTS`."""
        held = {("POST", "composite/sobjects"), ("GET", "CreatedDate")}
        if not any(passing.method == method and text in passing.path for method, text in held):
            return
        sobject = "Account" if b'"001' in passing.body else "Contact"
        self.here[sobject].set()
        if self.together:
            assert all(each.wait(SECONDS) for each in self.here.values())
        else:
            assert self.opened.wait(SECONDS)


@pytest.fixture
def make_gate(bench, org):
    made = []
    bench.env["T"] = org.token
    rows = "".join(f"n {n},E{n}\n" for n in range(ROWS))
    bench.write("a.csv", f"Name,ERP_Id__c\n{rows}")
    bench.write("c.csv", f"LastName,ERP_Id__c\n{rows}")

    def make(**options):
        made.append(Gate(org, **options))
        return made[-1]

    yield make
    for each in made:
        each.opened.set()
        each.close()


def names(ended):
    return [task["name"] for task in ended.document["tasks"]]


def test_tasks_run_at_once_and_are_told_in_the_order_of_the_file(bench, org, make_gate):
    gate = make_gate()
    job = bench.job(LIST + ACCOUNTS + CONTACTS + AFTER, connection=gate.connection)
    ended = bench.run("run", job, "-o", "json", "-v")
    assert ended.code == 0, ended.err + ended.out
    assert names(ended) == ["list", "accounts", "contacts", "after"]
    for name in ("accounts", "contacts"):
        assert ended.task(name)["counts"]["created"] == ROWS
        assert ended.task(name)["api_calls"] == 1
        assert f"{name}: {ROWS} of {ROWS} rows" in ended.err
    assert (bench.folder / "after.csv").read_text().count("\n") == ROWS + 1
    shown = bench.run("show", "last", "-o", "json").document
    assert [task["name"] for task in shown["tasks"]] == names(ended)


def test_tasks_that_touch_the_same_things_keep_their_order(bench, org):
    for name in "ab":
        bench.write(f"{name}.csv", f"ERP_Id__c,Name\nE,{name}\n")
    tasks = "".join(
        f"- name: {name}\n  upsert: Account\n  key: ERP_Id__c\n  from: {name}.csv\n  needs: []\n"
        for name in "ab"
    )
    tasks += "- name: list\n  query: SELECT Name FROM Account\n  to: l.csv\n  needs: [a, b]\n"
    tasks += "- name: load\n  create: Lead\n  from: l.csv\n  needs: []\n"
    tasks += "  fields: {LastName: Name, Company: Name}\n"
    ended = bench.run("run", bench.job(tasks), "-o", "json")
    assert ended.code == 0, ended.err + ended.out
    assert org.rows("SELECT LastName FROM Lead") == [{"LastName": "b"}]


def test_an_undo_goes_back_in_the_order_in_which_tasks_have_run(bench, org):
    bench.write("a.csv", "Name,ERP_Id__c\nn,E\n")
    bench.write("c.csv", "LastName,Account.ERP_Id__c\nl,E\n")
    contacts = CONTACTS.replace("needs: []", "needs: [accounts]")
    ended = bench.run("run", bench.job(contacts + ACCOUNTS), "-o", "json")
    assert ended.code == 0, ended.err + ended.out
    assert names(ended) == ["contacts", "accounts"]
    undone = bench.run("undo", "last", "--yes", "-o", "json")
    assert undone.code == 0, undone.err + undone.out
    assert names(undone) == ["contacts.delete", "accounts.delete"]
    for sobject in ("Account", "Contact"):
        assert org.rows(f"SELECT COUNT(Id) n FROM {sobject}") == [{"n": 0}]


def test_one_at_a_time_gives_the_same(bench, org, make_gate):
    told, tables = [], []
    for gate in (make_gate(), make_gate(together=False)):
        assert org.request("POST", "/__org/reset").status_code == 204
        if not gate.together:
            gate.opened.set()
            bench.env["SFRUNNER_PARALLEL"] = "1"
        job = bench.job(LIST + ACCOUNTS + CONTACTS + AFTER, connection=gate.connection)
        ended = bench.run("run", job, "-o", "json")
        assert ended.code == 0, ended.err + ended.out
        kept = ("name", "status", "api", "api_calls", "exit_code", "message", "counts")
        told.append([[task[key] for key in kept] for task in ended.document["tasks"]])
        tables.append((bench.folder / "after.csv").read_text())
    assert told[0] == told[1]
    assert tables[0] == tables[1]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), *slow((signal.SIGKILL, -9))])
def test_tasks_under_way_are_all_resumed(bench, org, make_gate, number, code):
    gate = make_gate(together=False)
    job = bench.job(ACCOUNTS + CONTACTS + AFTER, connection=gate.connection)
    process = bench.begin("run", job, "-o", "json")
    assert all(each.wait(SECONDS) for each in gate.here.values())
    assert "under way: accounts, contacts" in bench.run("show", "last").out
    process.send_signal(number)
    if number == signal.SIGINT:
        for line in process.stderr:
            if line.startswith("stopping"):
                break
    else:
        process.wait(SECONDS)
    gate.opened.set()
    process.communicate(timeout=SECONDS)
    assert process.returncode == code
    shown = bench.run("show", "last", "-o", "json").document
    if number == signal.SIGINT:
        states = {task["name"]: task["outcome"]["status"] for task in shown["tasks"]}
        assert states == {"accounts": "aborted", "contacts": "aborted", "after": "skipped"}
    ended = bench.run("resume", "-o", "json")
    assert ended.code == 0, ended.err + ended.out
    assert names(ended) == ["accounts", "contacts", "after"]
    for sobject in ("Account", "Contact"):
        assert org.rows(f"SELECT COUNT(Id) n FROM {sobject}") == [{"n": ROWS}]


BOTH_LISTS = (
    "- name: accounts\n  query: SELECT Id, CreatedDate FROM Account\n  to: a.out.csv\n  needs: []\n"
    "- name: contacts\n  query: SELECT Id, CreatedDate FROM Contact\n  to: c.out.csv\n  needs: []\n"
)


def test_a_signal_ends_tasks_that_wait_for_an_answer(bench, org, make_gate):
    gate = make_gate(together=False)
    org.create("Account", Name="a")
    job = bench.job(BOTH_LISTS, connection=gate.connection)
    process = bench.begin("run", job, "-o", "json")
    assert all(each.wait(SECONDS) for each in gate.here.values())
    process.terminate()
    out, _ = process.communicate(timeout=SECONDS / 2)  # the gate stays closed
    assert process.returncode == 143
    assert [task["status"] for task in json.loads(out)["tasks"]] == ["aborted", "aborted"]
    assert not (bench.folder / "a.out.csv").exists()


def test_the_timeout_ends_all_and_a_resume_finishes_them(bench, org, make_gate):
    gate = make_gate(together=False)
    job = bench.job(ACCOUNTS + CONTACTS, connection=gate.connection)
    ended = bench.run("run", job, "--timeout", "2s", "-o", "json")
    assert ended.code == 5, ended.err + ended.out
    assert [task["exit_code"] for task in ended.document["tasks"]] == [5, 5]
    gate.opened.set()
    ended = bench.run("resume", "-o", "json", "--parallel", "1")
    assert ended.code == 0, ended.err + ended.out
    for sobject in ("Account", "Contact"):
        assert org.rows(f"SELECT COUNT(Id) n FROM {sobject}") == [{"n": ROWS}]


def test_what_is_under_way_when_another_fails_goes_on_and_nothing_else_starts(bench, make_gate):
    gate = make_gate(together=False)
    gone = (
        "- name: gone\n  update: Lead\n  from: g.csv\n  api: rest\n  needs: []\n"
        "  on_failure: report\n"
        "- name: report\n  query: SELECT Id FROM User\n  to: r.csv\n"
    )
    bench.write("g.csv", "Id,LastName\n00Q000000000001,x\n")
    job = bench.job(ACCOUNTS + gone + AFTER, connection=gate.connection)
    process = bench.begin("run", job, "-o", "json")
    assert gate.here["Account"].wait(SECONDS)
    for line in process.stderr:
        if line.startswith("report:"):
            break
    gate.opened.set()
    out, _ = process.communicate(timeout=SECONDS)
    assert process.returncode == 1
    states = [(task["name"], task["status"]) for task in json.loads(out)["tasks"]]
    assert states == [
        ("accounts", "done"),
        ("gone", "failed"),
        ("report", "done"),
        ("after", "skipped"),
    ]
