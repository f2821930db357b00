"""Rows of some hundred columns: DuckDB holds buffers of each column, however few rows there are."""

import json

COLUMNS = 700
ORG = {
    "version": 1,
    "objects": {
        "Account": {
            "fields": {f"F{number}__c": {"type": "text", "length": 40} for number in range(COLUMNS)}
        }
    },
}
FIELDS = [f"F{number}__c" for number in range(COLUMNS)]


def test_wide_rows_go_from_a_source_to_the_org_and_back(bench, serve_org):
    org = serve_org(org_file=json.dumps(ORG))
    values = {"Name": "Wide", **{name: f"value of {name}" for name in FIELDS}}
    bench.write("wide.jsonl", json.dumps(values) + "\n")
    selected = f"SELECT Name, {', '.join(FIELDS)} FROM Account"
    job = bench.job(f"""
- {{name: load, create: Account, from: wide.jsonl, api: rest}}
- {{name: parquet, query: '{selected}', needs: [load], to: out/wide.parquet}}
""")
    ended = bench.run("run", job, "-o", "json")
    assert ended.code == 0, ended.err + ended.out
    assert org.rows(f"SELECT {FIELDS[-1]} FROM Account") == [{FIELDS[-1]: values[FIELDS[-1]]}]
