"""`runner schema --for` in an editor: what it completes, shows, refuses, and leaves alone."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from runner.cli.settings import permissions
from runner.runs.lock_check import lock_problems
from runner.runs.wiring import check_job
from tests.contract.clients.test_yaml_language_server import compiled
from tests.contract.clients.yaml_language_server import YamlLanguageServer

ROOT = Path(__file__).parents[3]
JOBS = sorted(
    file.relative_to(ROOT)
    for folder in ("configs", "tests/examples/valid")
    for file in (ROOT / folder).glob("*.yaml")
    if "\ntasks:" in file.read_text(encoding="utf-8")
)
FURTHER = {
    "Account": {
        "fields": {
            "Active__c": {"type": "checkbox"},
            "Parent_No__c": {
                "type": "text", "unique": True, "external_id": True, "label": "Number",
                "help": "As in the *ERP*.",
            },
            "Kinds__c": {"type": "multi_picklist", "values": ["A", "It's $1"], "restricted": True},
            "Region__c": {"type": "text"},
        }
    },
    "Contact": {
        "fields": {"Person_Id__c": {"type": "text", "unique": True, "external_id": True}},
        "record_types": {"Person": {}},
    },
    "Invoice__c": {"label": "Rechnung", "fields": {"To__c": {"type": "lookup", "to": "Account"}}},
}  # fmt: skip
PULL = """\
version: 1
name: pull
connection: {environment: local, org_file: served.yaml}
tasks: [{name: all, query: SELECT Id FROM Account, to: all.csv}]
"""
OBJECTS = ["Attachment", "Case", "Contact", "ContentDocumentLink", "ContentVersion", "Group"]
OBJECTS += ["Invoice__c", "Lead", "Opportunity", "RecordType", "Task", "User"]
HEAD = "version: 1\nname: test\nconnection: {environment: local}\ntasks:\n  - name: one\n"
UPSERT = f"{HEAD}    upsert: Account\n    key: ERP_Id__c\n    from: a.csv\n"
EACH = f"{HEAD}    for_each: {{object: [Account]}}\n    from: a.csv\n"
FIELDS = f"{UPSERT}    fields:\n"


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with a lock, and the schema of the jobs in it."""
    folder = tmp_path_factory.mktemp("org")
    served = yaml.safe_load((ROOT / "configs/local-org.yaml").read_text(encoding="utf-8"))
    del served["seed"]
    for name, made in FURTHER.items():
        known = served["objects"].setdefault(name, {})
        served["objects"][name] = {
            **known,
            **made,
            "fields": known.get("fields", {}) | made["fields"],
        }
    (folder / "served.yaml").write_text(yaml.safe_dump(served), encoding="utf-8")
    job = folder / "pull.yaml"
    job.write_text(PULL, encoding="utf-8")
    env = {**os.environ, "SFRUNNER_STATE": str(folder / "state")}
    for words in (
        ["org", "pull", job, "--objects", ",".join(OBJECTS), "-q"],
        ["schema", "--for", job, "--out", folder / "job.schema.json"],
    ):
        command = [sys.executable, "-m", "runner", *words]
        ended = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
        assert (ended.returncode, ended.stdout) == (0, ""), ended.stderr
    return folder


@pytest.fixture(scope="module")
def editor(installed, place):
    node = installed("node_modules/node/bin/node")
    script = installed("node_modules/yaml-language-server/bin/yaml-language-server")
    with YamlLanguageServer(node, script, place / "job.schema.json") as server:
        yield server


OFFERED = [
    (
        f"{FIELDS}      Name: n\n      |\n",
        {"Tier__c", "Parent.Parent_No__c"},
        {"Name", "IsDeleted"},
    ),
    (f"{HEAD}    upsert: |\n", {"Account", "Invoice__c"}, set()),
    (f"{HEAD}    merge: |\n", {"Account", "Lead"}, {"Invoice__c"}),
    (f"{HEAD}    mirror: Account\n    key: |\n", {"ERP_Id__c", "Parent_No__c"}, {"Name"}),
    (f"{HEAD}    delete: Contact\n    key: |\n", {"Person_Id__c"}, {"Parent_No__c"}),
    (f"{FIELDS}      Tier__c: |\n", {"Gold", "Silver"}, set()),
    (f"{FIELDS}      OwnerId:\n        lookup: |\n", {"User", "Group"}, set()),
    (f"{FIELDS}      OwnerId:\n        lookup: User\n        by: |\n", {"Email"}, {"Tier__c"}),
    (f"{HEAD}    create: Account\n    |\n", {"fields"}, {"key", "fill", "owner_field"}),
    (f"{HEAD}    mirror: Account\n    missing:\n      set:\n        |", {"Active__c"}, {"Id"}),
    (f"{HEAD}    mirror: Account\n    owner_field: |\n", {"Sync_Owner__c"}, set()),
    (f"{HEAD}    merge: Account\n    fill:\n      - |\n", {"Tier__c"}, set()),
]


@pytest.mark.parametrize(("text", "offered", "not_offered"), OFFERED)
def test_names_of_the_org_are_completed(editor, text, offered, not_offered):
    labels = editor.completions(text).keys()
    assert offered <= labels
    assert not not_offered & labels


def test_a_value_of_a_picklist_is_completed_as_a_constant(editor):
    offered = editor.completions(f"{FIELDS}      Kinds__c: |\n")
    assert offered == {"A": "\"'A'\"", "It's $1": "\"'It''s \\$1'\""}


SHOWN = [
    (
        f"{FIELDS}      Parent|_No__c: n\n",
        "#### Parent\\_No\\_\\_c\n\nNumber\n\nText, at most 255 characters; external Id; unique",
    ),
    (f"{FIELDS}      Parent|_No__c: n\n", "\n\nAs in the \\*ERP\\*\\.\n"),
    (f"{FIELDS}      Tier__c: \"'Go|ld'\"\n", "Picklist, only Gold, Silver, Bronze"),
    (f"{FIELDS}      Owner|Id: x\n", "Reference to User"),
    (f"{FIELDS}      Parent.ERP|_Id__c: x\n", "Finds the record of ParentId"),
    (f"{HEAD}    create: Invoice|__c\n", "Rechnung\n\nThe sObject to create"),
    (f"{HEAD}    upsert: Account\n    key: ERP|_Id__c\n", "External Id field \\(or Id\\)"),
    (f"{UPSERT}    fie|lds: {{Name: x}}\n", "Fields of Account"),
]


@pytest.mark.parametrize(("text", "shown"), SHOWN)
def test_label_type_and_help_text_are_shown(editor, text, shown):
    assert shown in editor.hover(text)


LACKING = [
    (f"{FIELDS}      Phoen: x\n", "Account has no such field in org.lock.json."),
    (f"{FIELDS}      Parent.Nam: x\n", "Account has no such field in org.lock.json."),
    (f"{FIELDS}      CreatedDate: x\n", "CreatedDate cannot be written."),
    (f"{FIELDS}      Tier__c: \"'Gould'\"\n", "Tier__c only has `Gold`, `Silver` and `Bronze`."),
    (f"{FIELDS}      Kinds__c: \"'A;B'\"\n", "Kinds__c only has `A` and `It's $1`."),
    (f"{FIELDS}      OwnerId: {{lookup: User, by: Nme, value: x}}\n", "User has no such field in"),
    (f"{HEAD}    from: a.csv\n    delete: Acount\n", "org.lock.json has no such object."),
    (f"{HEAD}    from: a.csv\n    delete: Account\n    key: Name\n", "Keys of Account are "),
]


def test_what_the_org_lacks_is_red(editor):
    found = editor.problems_of([text for text, _ in LACKING])
    for (text, message), told in zip(LACKING, found, strict=True):
        assert [line for line, _ in told] == [text.count("\n")]
        assert told[0][1].startswith(message)


FITTING = [
    f"{FIELDS}      tier__C: \"' gold '\"\n      PARENT.erp_id__c: x\n",
    f"{FIELDS}      Kinds__c: \"'It''s $1;a'\"\n      Account:Parent.ERP_Id__c: x\n",
    f"{FIELDS}      Kinds__c: case when x then 'z' end\n",
    UPSERT.replace("Account", "account").replace("ERP", "erp"),
    f"{EACH}    upsert: '{{object}}'\n    key: '{{object}}_No__c'\n    fields: {{Other__c: x}}\n",
    f"{HEAD}    enabled: false\n    create: Other__c\n    from: a.csv\n    fields: {{Phoen: x}}\n",
    f"{HEAD}    delete: Account\n    from: a.csv\n    fields: {{Id: x, Whatever: y}}\n",
]


def test_what_validate_takes_is_not_red(editor):
    assert editor.problems_of(FITTING) == [[]] * len(FITTING)


def test_no_job_of_ours_is_red(editor, place, monkeypatch):
    monkeypatch.chdir(ROOT)
    fits = []
    for file in JOBS:
        job, _ = check_job(file, permissions(None, [Path("/")], None))
        found = lock_problems(job, place / "org.lock.json") if job else ()
        if file.stem in {"labels", "written_values"}:
            assert found, "their headers name columns that the org lacks"
            continue
        if file.stem == "text_stays_text":
            continue  # the server reads 0123 as a number
        assert [each.message for each in found if "no active record type" not in each.message] == []
        fits.append(file)
    texts = [
        file.read_text(encoding="utf-8").replace("# yaml-language-server", "#") for file in fits
    ]
    found = editor.problems_of(texts)
    assert [(file.name, told) for file, told in zip(fits, found, strict=True) if told] == []


def test_the_strict_mode_of_ajv_takes_it(installed, place):
    options = '{"allowMatchingProperties": true}'  # names in any letter case match theirs, too
    assert compiled(installed, place / "job.schema.json", options) == (0, "")
