"""Rows that arrive as the org would keep them, or fail alone, with either API."""

from tests.e2e.apis import OVER_BULK, OVER_REST


@OVER_BULK
def test_outer_white_space_makes_no_other_key_and_no_value(bench, org, api):
    org.create("Account", Name="Alpha", ERP_Id__c="A1", Phone="1")
    parent = org.create("Account", Name="Beta", ERP_Id__c="\u00a0B1", Phone="2")
    bench.write(
        "a.csv", 'ERP_Id__c,Name,Phone\n" A1\t", Alpha ,"\t "\n\u00a0B1,Beta,3\n" ",Gamma,\n'
    )
    bench.write("c.csv", 'ERP_Id__c,LastName,Account.ERP_Id__c\nC1,One,"\u00a0B1 "\n')
    job = bench.job(f"""
- {{name: load, upsert: Account, key: ERP_Id__c, from: a.csv, api: {api}}}
- {{name: contacts, upsert: Contact, key: ERP_Id__c, from: c.csv, api: {api}}}
""")
    ended = bench.run("run", job, "-o", "json")
    assert ended.code == 3, ended.err
    assert ended.counts("created", "updated", "failed") == (0, 2, 1)
    assert [row["sf__Code"] for row in ended.rows("failed")] == ["KEY_IS_BLANK"]
    found = org.rows("SELECT Name, ERP_Id__c, Phone FROM Account ORDER BY Name")
    assert [(r["Name"], r["ERP_Id__c"], r["Phone"]) for r in found] == [
        ("Alpha", "A1", "1"),
        ("Beta", "\u00a0B1", "3"),
    ]
    assert org.rows("SELECT AccountId FROM Contact")[0]["AccountId"] == parent


@OVER_REST
def test_an_upsert_by_id_creates_rows_without_one_and_a_cleared_checkbox_is_false(bench, org, api):
    old = org.create("Account", Name="Old", Active__c=True, Phone="1")
    bench.write(
        "a.csv", f"Id,Name,Active__c,Phone\n{old},New,,\n,Second,true,2\n#N/A,Third,#N/A,\n"
    )
    job = bench.job(f"""
- {{name: load, upsert: Account, key: id, from: a.csv, blank: clear, undo: true, api: {api}}}
""")
    ended = bench.run("run", job, "-o", "json")
    assert ended.code == 0, ended.err
    assert ended.counts("created", "updated") == (2, 1)
    assert {row["Name"]: row["sf__Created"] for row in ended.rows("succeeded")} == {
        "New": "false",
        "Second": "true",
        "Third": "true",
    }
    soql = "SELECT Name, Active__c, Phone FROM Account ORDER BY Name"
    assert org.rows(soql) == [
        {"Name": "New", "Active__c": False, "Phone": None},
        {"Name": "Second", "Active__c": True, "Phone": "2"},
        {"Name": "Third", "Active__c": False, "Phone": None},
    ]
    undone = bench.run("undo", ended.document["run_id"], "--yes", "-o", "json")
    assert undone.code == 0, undone.err
    assert org.rows(soql) == [{"Name": "Old", "Active__c": True, "Phone": "1"}]


def test_an_upsert_by_id_that_may_create_twice_goes_over_bulk(bench, org):
    old = org.create("Account", Name="Old")
    bench.write("a.csv", f"Id,Name\n{old},a\n,b\n")
    bench.write("b.csv", f"Id,Name\n{old},c\n")
    job = bench.job("""
- {name: load, upsert: Account, key: Id, from: a.csv}
- {name: known, upsert: Account, key: Id, from: b.csv}
""")
    ended = bench.run("run", job, "-o", "json")
    assert ended.code == 0, ended.err
    assert (ended.task("load")["api"], ended.task("known")["api"]) == ("bulk", "rest")


@OVER_BULK
def test_what_is_too_long_fails_its_row_and_truncate_cuts_and_counts(bench, org, api):
    rich = "<b>" + "x" * 300 + "</b>"
    bench.write(
        "a.csv", f"ERP_Id__c,Name,Description\nA1,{'n' * 256},{rich}\nA2,short,{'d' * 140_000}\n"
    )
    bench.write(
        "b.csv",
        f"ERP_Id__c,Name,Phone\nB1,{'n' * 256},1\nB2,{'m' * 300},{'2' * 41}\n{'3' * 21},c,4\n",
    )
    job = bench.job(f"""
- {{name: load, upsert: Account, key: ERP_Id__c, from: a.csv, api: {api}}}
- {{name: cut, upsert: Account, key: ERP_Id__c, from: b.csv, truncate: true, api: {api}}}
""")
    ended = bench.run("run", job, "-o", "json")
    assert ended.code == 1, ended.err
    assert {row["sf__Code"] for row in ended.rows("failed")} == {"STRING_TOO_LONG"}
    assert ended.counts("failed", "truncated") == (2, 0)
    ended = bench.run("run", job, "-o", "json", "--task", "cut")
    assert ended.code == 3, ended.err
    assert ended.counts("created", "failed", "truncated", task="cut") == (1, 2, 1)
    assert org.rows("SELECT Name FROM Account") == [{"Name": "n" * 255}]
    failed = ended.rows("failed", task="cut")
    assert [row["sf__Fields"] for row in failed] == ["Phone", "ERP_Id__c"]
    shown = bench.run("show", ended.document["run_id"])
    assert "values cut 1" in shown.out
