"""Another org as the source: a copy from one local org to another, equal by external Ids."""

import re
import zipfile

import pytest

from tests.e2e.apis import OVER_BULK, OVER_REST
from tests.e2e.conftest import Bench

ORG = """\
version: 1
objects:
  Account:
    fields:
      ERP_Id__c: {type: text, label: ERP Id, length: 20, external_id: true, unique: true}
      Since__c: {type: date, label: Since}
      Checked__c: {type: datetime, label: Checked}
      Score__c: {type: number, label: Score, precision: 16, scale: 2}
      Active__c: {type: checkbox, label: Active}
  Contact:
    fields:
      Short__c: {type: text, label: Short, length: 8}
      ERP_Id__c: {type: text, label: ERP Id, length: 20, external_id: true, unique: true}
  Opportunity:
    fields:
      ERP_Id__c: {type: text, label: ERP Id, length: 20, external_id: true, unique: true}
"""
QUERIES = {
    "accounts": "SELECT ERP_Id__c, Name, Description, Since__c, Checked__c, Score__c, Active__c,"
    " Parent.ERP_Id__c FROM Account WHERE ERP_Id__c != null",
    "contacts": "SELECT ERP_Id__c, LastName, Email, Phone, Birthdate, Account.ERP_Id__c,"
    " ReportsTo.ERP_Id__c FROM Contact WHERE ERP_Id__c != null",
    "deals": "SELECT ERP_Id__c, Name, StageName, CloseDate, Amount, Account.ERP_Id__c"
    " FROM Opportunity WHERE ERP_Id__c != null",
}
OBJECTS = {"accounts": "Account", "contacts": "Contact", "deals": "Opportunity"}


def job(bench, *names, more="", each="", **options):
    tasks = [
        f"""
- name: {name}
  upsert: {OBJECTS[name]}
  key: ERP_Id__c
  from:
    query: {QUERIES[name]}
    connection: prod/connection.yaml
    {each}
  {more}
"""
        for name in names or OBJECTS
    ]
    return bench.job("".join(tasks), **options)


@pytest.fixture
def prod(bench, serve_org, tmp_path, warm):
    """The other org, in a state folder of its own, and its connection."""
    place = Bench(tmp_path / "prod", warm)
    org = serve_org(org_file=ORG, place=place)
    bench.env["PROD_TOKEN"] = org.token
    bench.write(
        "prod/connection.yaml",
        f"environment: local\nurl: {org.url}\ntoken: {{env: PROD_TOKEN}}\n",
    )
    yield org
    place.end()


@pytest.fixture
def sandbox(serve_org):
    return serve_org(org_file=ORG)


def seed(org):
    """Accounts below accounts, contacts below contacts, deals; odd values, and rows without key."""
    odd = 'Quote " comma, line\nend, =1+1 and ü'
    top = org.create("Account", ERP_Id__c="A1", Name=odd, Since__c="2020-02-29", Active__c=True)
    below = org.create(
        "Account", ERP_Id__c="A2", Name="Below", ParentId=top, Score__c=1234567890123.45,
        Checked__c="2026-03-01T23:30:00.000+0000", Description="null",
    )  # fmt: skip
    org.create("Account", Name="No key", ParentId=below)
    boss = org.create("Contact", ERP_Id__c="C2", LastName="Boss", Birthdate="1970-12-31")
    org.create(
        "Contact", ERP_Id__c="C1", LastName="Smith", Email="a.smith@acme.com", Phone="+49 30 1234",
        AccountId=below, ReportsToId=boss,
    )  # fmt: skip
    org.create(
        "Opportunity", ERP_Id__c="O1", Name="Deal", StageName="Prospecting", CloseDate="2026-05-01",
        Amount=10.5, AccountId=top,
    )  # fmt: skip


def found(org):
    return {
        name: sorted(org.rows(query), key=lambda row: row["ERP_Id__c"])
        for name, query in QUERIES.items()
    }


@OVER_BULK
def test_a_copy_is_equal_by_external_ids(bench, prod, sandbox, api):
    seed(prod)
    written = job(bench, each=f"api: {api}")
    checked = bench.run("check", written)
    assert checked.code == 0, checked.out + checked.err
    planned = bench.run("plan", written, "-o", "json")
    assert planned.code == 0, planned.err
    counts = {task["name"]: task["counts"] for task in planned.document["tasks"]}
    assert [counts[name]["create"] for name in OBJECTS] == [2, 2, 1]
    before = found(prod)
    ended = bench.run("run", written, "-o", "json")
    assert ended.code == 0, ended.err + ended.out
    assert found(sandbox) == found(prod) == before
    source = ended.task("accounts.source")
    assert source["api"] == api
    assert source["counts"]["read"] == 2
    assert any(prod.url in note and "00D" in note for note in source["notes"])
    again = bench.run(
        "run", job(bench, each=f"api: {api}", more="only_changes: true"), "-o", "json"
    )
    assert again.code == 0, again.err
    assert [again.task(name)["counts"]["unchanged"] for name in OBJECTS] == [2, 2, 1]


def test_a_named_task_reads_its_org_and_the_target_is_the_one_that_is_protected(
    bench, prod, sandbox
):
    seed(prod)
    text = (bench.folder / "prod/connection.yaml").read_text()
    bench.write("prod/connection.yaml", f"{text}protect: true\nname: prod\n")
    ended = bench.run("run", job(bench), "--task", "accounts", "-o", "json")
    assert ended.code == 0, ended.err
    names = [task["name"] for task in ended.document["tasks"]]
    assert names == ["accounts.source", "accounts"]
    guarded = job(bench, connection="{environment: local, protect: true, name: box}")
    refused = bench.run("run", guarded)
    assert refused.code == 6, refused.err
    assert "--confirm box" in refused.err


def test_the_token_of_the_user_is_for_the_target_only(bench, prod, sandbox):
    """A token that the environment names instead of the job's is not sent to the other org."""
    seed(prod)
    bench.env["SFRUNNER_TOKEN"] = sandbox.token
    target = f"{{environment: local, url: '{sandbox.url}', token: {{env: NONE}}}}"
    ended = bench.run("run", job(bench, "accounts", connection=target))
    assert ended.code == 0, ended.err
    assert len(found(sandbox)["accounts"]) == 2


def test_the_same_org_is_refused(bench, prod):
    seed(prod)
    target = f"{{environment: local, url: '{prod.url}', token: {{env: PROD_TOKEN}}}}"
    for verb in ("check", "plan", "run"):
        ended = bench.run(verb, job(bench, "accounts", connection=target))
        assert ended.code == 2, ended.err
        assert "org/same-org" in ended.out + ended.err
        assert "job.yaml:10:19" in ended.out + ended.err


def test_a_token_that_the_other_org_rejects_ends_all_before_it_begins(bench, prod, sandbox):
    bench.env["PROD_TOKEN"] = "expired"
    ended = bench.run("run", job(bench))
    assert ended.code == 4, ended.err
    assert "accounts: " in ended.err
    assert found(sandbox) == {"accounts": [], "contacts": [], "deals": []}
    checked = bench.run("check", job(bench))
    assert checked.code == 4, checked.out
    assert "prod/connection.yaml:3:" in checked.out + checked.err


def test_fields_are_checked_before_anything_is_written_in_the_org_that_has_them(
    bench, serve_org, prod
):
    """A field that only the target lacks, too, although its task comes late."""
    sandbox = serve_org(org_file=ORG.replace("Since__c", "Other__c"))
    bench.write("rows.csv", "Name\nA\n")
    written = bench.job("""
- {name: first, create: Account, from: rows.csv}
- name: accounts
  upsert: Account
  key: ERP_Id__c
  from:
    query: SELECT ERP_Id__c, Name, Naem FROM Account
    connection: prod/connection.yaml
""")
    for verb in ("check", "run"):
        ended = bench.run(verb, written)
        said = ended.out + ended.err
        assert ended.code == 2, said
        assert "Account has no field Naem" in said
        assert "job.yaml:10:38" in said, said
    written.write_text(written.read_text().replace("Naem", "Since__c"))
    for verb in ("check", "run"):
        ended = bench.run(verb, written)
        assert "Account has no field Since__c" in ended.out + ended.err
    assert sandbox.rows("SELECT Id FROM Account") == []


def test_a_query_that_fails_is_a_failure_of_its_write(bench, prod, sandbox):
    seed(prod)
    answer = '[{"errorCode": "INVALID_TYPE", "message": "not today"}]'
    prod.fault(kind="status", path="/query", status=400, body=answer, times=9)
    more = "on_failure: answer\n  on_error: continue"
    answers = "\n- {name: answer, create: Account, from: rows.csv}"
    bench.write("rows.csv", "Name\nFailed\n")
    text = job(bench, "accounts", more=more).read_text() + answers.replace("\n", "\n  ") + "\n"
    ended = bench.run("run", bench.write("job.yaml", text), "-o", "json")
    assert ended.code == 1, ended.err
    states = {task["name"]: task["status"] for task in ended.document["tasks"]}
    assert states == {"accounts.source": "failed", "accounts": "skipped", "answer": "done"}
    assert [row["Name"] for row in sandbox.rows("SELECT Name FROM Account")] == ["Failed"]
    assert bench.run("whoami", "prod/connection.yaml").code == 0


def test_a_retry_sends_failed_rows_and_reads_no_org(bench, prod, sandbox):
    prod.create("Contact", ERP_Id__c="C1", LastName="Orphan", Email="a@b.example")
    text = job(bench, "contacts", more="fields: {ERP_Id__c: ERP_Id__c, LastName: LastName, "
               "Account.ERP_Id__c: \"'A1'\"}")  # fmt: skip
    ended = bench.run("run", text, "-o", "json")
    assert ended.task("contacts")["counts"]["failed"] == 1, ended.err
    sandbox.create("Account", ERP_Id__c="A1", Name="Parent")
    prod.process.kill()
    again = bench.run("retry", ended.document["run_id"])
    assert again.code == 0, again.err
    assert len(found(sandbox)["contacts"]) == 1


def test_a_resume_sends_the_rows_that_were_read_at_first(bench, prod, sandbox):
    seed(prod)
    sandbox.fault(kind="daily_limit", path="composite/sobjects", times=1)
    ended = bench.run("run", job(bench, "accounts"))
    assert ended.code == 5, ended.err
    sandbox.go_on()
    prod.process.kill()  # what was read is not read again
    resumed = bench.run("resume", "-o", "json")
    assert resumed.code == 0, resumed.err
    assert [row["ERP_Id__c"] for row in found(sandbox)["accounts"]] == ["A1", "A2"]


MASKED = """
- name: accounts
  upsert: Account
  key: ERP_Id__c
  from:
    query: SELECT ERP_Id__c, Name, Phone, BillingCity, Parent.ERP_Id__c FROM Account
    connection: prod/connection.yaml
    api: {api}
    mask: {{ERP_Id__c: hash, Parent.ERP_Id__c: hash, name: fake, Phone: null, BillingCity: fake}}
    mask_key: {{env: MASK_KEY}}
- name: contacts
  upsert: Contact
  key: ERP_Id__c
  from:
    query: SELECT ERP_Id__c, LastName, Email, Description, Birthdate, Account.ERP_Id__c FROM Contact
    connection: prod/connection.yaml
    api: {api}
    mask:
      Email: hash
      LastName: fake
      Description: hash
      Birthdate: null
      Account.ERP_Id__c: hash
    mask_key: {{env: MASK_KEY}}
"""
SECRETS = (
    "Hidden",
    "+49 30 5550",
    "Secretville",
    "KEY-",
    "Smithson",
    "jane@acme.com",
    "1980-02-29",
)


def seed_secrets(org):
    secrets = {"Name": "Hidden Top", "Phone": "+49 30 5550", "BillingCity": "Secretville"}
    top = org.create("Account", ERP_Id__c="KEY-1", **secrets)
    below = org.create("Account", ERP_Id__c="KEY-2", Name="Hidden Below", ParentId=top)
    for number in range(3):
        org.create(
            "Contact", ERP_Id__c=f"C{number}", LastName="Smithson" if number else "SMITHSON",
            Email="Jane@acme.com" if number else "jane@acme.com", Birthdate="1980-02-29",
            Description=f'Hidden "{number}",\nline', AccountId=below,
        )  # fmt: skip


def everything_in(folder):
    return b"".join(each.read_bytes() for each in folder.rglob("*") if each.is_file())


@OVER_REST
def test_masked_values_are_nowhere_but_in_the_org_that_they_are_from(bench, prod, sandbox, api):
    seed_secrets(prod)
    bench.env["MASK_KEY"] = "0123456789abcdef0123"
    written = bench.job(MASKED.format(api=api))
    planned = bench.run("plan", written, "--save", "kept.plan")
    assert planned.code == 0, planned.err
    ended = bench.run("run", written)
    assert ended.code == 0, ended.err + ended.out
    accounts = sandbox.rows(
        "SELECT Id, ERP_Id__c, Name, Phone, BillingCity, Parent.ERP_Id__c FROM Account"
        " ORDER BY ParentId NULLS FIRST"
    )
    assert len(accounts) == 2
    assert accounts[1]["Parent"]["ERP_Id__c"] == accounts[0]["ERP_Id__c"]
    assert all(re.fullmatch("[a-z2-7]{16}", row["ERP_Id__c"]) for row in accounts)
    assert accounts[0]["BillingCity"] not in {None, ""}
    people = sandbox.rows(
        "SELECT LastName, Email, Description, Birthdate, Account.ERP_Id__c FROM Contact"
    )
    assert {row["Account"]["ERP_Id__c"] for row in people} == {accounts[1]["ERP_Id__c"]}
    assert len({row["LastName"] for row in people}) == 1
    assert len({row["Email"] for row in people}) == 1
    assert re.fullmatch("[a-z2-7]{16}@example[.]invalid", people[0]["Email"])
    assert len({row["Description"] for row in people}) == 3
    assert {row["Birthdate"] for row in people} == {None}
    told = planned.out + planned.err + ended.out + ended.err
    with zipfile.ZipFile(bench.folder / "kept.plan") as kept:
        stored = everything_in(bench.state) + b"".join(map(kept.read, kept.namelist()))
    for secret in SECRETS:
        assert secret not in str(accounts) + str(people) + told
        assert secret.lower().encode() not in stored.lower()
    assert b"0123456789abcdef0123" not in stored
    again = bench.run("run", bench.job(MASKED.format(api="auto")), "-o", "json")
    assert again.code == 0, again.err
    assert again.task("contacts")["counts"]["updated"] == 3
    assert again.task("accounts")["counts"]["created"] == 0


def test_a_null_empties_what_the_sandbox_still_has(bench, prod, sandbox):
    seed_secrets(prod)
    sandbox.create("Account", ERP_Id__c="KEY-1", Name="Old", Phone="+49 30 5550")
    text = """
- name: accounts
  upsert: Account
  key: ERP_Id__c
  from:
    query: SELECT ERP_Id__c, Name, Phone FROM Account
    connection: prod/connection.yaml
    mask: {Phone: null}
"""
    ended = bench.run("run", bench.job(text))
    assert ended.code == 0, ended.err
    assert {row["Phone"] for row in sandbox.rows("SELECT Phone FROM Account")} == {None}


MISFITS = {
    "{Birthdate: hash}": "`Birthdate` is of type date, which has no hash",
    "{Description: fake}": "nothing can be invented for `Description`",
    "{LastName: fake}": "`Name` shows `LastName`, which is masked",
    "{Name: fake}": "`LastName` shows `Name`, which is masked",
    "{Short__c: hash}": "`Short__c` holds 8 characters, and its hash needs 16",
}


def test_masks_that_do_not_fit_their_fields_stop_all(bench, prod, sandbox):
    bench.env["MASK_KEY"] = "0123456789abcdef0123"
    tasks = [
        f"""
- name: people{number}
  create: Contact
  from:
    query: SELECT Name, LastName, Birthdate, Description, Short__c FROM Contact
    connection: prod/connection.yaml
    mask: {mask}
    mask_key: {{env: MASK_KEY}}
  fields: {{LastName: LastName}}
"""
        for number, mask in enumerate(MISFITS)
    ]
    for verb in ("check", "run"):
        ended = bench.run(verb, bench.job("".join(tasks)))
        assert ended.code == 2, ended.err
        assert [said for said in MISFITS.values() if said not in ended.out + ended.err] == []
    fits = tasks[2].replace("{LastName: fake}", "{LastName: fake, Name: fake}")
    assert bench.run("check", bench.job(fits)).code == 0


def test_a_mask_key_that_is_not_there_or_short_stops_all(bench, prod, sandbox):
    written = bench.job(MASKED.format(api="rest"))
    for verb, key in (("check", None), ("plan", "short"), ("run", None), ("run", "short")):
        bench.env["MASK_KEY"] = key or ""
        ended = bench.run(verb, written)
        assert ended.code == 2, ended.err
        assert "org/no-mask-key" in ended.out + ended.err
        said = "fewer than 16 characters" if key else "is empty"
        assert said in ended.out + ended.err
    assert sandbox.rows("SELECT Id FROM Account") == []


def test_a_bulk_job_that_a_killed_run_left_is_aborted_in_its_own_org(bench, prod, sandbox):
    """The Id may be that of another's job in the org that is written to."""
    seed(prod)
    jobs = "/services/data/v62.0/jobs/query"
    prod.stall_jobs()
    sandbox.stall_jobs()
    others = {"operation": "query", "query": "SELECT Id FROM Account"}
    assert sandbox.request("POST", jobs, json=others).status_code == 200
    process = bench.begin("run", job(bench, "accounts", each="api: bulk"), "-v")
    for line in process.stderr:
        if "InProgress" in line:
            break
    process.kill()
    process.communicate(timeout=60)
    ended = bench.run("run", job(bench, "accounts", each="api: rest", more="api: rest"))
    assert ended.code == 0, ended.err
    found = [
        [each["state"] for each in org.request("GET", jobs).json()["records"]]
        for org in (prod, sandbox)
    ]
    assert found[0] == ["Aborted"]
    assert found[1] != ["Aborted"]
