"""Files as values of fields: from paths into the org, and out of a query into a folder."""

import csv
import hashlib

import pytest

LOAD = """
- name: load
  create: ContentVersion
  from: data/files.csv
  fields:
    VersionData: {file: path}
    Title: title
"""


def table(path):
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def results(bench, ended, name, task="load"):
    return table(bench.state / "runs" / ended.document["run_id"] / task / f"{name}.csv")


@pytest.fixture
def files(bench):
    """Contents by path; one is larger than a piece, one is empty."""
    contents = {"docs/a.pdf": b"a\r\n", "docs/ü.bin": bytes(range(256)) * 3_000, "docs/none": b""}
    for path, content in contents.items():
        file = bench.folder / "data" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    rows = [*((path, path[5:]) for path in contents), ("docs/no.pdf", "Missing")]
    bench.write("data/files.csv", "path,title\n" + "".join(f"{p},{t}\n" for p, t in rows))
    return contents


def test_files_go_in_and_come_out_as_they_are(bench, org, files):
    sent = bench.run("run", bench.job(LOAD), "-o", "json")
    assert sent.code == 3, sent.err + sent.out
    succeeded = results(bench, sent, "succeeded")
    assert [row["path"] for row in succeeded] == list(files)
    md5s = [hashlib.md5(content, usedforsecurity=False).hexdigest() for content in files.values()]
    assert [row["sf__Checksum"] for row in succeeded] == md5s
    assert [(row["sf__Row"], row["sf__Code"]) for row in results(bench, sent, "failed")] == [
        ("4", "FILE_NOT_FOUND")
    ]

    out = bench.job("""
- name: out
  query: SELECT Id, Title, VersionData FROM ContentVersion ORDER BY Title
  to: out/tables/versions.csv
  files: out/docs
""", name="out.yaml")  # fmt: skip
    found = bench.run("run", out, "-o", "json")
    assert found.code == 0, found.err + found.out
    assert found.task("out")["notes"] == [f"3 files in {bench.folder / 'out/docs'}"]
    rows = table(bench.folder / "out/tables/versions.csv")
    names = {row["Title"]: row["VersionData"] for row in rows}
    assert names["a.pdf"] == f"../docs/{rows[0]['Id']}-a.pdf"
    for path, content in files.items():
        assert (bench.folder / "out/tables" / names[path[5:]]).read_bytes() == content

    # The table is a source as it is, also for rows that another task of the job reads.
    again = bench.job("""
- name: copy
  create: ContentVersion
  from: out/tables/versions.csv
  fields: {VersionData: {file: VersionData}, Title: "Title || ' 2'"}
""", name="again.yaml")  # fmt: skip
    copied = bench.run("run", again, "-o", "json")
    assert copied.task("copy")["counts"]["created"] == 3, copied.err + copied.out
    soql = "SELECT Checksum FROM ContentVersion WHERE Title LIKE '% 2' ORDER BY Title"
    assert sorted(row["Checksum"] for row in org.rows(soql)) == sorted(md5s)

    # Files that are there already are not fetched again.
    kept = bench.run("run", out, "-o", "json")
    assert kept.task("out")["api_calls"] == found.task("out")["api_calls"]


def test_a_failed_row_is_sent_again_from_where_its_source_was(bench, org, files):
    sent = bench.run("run", bench.job(LOAD), "-o", "json")
    (bench.folder / "data/docs/no.pdf").write_bytes(b"here now")
    ended = bench.run("retry", sent.document["run_id"], "-o", "json")
    assert ended.code == 0, ended.err + ended.out
    assert len(org.rows("SELECT Id FROM ContentVersion")) == 4


def test_no_file_is_sent_twice(bench, org, files):
    org.fault(kind="daily_limit", path="ContentVersion", method="POST", after=2)
    job = bench.job(LOAD + "  concurrency: serial\n")
    broken = bench.run("run", job, "-o", "json")
    assert broken.code == 5, broken.err + broken.out
    (bench.folder / "data/docs/a.pdf").unlink()  # it is in the org
    (bench.folder / "data/docs/none").write_bytes(b"changed")
    org.request("DELETE", "/__org/faults")
    ended = bench.run("resume", "-o", "json")
    assert ended.code == 3, ended.err + ended.out
    failed = {row["sf__Row"]: row["sf__Code"] for row in results(bench, ended, "failed")}
    assert failed == {"3": "FILE_CHANGED", "4": "FILE_NOT_FOUND"}
    titles = [row["Title"] for row in org.rows("SELECT Title FROM ContentVersion ORDER BY Title")]
    assert titles == ["a.pdf", "ü.bin"]


def test_a_file_that_arrives_damaged_is_an_error_and_no_table(bench, org, files):
    bench.run("run", bench.job(LOAD))
    org.fault(kind="status", method="GET", path="VersionData", status=200, body="other")
    ended = bench.run("run", bench.job("""
- name: out
  query: SELECT Id, VersionData FROM ContentVersion
  to: out/versions.csv
  files: out/docs
  retry: {attempts: 2, longest_wait: 1s}
""", name="out.yaml"))  # fmt: skip
    assert ended.code == 1
    assert "arrived damaged: it has 5 bytes instead of" in ended.out
    assert not (bench.folder / "out/versions.csv").exists()
    assert list((bench.folder / "out/docs").iterdir()) == []


def test_attachments_are_replaced_and_an_upsert_creates_only_what_is_new(bench, serve_org, files):
    org = serve_org(org_file="""\
version: 1
objects:
  ContentVersion:
    fields: {Ext__c: {type: text, label: Ext, length: 20, external_id: true, unique: true}}
""")  # fmt: skip
    account = org.create("Account", Name="A")
    attached = org.create("Attachment", Name="old", ParentId=account, Body="YQ==")
    bench.write("data/attachments.csv", f"id,path\n{attached},docs/a.pdf\n,docs/ü.bin\n")
    bench.write("data/versions.csv", "no,path,title\n1,docs/a.pdf,One\n2,docs/ü.bin,Two\n")
    job = bench.job(f"""
- name: attachments
  upsert: Attachment
  key: Id
  from: data/attachments.csv
  fields: {{Id: id, Body: {{file: path}}, ParentId: "CASE WHEN id IS NULL THEN '{account}' END"}}
- name: versions
  upsert: ContentVersion
  key: Ext__c
  from: data/versions.csv
  fields: {{Ext__c: no, VersionData: {{file: path}}, Title: title}}
""")  # fmt: skip
    ended = bench.run("run", job, "-o", "json")
    assert ended.code == 0, ended.err + ended.out
    found = org.rows("SELECT Name, BodyLength FROM Attachment ORDER BY Name")
    assert found == [{"Name": "old", "BodyLength": 3}, {"Name": "ü.bin", "BodyLength": 768_000}]

    bench.write("data/versions.csv", "no,path,title\n1,gone.pdf,Uno\n3,docs/none,Three\n")
    again = bench.run("run", job, "--task", "versions", "-o", "json")
    assert again.code == 0, again.err + again.out
    counts = again.task("versions")["counts"]
    assert (counts["created"], counts["updated"]) == (1, 1)
    versions = org.rows("SELECT Ext__c, Title, ContentSize FROM ContentVersion ORDER BY Ext__c")
    assert versions == [
        {"Ext__c": "1", "Title": "Uno", "ContentSize": 3},
        {"Ext__c": "2", "Title": "Two", "ContentSize": 768_000},
        {"Ext__c": "3", "Title": "Three", "ContentSize": 0},
    ]


@pytest.mark.parametrize(
    ("task", "said"),
    [
        ("create: Account, fields: {Name: {file: path}}",
         "Name of Account does not hold a file"),
        ("create: ContentVersion, api: bulk, fields: {VersionData: path}",
         "Bulk API 2.0 does not take files, and VersionData holds one"),
        ("update: ContentVersion, fields: {Id: title, VersionData: {file: path}}",
         "the file of a ContentVersion cannot be changed"),
    ],
)  # fmt: skip
def test_what_cannot_be_sent_is_refused_before_anything_is(bench, org, files, task, said):
    ended = bench.run("run", bench.job(f"- {{name: load, from: data/files.csv, {task}}}"))
    assert ended.code == 2
    assert said in ended.err


def test_undo_deletes_the_documents_that_a_run_created(bench, org, files):
    other = org.create("ContentVersion", PathOnClient="x.txt", VersionData="YQ==")
    document = org.rows("SELECT Id FROM ContentDocument")[0]["Id"]
    account = org.create("Account", Name="A")
    bench.write(
        "data/files.csv", f"path,document\ndocs/a.pdf,\ndocs/ü.bin,\ndocs/none,{document}\n"
    )
    bench.write("data/attached.csv", "path\ndocs/a.pdf\ndocs/ü.bin\n")
    ended = bench.run("run", bench.job(f"""
- name: versions
  create: ContentVersion
  from: data/files.csv
  fields: {{VersionData: {{file: path}}, ContentDocumentId: document}}
- name: attached
  create: Attachment
  from: data/attached.csv
  fields: {{Body: {{file: path}}, ParentId: "'{account}'"}}
"""), "-o", "json")  # fmt: skip
    assert ended.code == 0, ended.err + ended.out
    changed = org.rows("SELECT Id FROM Attachment WHERE Name = 'ü.bin'")[0]["Id"]
    path = f"/services/data/v62.0/sobjects/Attachment/{changed}"
    assert org.request("PATCH", path, json={"Body": "YQ=="}).status_code == 204
    undone = bench.run("undo", ended.document["run_id"], "--yes", "-o", "json")
    assert undone.code == 3, undone.err + undone.out
    assert undone.task("versions.delete")["counts"]["deleted"] == 2
    assert undone.task("attached.delete")["counts"]["deleted"] == 1
    assert [row["Id"] for row in org.rows("SELECT Id FROM ContentDocument")] == [document]
    assert other in {row["Id"] for row in org.rows("SELECT Id FROM ContentVersion")}
    assert [row["Id"] for row in org.rows("SELECT Id FROM Attachment")] == [changed]
    folder = bench.state / "runs" / undone.document["run_id"]
    codes = [
        row["sf__Code"]
        for task in ("versions.delete", "attached.delete")
        for row in table(folder / task / "not_undone.csv")
    ]
    assert codes == ["OTHER_VERSIONS", "CHANGED_SINCE"]
