"""Files as people have them: what is read, what is refused, and that nothing was sent before."""

import pytest

TASK = """
- name: load
  create: Account
  from: {source}
"""


def load(bench, content, source="a.csv", name="a.csv"):
    (bench.folder / name).write_bytes(content)
    return bench.run("run", bench.job(TASK.format(source=source)), "-o", "json")


@pytest.mark.parametrize(
    ("content", "source"),
    [
        ("\ufeffName,Phone\r\nÄ,1\r\n".encode(), "a.csv"),
        ("Name;Phone\nÄ;1\n".encode("cp1252"), "{file: a.csv, delimiter: ';', encoding: cp1252}"),
        ("Name\tPhone\nÄ\t1\n".encode(), "{file: a.csv, delimiter: tab}"),
        ("Name|Phone\nÄ|1".encode("utf-16"), "{file: a.csv, delimiter: pipe, encoding: utf-16}"),
        ('{"Name": "Ä", "Phone": "1"}\n'.encode("utf-16"), "{file: a.csv, format: jsonl}"),
    ],
)
def test_the_same_rows_in_any_shape(bench, org, content, source):
    ended = load(bench, content, source)
    assert ended.code == 0, ended.err
    assert org.rows("SELECT Name, Phone FROM Account") == [{"Name": "Ä", "Phone": "1"}]


@pytest.mark.parametrize("content", [b"Name,Phone\n", b"Name,Phone"])
def test_no_rows_is_success(bench, org, content):
    ended = load(bench, content)
    assert ended.code == 0, ended.err + ended.out
    counts = ended.task("load")["counts"]
    assert (counts["read"], counts["created"], counts["failed"]) == (0, 0, 0)


@pytest.mark.parametrize(("source", "name"), [("in.csv", "in.csv"), ("-", "standard input")])
def test_an_empty_source_is_an_error(bench, org, source, name):
    bench.write("in.csv", "")
    job = bench.job(f"- name: load\n  create: Account\n  from: {{file: '{source}', format: csv}}\n")
    ended = bench.run("run", job, given="")
    assert ended.code == (1 if source == "-" else 2)
    assert f"{name} is empty." in ended.err + ended.out
    assert "An export that failed" in ended.err + ended.out
    assert bench.run("validate", job).code == (0 if source == "-" else 2)


@pytest.mark.parametrize(
    ("content", "told", "code"),
    [
        (b"Name,Phone\nok,1\nbad,2,3\n", "row 2", 1),
        (b"Name,Name\nx,y\n", "'Name' appears twice", 2),
        (b"Name,\nx,y\n", "column 2 of 2 has no name", 1),
        (b"Name,Phone\nok,1\n\xff,2\n", "line 3: byte 17", 1),
        (b'Name,Phone\nok,1\n"never closed,2\n', "row 2", 1),
    ],
)
def test_a_file_that_is_wrong_is_told_with_its_place_before_anything_is_sent(
    bench, org, content, told, code
):
    ended = load(bench, content)
    assert ended.code == code, ended.out
    assert told in (ended.out + ended.err)
    assert "a.csv" in (ended.out + ended.err)
    assert org.rows("SELECT Id FROM Account") == []


def test_what_is_wrong_in_standard_input_is_told_by_that_name(bench, org):
    job = bench.job("- name: load\n  create: Account\n  from: {file: '-', encoding: ascii}\n")
    ended = bench.run("run", job, given="Name\nok\n\u00c4\n")
    assert ended.code == 1
    assert "load: standard input: line 3: byte 9 of the file is not ascii." in ended.out
    assert "{file: '-', encoding: windows-1252}" in ended.out
    assert org.rows("SELECT Id FROM Account") == []


def test_a_header_without_the_key_is_told_before_anything_is_sent(bench, org):
    bench.write("a.csv", "Name\nx\n")
    job = bench.job("""
- name: load
  upsert: Account
  key: ERP_Id__c
  from: a.csv
""")
    ended = bench.run("run", job)
    assert ended.code == 2
    assert "ERP_Id__c" in ended.err
    assert org.rows("SELECT Id FROM Account") == []


def test_a_long_value_arrives_whole_on_either_api(bench, org):
    text = ("é" * 999 + "\n") * 32
    bench.write("a.csv", f'Name,Description\nA,"{text[:31999]}"\n')
    for api in ("rest", "bulk"):
        ended = bench.run(
            "run", bench.job(TASK.format(source="a.csv") + f"  api: {api}\n"), "-o", "json"
        )
        assert ended.code == 0, ended.out + ended.err
    found = [row["Description"] for row in org.rows("SELECT Description FROM Account")]
    assert found == [text[:31999]] * 2


def test_expressions_see_every_column_and_one_bad_row_fails_alone(bench, org):
    bench.write("a.csv", "first,last,born\nAda,Byron,10.12.1815\nBen,,31.02.1990\n")
    job = bench.job("""
- name: load
  create: Contact
  from: a.csv
  fields:
    FirstName: first
    LastName: upper(coalesce(last, 'unknown'))
    Birthdate: strptime(born, '%d.%m.%Y')
""")
    ended = bench.run("run", job, "-o", "json")
    assert ended.code == 3, ended.out + ended.err
    assert org.rows("SELECT LastName, Birthdate FROM Contact") == [
        {"LastName": "BYRON", "Birthdate": "1815-12-10"}
    ]


def test_an_expression_may_not_reach_for_files(bench, org):
    bench.write("a.csv", "x\n1\n")
    bench.write("secret.txt", "hidden")
    job = bench.job("""
- name: load
  create: Account
  from: a.csv
  fields:
    Name: (SELECT content FROM read_text('secret.txt'))
""")
    ended = bench.run("run", job)
    assert ended.code == 2
    assert "job.yaml:9:" in ended.err
    assert "hidden" not in ended.err


def test_a_delta_table_that_a_query_writes_is_the_source_of_a_later_task(bench, org):
    org.create("Account", Name='A, "1"', AnnualRevenue=125)
    job = bench.job("""
- name: out
  query: SELECT Name, AnnualRevenue FROM Account
  to: {folder: lake/a, format: delta}
- name: back
  create: Account
  from: {folder: lake/a, format: delta}
""")
    assert bench.run("validate", job).code == 0
    for _ in range(2):
        ended = bench.run("run", job, "-o", "json")
        assert ended.code == 0, ended.err + ended.out
    found = org.rows("SELECT Name, AnnualRevenue FROM Account")
    assert [(each["Name"], each["AnnualRevenue"]) for each in found] == [('A, "1"', 125)] * 4
    planned = bench.run("plan", job)
    assert planned.code == 0, planned.err + planned.out
