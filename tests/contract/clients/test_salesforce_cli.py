"""The Salesforce CLI (npm `@salesforce/cli`) signs in with a token and works on the local org.

It speaks plain http as it is, with a warning. It keeps its sign-in in a HOME of its own, outside
the machine's keychain, and stays silent towards the world: no telemetry, no look for updates.
"""

import csv
import hashlib
import json
import os
import shlex
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from runner.errors import SignInError
from runner.login.salesforce_cli import auth_url

# A command takes two seconds or more: a few of these tests run always, the others when asked.
slow = pytest.mark.slow
SETTINGS = {
    "SF_DISABLE_TELEMETRY": "true",
    "SF_DISABLE_AUTOUPDATE": "true",
    "SF_SKIP_NEW_VERSION_CHECK": "true",
    "SF_USE_GENERIC_UNIX_KEYCHAIN": "true",
}


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    out: str

    @property
    def document(self):
        return json.loads(self.out)

    @property
    def result(self):
        assert self.code == 0, self.out
        return self.document["result"]


@dataclass(frozen=True)
class Cli:
    """`sf`, in a folder and a home of its own."""

    command: tuple[Path, ...]
    home: Path

    def run(self, line, *words, **env):
        run = subprocess.run(
            [*self.command, *line.split(), *words],
            cwd=self.home,
            env={"PATH": os.environ["PATH"], "HOME": str(self.home), **SETTINGS, **env},
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            timeout=120,
            check=False,
        )
        return Ended(run.returncode, run.stdout)

    def on(self, line, *words):
        """A command on the local org; its answer as JSON."""
        return self.run(line, *words, "--target-org", "local", "--json")

    def write(self, name, *lines):
        (self.home / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
        return ("--file", name)


@pytest.fixture(scope="session")
def command(installed):
    """`sf`, run by the Node beside it; asked for before an org is started for nothing."""
    script = installed("node_modules/@salesforce/cli/bin/run.js")
    return installed("node_modules/node/bin/node"), script


@pytest.fixture(scope="module")
def signed_in(command, org, tmp_path_factory):
    """The CLI with the local org signed in as `local`."""
    cli = Cli(command, tmp_path_factory.mktemp("sf"))
    login = cli.run(
        "org login access-token --no-prompt --alias local --json --instance-url",
        org.url,
        SF_ACCESS_TOKEN=org.token,
    )
    return cli, login.result


@pytest.fixture
def sf(signed_in):
    return signed_in[0]


def contacts(tag, *names):
    return ("ERP_Id__c,LastName", *(f"{tag}-{n},{name}" for n, name in enumerate(names)))


def test_the_cli_knows_the_question_of_a_login_and_its_refusal_is_told(signed_in, monkeypatch):
    """`runner login --from-sf`: only a sign-in in a browser gives the CLI a token to hand over."""
    cli, _ = signed_in
    for name, value in {**SETTINGS, "HOME": str(cli.home)}.items():
        monkeypatch.setenv(name, value)
    environ = {**os.environ, "SFRUNNER_SF": shlex.join(map(str, cli.command))}
    with pytest.raises(SignInError, match="web-based login") as refused:
        auth_url("local", environ)
    assert "--jwt" in refused.value.hint


def test_org_login_access_token_knows_the_user_and_the_org(signed_in):
    _, login = signed_in
    assert login["username"] == "admin@local.example"
    assert login["orgId"].startswith("00D")
    assert not login["isSandbox"]


@slow
def test_org_display(sf):
    display = sf.on("org display").result
    assert (display["connectedStatus"], display["apiVersion"]) == ("Connected", "68.0")


def test_data_query(sf, org, tag):
    account = org.create("Account", Name=tag, Industry="Energy")
    org.create_many("Contact", [{"LastName": f"{tag} {n}", "AccountId": account} for n in (1, 2)])
    where = f"WHERE Account.Name = '{tag}' ORDER BY LastName"
    found = sf.on(
        "data query --query", f"SELECT LastName, Account.Name FROM Contact {where}"
    ).result
    assert (found["totalSize"], found["done"]) == (2, True)
    assert found["records"][0]["Account"]["Name"] == tag


@slow
def test_data_query_asks_for_the_columns_of_its_tables(sf, org, tag):
    account = org.create("Account", Name=tag, Industry="Energy")
    org.create_many("Contact", [{"LastName": f"{tag} {n}", "AccountId": account} for n in (1, 2)])
    where = f"WHERE Account.Name = '{tag}' ORDER BY LastName"

    def table(soql):
        words = ("--query", soql, "--target-org", "local", "--result-format", "csv")
        return sf.run("data query", *words).out.splitlines()

    assert table(f"SELECT LastName, Account.Name FROM Contact {where}") == [
        "LastName,Account.Name",
        f"{tag} 1,{tag}",
        f"{tag} 2,{tag}",
    ]
    inner = "SELECT LastName FROM Contacts ORDER BY Name"
    children = f"SELECT Name, ({inner}) FROM Account WHERE Id = '{account}'"
    header, row = (line.split(",") for line in table(children))
    assert dict(zip(header, row, strict=True)) == {
        "Name": tag,
        "Contacts.totalSize": "2",
        "Contacts.records.0.LastName": f"{tag} 1",
        "Contacts.records.1.LastName": f"{tag} 2",
    }
    groups = f"SELECT Industry, COUNT(Id) FROM Account WHERE Name = '{tag}' GROUP BY Industry"
    assert table(groups) == ["Industry,count(Id)", "Energy,1"]


@slow
def test_what_the_org_refuses_is_told_with_its_code(sf):
    refused = sf.on("data query --query", "SELECT Nmae FROM Account")
    assert (refused.code, refused.document["name"]) == (1, "INVALID_FIELD")


def test_data_import_bulk(sf, org, tag):
    file = sf.write("new.csv", *contacts(tag, "Smith", "Jones"))
    done = sf.on("data import bulk --sobject Contact --wait 2", *file).result
    assert (done["processedRecords"], done["failedRecords"]) == (2, 0)
    soql = f"SELECT LastName FROM Contact WHERE ERP_Id__c LIKE '{tag}%' ORDER BY LastName"
    assert org.rows(soql) == [{"LastName": "Jones"}, {"LastName": "Smith"}]


@slow
def test_data_update_bulk(sf, org, tag):
    rows = [
        {"LastName": name, "ERP_Id__c": f"{tag}-{name}", "FirstName": "x"}
        for name in ("Smith", "Jones")
    ]
    ids = org.create_many("Contact", rows)
    file = sf.write("known.csv", "Id,FirstName", *(f"{each},Ann" for each in ids))
    done = sf.on("data update bulk --sobject Contact --wait 2", *file).result
    assert done["successfulRecords"] == 2
    names = org.rows(f"SELECT Name FROM Contact WHERE ERP_Id__c LIKE '{tag}%' ORDER BY Name")
    assert names == [{"Name": "Ann Jones"}, {"Name": "Ann Smith"}]


@slow
def test_data_import_bulk_tells_failed_rows_and_failed_jobs(sf, tag):
    file = sf.write("bad.csv", *contacts(tag, "Smith", ""))
    some = sf.on("data import bulk --sobject Contact --wait 2", *file)
    assert (some.code, some.document["name"]) == (1, "FailedRecordDetailsError")

    told = sf.on("data bulk results --job-id", some.document["data"]["jobId"]).result
    assert (told["successfulRecords"], told["failedRecords"]) == (1, 1)
    with (sf.home / told["failedFilePath"]).open(encoding="utf-8", newline="") as failed:
        (row,) = csv.DictReader(failed)
    assert row["sf__Error"].startswith("REQUIRED_FIELD_MISSING:")
    assert row["ERP_Id__c"] == f"{tag}-1"

    file = sf.write("unknown.csv", "ERP_Id__c,Nmae", f"{tag},x")
    none = sf.on("data import bulk --sobject Contact --wait 2", *file)
    assert (none.code, none.document["name"]) == (1, "JobFailedError")
    assert "InvalidBatch" in none.document["message"]


@slow
def test_data_upsert_bulk(sf, org, tag):
    org.create("Contact", LastName="Smith", ERP_Id__c=f"{tag}-0")
    file = sf.write("upsert.csv", *contacts(tag, "Smythe", "Jones"))
    line = "data upsert bulk --sobject Contact --external-id ERP_Id__c --wait 2"
    done = sf.on(line, *file).result
    assert done["jobInfo"]["state"] == "JobComplete"
    created = {row["LastName"]: row["sf__Created"] for row in done["records"]["successfulResults"]}
    assert created == {"Smythe": "false", "Jones": "true"}


@slow
def test_data_export_bulk(sf, org, tag):
    org.create_many("Account", [{"Name": f"{tag} {n:03}", "Score__c": n} for n in range(300)])
    soql = f"SELECT Name, Score__c FROM Account WHERE Name LIKE '{tag}%' ORDER BY Name"
    words = ("--query", soql, "--output-file", f"{tag}.csv", "--result-format", "csv")
    assert sf.on("data export bulk --wait 2", *words).result["totalSize"] == 300
    with (sf.home / f"{tag}.csv").open(encoding="utf-8", newline="") as exported:
        rows = list(csv.reader(exported))
    assert rows[:2] == [["Name", "Score__c"], [f"{tag} 000", "0.0"]]
    assert len(rows) == 301


@slow
def test_data_export_bulk_fetches_every_page(sf, tag):
    count = 60_000
    rows = (f"{tag},{n:06}" for n in range(count))
    file = sf.write("leads.csv", "Company,LastName", *rows)
    assert sf.on("data import bulk --sobject Lead --wait 5", *file).result["failedRecords"] == 0
    soql = f"SELECT LastName FROM Lead WHERE Company = '{tag}'"
    words = ("--query", soql, "--output-file", "out.csv", "--result-format", "csv")
    assert sf.on("data export bulk --wait 5", *words).result["totalSize"] == count
    lines = (sf.home / "out.csv").read_text(encoding="utf-8").splitlines()
    assert len(set(lines)) == len(lines) == count + 1


@slow
def test_data_delete_bulk(sf, org, tag):
    ids = org.create_many("Contact", [{"LastName": tag} for _ in range(3)])
    file = sf.write("ids.csv", "Id", *ids)
    done = sf.on("data delete bulk --sobject Contact --wait 2", *file).result
    assert done["jobInfo"]["numberRecordsProcessed"] == 3
    assert org.rows(f"SELECT Id FROM Contact WHERE LastName = '{tag}'") == []


@slow
def test_sobject_describe_and_list(sf):
    told = sf.on("sobject describe --sobject Contact").result
    fields = {each["name"]: each for each in told["fields"]}
    assert fields["ERP_Id__c"]["externalId"]
    assert "Invoice__c" in sf.on("sobject list").result


@slow
def test_single_records(sf, org, tag):
    made = sf.on("data create record --sobject Account --values", f"Name={tag} Score__c=2.5").result
    assert made["success"]
    where = ("--where", f"Name={tag}")
    assert sf.on("data get record --sobject Account", *where).result["Score__c"] == 2.5
    update = "data update record --sobject Account --values"
    assert sf.on(update, "Tier__c=Gold", *where).result["success"]
    refused = sf.on(update, "Tier__c=Tin", *where)
    assert refused.document["name"] == "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST"
    assert sf.on("data delete record --sobject Account", *where).result["success"]


@slow
def test_trees_are_exported_and_imported(sf, org, tag):
    account = org.create("Account", Name=tag)
    org.create("Contact", LastName=tag, AccountId=account)
    soql = f"SELECT Name, (SELECT LastName FROM Contacts) FROM Account WHERE Name = '{tag}'"
    sf.on("data export tree --query", soql)
    made = sf.on("data import tree --files Account-Contact.json").result
    assert [each["type"] for each in made] == ["Account", "Contact"]
    assert len(org.rows(f"SELECT Id FROM Contact WHERE Account.Name = '{tag}'")) == 2


@slow
def test_any_rest_path_and_the_limits(sf):
    answer = sf.run("api request rest services/data/v60.0/limits --target-org local")
    assert answer.document["DailyApiRequests"]["Max"] > 0
    limits = {each["name"]: each for each in sf.on("limits api display").result}
    assert limits["DailyApiRequests"]["remaining"] < limits["DailyApiRequests"]["max"]


@slow
def test_a_file_is_uploaded_and_linked(sf):
    account = sf.on("data create record --sobject Account --values", "Name=F").result["id"]
    file = sf.write("a b.txt", "first", "", "last")
    made = sf.on("data create file", *file, "--title", "T", "--parent-id", account).result
    assert (made["Title"], made["FileExtension"]) == ("T", "txt")
    soql = f"SELECT Checksum FROM ContentVersion WHERE Id = '{made['Id']}'"
    content = (sf.home / "a b.txt").read_bytes()
    found = sf.on("data query --query", soql).result["records"]
    assert found[0]["Checksum"] == hashlib.md5(content, usedforsecurity=False).hexdigest()
    soql = f"SELECT Id FROM ContentDocumentLink WHERE LinkedEntityId = '{account}'"
    assert sf.on("data query --query", soql).result["totalSize"] == 1
