"""`runner org pull --from-source`: a project's metadata becomes a local org and a lock."""

import json
import shutil
from dataclasses import replace

import pytest
import yaml

from tests.dx_project import Project

JOB = """
- name: people
  upsert: Account
  key: ERP_Id__c
  from: a.csv
  fields: {ERP_Id__c: id, Name: name, Tier__c: tier}
- name: bills
  query: SELECT Id, Amount__c, Account__r.Tier__c FROM Invoice__c WHERE Note__c != 'x'
  to: out.csv
"""


@pytest.fixture
def project(bench):
    made = Project(bench.folder / "dx")
    made.object("Invoice__c", label="Invoice", pluralLabel="Invoices")
    made.object("Unused__c", label="Unused", pluralLabel="Unused")
    made.field("Account", "ERP_Id__c", "Text", length=20, unique="true", externalId="true")
    tiers = {"restricted": "true", "valueSetName": "Tiers"}
    made.field("Account", "Tier__c", "Picklist", valueSet=tiers)
    made.field(
        "Invoice__c", "Account__c", "MasterDetail", referenceTo="Account", relationshipName="Bills"
    )
    made.field("Invoice__c", "Amount__c", "Currency", precision=16, scale=3)
    made.field("Invoice__c", "Twice__c", "Currency", precision=16, scale=3, formula="Amount__c*2")
    made.field("Invoice__c", "Note__c", "TextArea")
    made.field("Invoice__c", "Other__c", "Lookup", referenceTo="Gone__c", relationshipName="B")
    made.value_set("Tiers", "Gold", "Silver")
    formula = 'ISPICKVAL(Tier__c, "Gold") && ISBLANK(Phone)'
    made.rule("Account", "Gold_has_phone", formula, errorMessage="Call.", errorDisplayField="phone")
    made.rule("Account", "Other", "REGEX(Name, 'x')")
    made.rule("Unused__c", "Other", "ISNEW()")
    bench.write("jobs/a.csv", "id,name,tier\n1,x,Silver\n2,y,Gold\n")
    return made


def job_of(bench, tasks=JOB, connection="{environment: local, org_file: org.yaml}"):
    return bench.job(tasks, name="jobs/job.yaml", connection=connection)


def test_a_job_runs_and_is_checked_on_what_the_project_declares(bench, project):
    file = job_of(bench)
    pulled = bench.run("org", "pull", file, "--from-source", "dx")
    assert pulled.code == 0, pulled.err
    assert "2 objects of dx" in pulled.out
    assert "Gone__c (Invoice__c.Other__c) not defined in dx" in pulled.err
    assert "rules left out, with what they use: Account.Other (REGEX).\n" in pulled.err
    assert "Unused__c" not in (bench.folder / "jobs/org.yaml").read_text()
    lock = json.loads((bench.folder / "jobs/org.lock.json").read_text())
    assert (lock["org_id"], lock["source"], lock["api_version"]) == ("", "../dx", "62.0")
    assert lock["objects"]["Invoice__c"]["fields"]["twice__c"]["calculated"] is True
    ended = bench.run("run", file)
    assert ended.code == 3, ended.err
    assert "FIELD_CUSTOM_VALIDATION_EXCEPTION" in ended.out + ended.err
    assert "Call." in ended.out + ended.err
    wrong = job_of(bench, JOB.replace("Tier__c: tier", "Teir__c: tier"))
    ended = bench.run("validate", wrong)
    assert (ended.code, "did you mean `Tier__c`" in ended.out) == (2, True)


def test_an_org_of_the_file_is_described_by_the_lock(bench, project, serve_org):
    pulled = bench.run("org", "pull", "--from-source", "dx", "--out", "all", "-o", "json")
    assert pulled.code == 0, pulled.err
    assert pulled.document["objects"] == ["Account", "Gone__c", "Invoice__c", "Unused__c"]
    text = (bench.folder / "all/org.yaml").read_text()
    org = serve_org(org_file=text, place=replace(bench, folder=bench.folder / "served"))
    bench.env["ORG_TOKEN"] = org.token
    connection = f"{{environment: local, url: '{org.url}', token: {{env: ORG_TOKEN}}}}"
    file = job_of(bench, connection=connection)
    wanted = ("--objects", "Unused__c,Gone__c", "--out", "live")
    live = bench.run("org", "pull", file, *wanted)
    assert live.code == 0, live.err
    locks = [
        json.loads((bench.folder / each / "org.lock.json").read_text())["objects"]
        for each in ("all", "live")
    ]
    assert locks[0]["Invoice__c"]["fields"]["twice__c"].pop("calculated") is True
    for each in ("Gone__c", "Invoice__c", "Unused__c"):
        assert "key_prefix" not in locks[0][each]
        locks[1][each].pop("key_prefix")
    assert locks[0] == locks[1]
    live_file = yaml.safe_load((bench.folder / "live/org.yaml").read_text())
    rule = {"when": {"Tier__c": "Gold", "Phone": None}, "message": "Call.", "field": "Phone"}
    live_file["objects"]["Account"]["validation_rules"] = {"Gold_has_phone": rule}
    for each in live_file["objects"].values():
        each.pop("key_prefix", None)
    assert live_file == yaml.safe_load(text)

    assert bench.run("org", "pull", file, "--from-source", "dx").code == 0
    same = bench.run("check", file, "--locked")
    assert same.code == 0, same.out
    project.field("Account", "ERP_Id__c", "Text", length=30, externalId="true")
    project.field("Account", "Phone", "Phone", required="true")
    project.field("Account", "Tier__c", "Picklist", valueSet={"valueSetName": "Gone"})
    assert bench.run("org", "pull", file, "--from-source", "dx", "--update").code == 0
    drifted = bench.run("check", file, "--locked", "-o", "json")
    assert drifted.code == 1, drifted.err
    found = [each["message"].split(": ", 1)[1] for each in drifted.document["diagnostics"]]
    assert found == [
        "Account.ERP_Id__c had length 30 and has 20",
        "Account.ERP_Id__c had unique false and has true",
    ]
    assert "--from-source dx --update" in drifted.document["diagnostics"][0]["help"]
    other = bench.run("org", "pull", file, "--from-source", "dx", "--out", "live", "--update")
    assert (other.code, "is of the org" in other.err) == (2, True)


def test_a_second_pull_keeps_what_metadata_does_not_tell(bench, project):
    words = ("org", "pull", "--from-source", "dx", "--out", "all")
    assert bench.run(*words).code == 0
    org_file = bench.folder / "all/org.yaml"
    assert bench.run(*words).code == 2
    kept = "\nfaults: [{kind: status, status: 503, times: 1}]\n"
    money = "  Account:\n    fields:\n      CurrencyIsoCode: {type: picklist, values: [EUR]}\n"
    text = org_file.read_text().replace("  Account:\n    fields:\n", money) + kept
    mine = "      Mine: {when: {Phone: '0'}, message: No.}\n"
    org_file.write_text(text.replace("    validation_rules:\n", f"    validation_rules:\n{mine}"))
    shutil.rmtree(project.folder / "force-app/main/default/objects/Unused__c")
    again = bench.run(*words, "--update")
    assert again.code == 0, again.err
    assert "the project no longer has Unused__c" in again.err
    assert "CurrencyIsoCode" in org_file.read_text()
    assert "faults" in org_file.read_text()
    rules = yaml.safe_load(org_file.read_text())["objects"]["Account"]["validation_rules"]
    assert [*rules] == ["Mine", "Gold_has_phone"]
    assert "Unused__c" not in org_file.read_text()
    assert "currencyisocode" in (bench.folder / "all/org.lock.json").read_text()


def test_what_is_wrong_has_its_place_and_nothing_is_written(bench, project):
    file = project.field("Account", "X__c", "Txt")
    ended = bench.run("org", "pull", "--from-source", "dx")
    assert ended.code == 2
    place = file.relative_to(bench.folder)
    assert f"{place}:4:1" in ended.err
    assert "did you mean `Text`" in ended.err
    file.unlink()
    file = job_of(bench, JOB.replace("upsert: Account", "upsert: Acount"))
    ended = bench.run("org", "pull", file, "--from-source", "dx")
    assert (ended.code, "did you mean `Account`" in ended.err) == (2, True), ended.err
    ended = bench.run("org", "pull", "--from-source", "dx", "--objects", "Invoic__c")
    assert (ended.code, "did you mean `Invoice__c`" in ended.err) == (2, True)
    ended = bench.run("org", "pull")
    assert (ended.code, "--from-source FOLDER" in ended.err) == (2, True)
    assert not [*bench.folder.rglob("org.lock.json")]
