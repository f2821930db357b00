"""What a query selects arrives under the header that the job writes, with its type, or fails."""

import csv
import json

import duckdb
import pytest

from tests.short_form import slow
from tests.unit.tables.value_cases import AGGREGATED, PLAIN

ORG = """\
version: 1
objects:
  Account:
    fields:
      Tier__c: {type: picklist, label: Tier, values: [Gold, Silver]}
      Since__c: {type: date, label: Since}
      At__c: {type: location, label: At, scale: 6}
      Score__c: {type: number, label: Score, precision: 16, scale: 2}
"""


def types(path):
    with duckdb.connect() as connection:
        return [row[1] for row in connection.execute(f"DESCRIBE FROM '{path}'").fetchall()]


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def table(path):
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.reader(stream))


@pytest.fixture
def org(serve_org):
    org = serve_org(org_file=ORG)
    place = {"BillingLatitude": 48.5, "BillingLongitude": 9.25, "BillingCity": "Ulm"}
    one = org.create(
        "Account", Name="1e5", Tier__c="Gold", Since__c="2026-01-31", AnnualRevenue=1000,
        NumberOfEmployees=3, Phone="null", At__Latitude__s=1.5, At__Longitude__s=-2.25, **place,
    )  # fmt: skip
    two = org.create("Account", Name="123", Tier__c="Silver", AnnualRevenue=2, Phone="0042")
    org.create("Contact", LastName="A", AccountId=one, Birthdate="1999-12-31")
    org.create("Contact", LastName="B", AccountId=one)
    org.create("Contact", LastName="C", AccountId=two)
    return org


def run_all(bench, queries, api="auto"):
    """Run one job with a query for each target."""
    tasks = (
        f"- name: q{number}\n  query: {json.dumps(soql)}\n  to: {to}\n  api: {api}\n"
        for number, (to, soql) in enumerate(queries.items())
    )
    ended = bench.run("run", bench.job("".join(tasks)))
    assert ended.code == 0, ended.err + ended.out


SELECTED = [
    (
        "SELECT Account.Name, COUNT(Id) n FROM Contact GROUP BY Account.Name ORDER BY Account.Name",
        [["Account.Name", "n"], ["123", "1"], ["1e5", "2"]],
    ),
    (
        (
            "SELECT a.Name, MAX(c.Birthdate), COUNT(c.Id) FROM Contact c, c.Account a"
            " GROUP BY a.Name ORDER BY a.Name"
        ),
        [["Account.Name", "expr0", "expr1"], ["123", "", "1"], ["1e5", "1999-12-31", "2"]],
    ),
    (
        (
            "SELECT account.name who, MIN(LastName) FROM Contact GROUP BY account.name"
            " ORDER BY account.name DESC"
        ),
        [["who", "expr0"], ["1e5", "A"], ["123", "C"]],
    ),
    (
        "SELECT Account.Tier__c FROM Contact GROUP BY Account.Tier__c ORDER BY Account.Tier__c",
        [["Account.Tier__c"], ["Gold"], ["Silver"]],
    ),
    (
        "SELECT Account.Name, account.phone FROM Account ORDER BY Name",
        [["Name", "phone"], ["123", "0042"], ["1e5", "null"]],
    ),
    (
        "SELECT a.Name, a.Tier__c FROM Contact c, c.Account a ORDER BY c.LastName",
        [
            ["Account.Name", "Account.Tier__c"],
            ["1e5", "Gold"],
            ["1e5", "Gold"],
            ["123", "Silver"],
        ],
    ),
    (
        (
            "SELECT toLabel(a.Tier__c), FORMAT(a.AnnualRevenue) money, a.AnnualRevenue"
            " FROM Account a ORDER BY Name"
        ),
        [
            ["Tier__c", "money", "AnnualRevenue"],
            ["Silver", "$2.00", "2.0"],
            ["Gold", "$1,000.00", "1000.0"],
        ],
    ),
    (
        (
            "SELECT toLabel(Account.Tier__c), toLabel(Account.Tier__c) t FROM Contact"
            " WHERE LastName = 'C'"
        ),
        [["Account.Tier__c", "t"], ["Silver", "Silver"]],
    ),
    (
        (
            "SELECT FORMAT(convertCurrency(AnnualRevenue)), convertCurrency(AnnualRevenue) c"
            " FROM Account ORDER BY Name"
        ),
        [["AnnualRevenue", "c"], ["$2.00", "2.0"], ["$1,000.00", "1000.0"]],
    ),
    (
        (
            "SELECT FORMAT(MAX(AnnualRevenue)) m, CALENDAR_YEAR(Since__c), SUM(AnnualRevenue)"
            " FROM Account WHERE Since__c != null GROUP BY CALENDAR_YEAR(Since__c)"
        ),
        [["m", "expr0", "expr1"], ["$1,000.00", "2026", "1000.0"]],
    ),
]


def test_every_item_of_a_select_list_arrives_under_its_header(bench, org):
    run_all(bench, {f"{at}.csv": soql for at, (soql, _) in enumerate(SELECTED)})
    for at, (soql, rows) in enumerate(SELECTED):
        assert table(bench.folder / f"{at}.csv") == rows, soql


FLAT = (
    "select ID, name, ACCOUNT.name, account.annualrevenue, createddate, birthdate"
    " from Contact order by lastname"
)


def test_letter_case_is_the_jobs_and_both_apis_write_the_same(bench, org):
    for api in ("rest", "bulk"):
        targets = ("out.csv", "out.jsonl", "out.json", "out.parquet")
        run_all(bench, {f"{api}/{to}": FLAT for to in targets}, api)
    for to in ("out.csv", "out.jsonl", "out.json"):
        written = (bench.folder / "rest" / to).read_bytes()
        assert written == (bench.folder / "bulk" / to).read_bytes()
    header = ["ID", "name", "ACCOUNT.name", "account.annualrevenue", "createddate", "birthdate"]
    assert table(bench.folder / "rest" / "out.csv")[0] == header
    first = json.loads((bench.folder / "rest" / "out.jsonl").read_text().splitlines()[0])
    assert (first["account.annualrevenue"], first["birthdate"]) == (1000.0, "1999-12-31")
    for api in ("rest", "bulk"):
        assert types(bench.folder / api / "out.parquet")[3:] == [
            "DECIMAL(18,0)", "TIMESTAMP WITH TIME ZONE", "DATE",
        ]  # fmt: skip


def test_columns_of_functions_keep_their_types(bench, org):
    soql = (
        "SELECT Name, Phone, COUNT(Id), SUM(AnnualRevenue), MAX(Since__c) since, MAX(CreatedDate),"
        " AVG(NumberOfEmployees) staff, SUM(NumberOfEmployees)"
        " FROM Account GROUP BY Name, Phone ORDER BY Name DESC"
    )
    run_all(bench, {"out.jsonl": soql, "out.parquet": soql})
    row = lines(bench.folder / "out.jsonl")[0]
    assert row.pop("expr2").endswith("Z")
    assert row == {
        "Name": "1e5", "Phone": "null", "expr0": 1, "expr1": 1000.0, "since": "2026-01-31",
        "staff": 3.0, "expr3": 3,
    }  # fmt: skip
    assert [kind.partition("(")[0] for kind in types(bench.folder / "out.parquet")] == [
        "VARCHAR", "VARCHAR", "BIGINT", "DECIMAL", "DATE", "TIMESTAMP WITH TIME ZONE", "DECIMAL",
        "BIGINT",
    ]  # fmt: skip


def test_functions_are_written_as_the_docs_say(bench, org):
    grouped = "GROUP BY CALENDAR_YEAR(CreatedDate), DAY_ONLY(CreatedDate)"
    for functions, rest in ((AGGREGATED, grouped), (PLAIN, "")):
        listed = ", ".join(f"{function} c{at}" for at, function in enumerate(functions))
        soql = f"SELECT {listed} FROM Account {rest}"
        run_all(bench, {"out.parquet": soql})
        found = [kind.partition("(")[0] for kind in types(bench.folder / "out.parquet")]
        assert found == [kind for _, kind in functions.values()]


def test_a_text_that_looks_like_a_number_stays_a_text(bench, org):
    items = ["toLabel(Name)", "FORMAT(Name) x", "toLabel(Phone) p", "Name", "Phone"]
    soql = "SELECT {} FROM Account WHERE Name = '1e5'"
    run_all(bench, {f"{at}.jsonl": soql.format(item) for at, item in enumerate(items)})
    found = [lines(bench.folder / f"{at}.jsonl")[0] for at in range(len(items))]
    assert found == [
        {"Name": "1e5"}, {"x": "1e5"}, {"p": "null"}, {"Name": "1e5"}, {"Phone": "null"},
    ]  # fmt: skip


@pytest.mark.parametrize(("api", "word"), [("rest", "ALL"), ("bulk", "STANDARD")])
def test_fields_are_typed_and_texts_stay_texts(bench, org, api, word):
    limit = " LIMIT 200" if word == "ALL" else ""
    org.create("Case", Subject="1e5", SuppliedPhone="0042")
    run_all(bench, {"out.jsonl": f"SELECT FIELDS({word}) FROM Case{limit}"}, api)
    [row] = lines(bench.folder / "out.jsonl")
    assert (row["Subject"], row["SuppliedPhone"], row["IsClosed"]) == ("1e5", "0042", False)
    assert row["CreatedDate"].endswith("Z")


def test_numbers_inside_compounds_are_numbers(bench, org):
    soql = "SELECT Name, At__c, BillingAddress FROM Account ORDER BY Name DESC"
    run_all(bench, {f"out.{form}": soql for form in ("jsonl", "json", "csv")})
    for row in (
        lines(bench.folder / "out.jsonl")[0],
        json.loads((bench.folder / "out.json").read_text())[0],
    ):
        assert row["At__c"] == {"latitude": 1.5, "longitude": -2.25}
        assert (row["BillingAddress"]["latitude"], row["BillingAddress"]["city"]) == (48.5, "Ulm")
    cell = table(bench.folder / "out.csv")[1][1]
    assert json.loads(cell) == {"latitude": 1.5, "longitude": -2.25}


@pytest.mark.parametrize(
    ("soql", "header"),
    [
        *slow(("SELECT FIELDS(STANDARD) FROM Case WHERE Subject = 'x'", {"Id", "Subject"})),
        (
            "SELECT FIELDS(ALL) FROM Account WHERE Name = 'x' LIMIT 200",
            {"Id", "Since__c", "BillingAddress"},
        ),
        (
            "SELECT Id, TYPEOF Who WHEN Contact THEN LastName ELSE Name END, Subject FROM Task",
            ["Id", "Who", "Subject"],
        ),
        (
            "SELECT Owner.Name, COUNT(Id) FROM Lead GROUP BY Owner.Name",
            ["Owner.Name", "expr0"],
        ),
    ],
)
def test_without_rows_the_header_comes_from_the_org(bench, org, soql, header):
    forms = ("csv", "jsonl", "json", "parquet", "xlsx", "xml")
    run_all(bench, {f"out.{form}": soql for form in forms})
    [found] = table(bench.folder / "out.csv")
    assert found == header if isinstance(header, list) else header <= set(found)
    assert len(types(bench.folder / "out.parquet")) == len(found)


def test_datetimes_in_lists_have_the_form_of_all_others(bench, org):
    soql = "SELECT Name, (SELECT CreatedDate, Account.CreatedDate FROM Contacts) FROM Account"
    run_all(bench, {"out.jsonl": soql})
    child = lines(bench.folder / "out.jsonl")[0]["Contacts"]["records"][0]
    assert child["CreatedDate"].endswith("Z")
    assert child["Account"]["CreatedDate"].endswith("Z")


@pytest.mark.parametrize(
    ("soql", "record", "said"),
    [
        ("SELECT Id, Account.Name FROM Contact", {"Id": "1"}, "'Account.Name'"),
        ("SELECT Id, Account.Name FROM Contact", {"Id": "1", "Account": {"X": 1}}, "it has: Id, A"),
        ("SELECT toLabel(Name) x FROM Contact", {"Name": "A"}, "'x'"),
        (
            "SELECT Account.Name, COUNT(Id) FROM Contact GROUP BY Account.Name",
            {"Account.Name": "A", "expr0": 1},
            "as 'Name'; it has: Account.Name, expr0",
        ),
    ],
)
def test_a_column_that_no_record_has_is_an_error_that_names_it(bench, org, soql, record, said):
    body = json.dumps({"totalSize": 1, "done": True, "records": [{"attributes": {}, **record}]})
    org.fault(kind="status", status=200, path="/query", body=body)
    ended = bench.run("run", bench.job(f"- {{name: q, query: {json.dumps(soql)}, to: out.csv}}"))
    assert ended.code == 1, ended.err
    assert "does not have it" in ended.err + ended.out
    assert said in ended.err + ended.out
    assert not (bench.folder / "out.csv").exists()


def test_a_long_list_goes_in_several_queries(bench, serve_org):
    org = serve_org()
    names = [f"Account number {number:05}, a long name" for number in range(4_000)]
    for at in range(0, 4_000, 800):
        bench.write("in.csv", "Name\n" + "".join(f'"{name}"\n' for name in names[at : at + 800]))
        load = "- {name: load, create: Account, from: in.csv, api: bulk}"
        assert bench.run("run", bench.job(load, name="load.yaml")).code == 0
    head = "params: {names: {type: list of string}, like: {type: string}}\n"
    asked = json.dumps([*names[:3_500], names[0].upper(), "nobody"])
    (bench.folder / "values.txt").write_text(asked)
    tasks = "\n".join(
        f"- {{name: {api}, query: 'SELECT name FROM Account WHERE Name IN :names', to: {api}.csv,"
        f" api: {api}}}"
        for api in ("rest", "bulk", "auto")
    )
    org.create("Account", Name="50% off")
    org.create("Account", Name="500 off")
    tasks += (
        "\n- {name: like, query: 'SELECT Name FROM Account WHERE Name LIKE :like', to: like.csv}"
    )
    job = bench.job(tasks, head=head)
    ended = bench.run("run", job, "-p", f"names={asked}", "-p", r"like=50\% %", "-o", "json")
    assert ended.code == 0, ended.err
    for api in ("rest", "bulk", "auto"):
        header, *rows = table(bench.folder / f"{api}.csv")
        assert header == ["name"]
        assert sorted(name for [name] in rows) == names[:3_500], api
        assert ended.task(api)["counts"]["read"] == 3_500
    assert len(ended.task("bulk")["bulk_job_ids"]) > 1
    assert table(bench.folder / "like.csv") == [["Name"], ["50% off"]]
    ended = bench.run("run", job, "-p", "names=[]", "-p", "like=x")
    assert ended.code == 0, ended.err
    assert table(bench.folder / "bulk.csv") == [["name"]]


def test_lists_come_from_a_file_and_from_another_tasks_rows(bench, serve_org):
    org = serve_org()
    ids = [org.create("Account", Name=f"A{number}", ERP_Id__c=str(number)) for number in range(3)]
    for at, parent in enumerate(ids):
        org.create("Contact", LastName=f"C{at}", AccountId=parent)
    bench.write("keys.csv", "Nr;Text\n0;x\n;y\n2;z\n2;z\n")
    job = bench.job("""
- name: accounts
  query: SELECT id, Name FROM Account WHERE ERP_Id__c IN :keys
  lists:
    keys: {from: {file: keys.csv, delimiter: ";"}, column: nr}
- name: contacts
  query: SELECT LastName FROM Contact WHERE AccountId IN (:parents) ORDER BY LastName
  lists:
    parents: {from: {task: accounts}, column: Id}
  to: contacts.csv
- name: none
  query: SELECT LastName FROM Contact WHERE LastName IN :names ORDER BY LastName
  lists:
    names: {from: nobody.csv, column: Name}
  to: none.csv
""")
    bench.write("nobody.csv", "Name\n\n")
    ended = bench.run("run", job)
    assert ended.code == 0, ended.err + ended.out
    assert table(bench.folder / "contacts.csv") == [["LastName"], ["C0"], ["C2"]]
    assert table(bench.folder / "none.csv") == [["LastName"]]
    bench.write("keys.csv", "No;Text\n0;x\n")
    ended = bench.run("run", job)
    assert ended.code == 1, ended.err
    assert "keys.csv has no column 'nr'" in ended.err + ended.out
