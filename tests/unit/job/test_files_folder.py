"""What the paths in rows are relative to."""

from pathlib import Path

import pytest

from runner.job.load import check_job

JOB = """\
version: 1
connection: {environment: local}
tasks:
  - {name: table, query: "SELECT Id, Body FROM Attachment", to: out/t/a.csv, files: out/files}
  - {name: rows, query: "SELECT Id, Body FROM Attachment"}
  - {name: cloud, query: "SELECT Id, Body FROM Attachment", to: "s3://bucket/a.csv"}
  - {name: file, create: Attachment, from: in/a.csv}
  - {name: pattern, create: Attachment, from: "in/20*/**/*.csv"}
  - {name: stdin, create: Attachment, from: {file: "-", format: csv}}
  - {name: of_table, create: Attachment, from: {task: table}}
  - {name: of_rows, create: Attachment, from: {task: rows}}
  - {name: of_cloud, create: Attachment, from: {task: cloud}}
  - {name: of_failed, create: Attachment, from: {task: file, rows: failed}}
  - {name: sql, create: Attachment, from: {sql: SELECT 1, tables: {a: in/a.csv}}}
"""


@pytest.mark.parametrize(
    ("task", "folder"),
    [
        ("file", "in"),
        ("pattern", "in"),
        ("stdin", "."),
        ("of_table", "out/t"),
        ("of_rows", "."),
        ("of_cloud", "."),
        ("of_failed", "in"),
        ("sql", "."),
    ],
)
def test_paths_start_where_the_file_with_the_rows_is(tmp_path, task, folder):
    for file in ("in/a.csv", "in/2026/x/b.csv"):
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_text("Name\n", encoding="utf-8")
    (tmp_path / "job.yaml").write_text(JOB, encoding="utf-8")
    job, problems = check_job(Path(tmp_path / "job.yaml"))[:2]
    assert job, problems
    assert job.files_folder(job.task(task).source) == tmp_path / folder
