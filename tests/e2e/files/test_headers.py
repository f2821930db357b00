"""Exports and reports as people load them: labels, other columns, footers, several files."""

from tests.e2e.apis import OVER_REST

REPORT = """sep=;
Accounts by region
 Account Name ;Account Phone;ERP Id;Annual Revenue;Employees; Active ;Owner's mood;;
"Acme ";NULL;E1;1.234.567,00 €;1.000;on;good;;
Bolt;(5);E2;12 %;\\N;0.0;NULL;;

Grand Total;2;;;;;;;
"Copyright (c) 2026 Acme, Inc."
"""


@OVER_REST
def test_a_report_with_labels_is_loaded_as_it_is(bench, org, api):
    (bench.folder / "report.csv").write_text(REPORT, encoding="utf-8")
    (bench.folder / "report-2.csv").write_bytes(b"")
    ended = bench.run("run", bench.job(f"""
- name: load
  upsert: Account
  key: ERP_Id__c
  headers: labels
  unknown_columns: ignore
  api: {api}
  from:
    file: report*.csv
    skip_rows: 1
    skip_last: 2
    numbers: {{thousands: ".", decimal: ",", strip: "€%"}}
    nulls: [NULL, \\N]
"""), "-o", "json")  # fmt: skip
    assert ended.code == 0, ended.err + ended.out
    fields = "Name, Phone, ERP_Id__c, AnnualRevenue, NumberOfEmployees, Active__c"
    assert org.rows(f"SELECT {fields} FROM Account ORDER BY ERP_Id__c") == [
        {
            "Name": "Acme",
            "Phone": None,
            "ERP_Id__c": "E1",
            "AnnualRevenue": 1234567.0,
            "NumberOfEmployees": 1000,
            "Active__c": True,
        },
        {
            "Name": "Bolt",
            "Phone": "(5)",
            "ERP_Id__c": "E2",
            "AnnualRevenue": 12.0,
            "NumberOfEmployees": None,
            "Active__c": False,
        },
    ]
    assert ended.task("load")["notes"] == [
        "report-2.csv: empty, skipped",
        "report.csv: delimiter ';' found",
        'report.csv: last 2 lines skipped: Grand Total;2;;;;;;; / "Copyright (c) 2026 Acme, Inc."',
        "not fields of Account, not sent: Owner's mood",
    ]


def test_validate_and_run_agree_on_headers(bench, org):
    bench.write("a.csv", "ERP_Id__c, Name ,Foo\nE1,x,1\n")
    job = bench.job("""
- name: load
  upsert: Account
  key: ERP_Id__c
  from: a.csv
""")
    assert bench.run("validate", job).code == 0
    ended = bench.run("run", job)
    assert ended.code == 2
    assert "Account has no field Foo" in ended.err
    bench.write("a.csv", "ERP_Id__c, Name ,\nE1,x,\n")
    assert bench.run("validate", job).code == 0
    assert bench.run("run", job).code == 0
    assert org.rows("SELECT Name FROM Account") == [{"Name": "x"}]
