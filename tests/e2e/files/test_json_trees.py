"""Files that `sf data export tree --plan` writes, loaded file by file."""

import json

from tests.e2e.apis import OVER_BULK, OVER_REST


def records(sobject, *rows):
    return json.dumps(
        {
            "records": [
                {"attributes": {"type": sobject, "referenceId": f"{sobject}Ref{at}"}, **row}
                for at, row in enumerate(rows, start=1)
            ]
        },
        indent=2,
    )


@OVER_BULK
def test_references_across_files_become_the_ids_of_created_records(bench, org, api):
    bench.write("Accounts.json", records("Account", {"Name": "A"}, {"Name": "B"}))
    bench.write(
        "Contacts.json",
        records(
            "Contact",
            {"LastName": "Of B", "AccountId": "@AccountRef2"},
            {"LastName": "Of nobody", "AccountId": None},
            {"LastName": "Of another", "AccountId": "@AccountRef9"},
        ),
    )
    ended = bench.run("run", bench.job(f"""
- name: accounts
  create: Account
  from: Accounts.json
  api: {api}
- name: contacts
  create: Contact
  from: Contacts.json
  api: {api}
"""), "-o", "json")  # fmt: skip
    assert ended.code == 3, ended.out + ended.err
    found = org.rows("SELECT LastName, Account.Name FROM Contact ORDER BY LastName")
    assert [(row["LastName"], (row["Account"] or {}).get("Name")) for row in found] == [
        ("Of B", "B"),
        ("Of nobody", None),
    ]
    ((code, message, *_),) = [
        (each["code"], each["message"]) for each in ended.task("contacts")["top_errors"]
    ]
    assert (code, "'@AccountRef9' is not" in message) == ("VALUE_DOES_NOT_FIT", True)


def test_records_of_a_query_are_loaded_with_their_parents_by_external_id(bench, org):
    org.create("Account", Name="A", ERP_Id__c="E1")
    parent = {"attributes": {"type": "Account", "url": "/x"}, "ERP_Id__c": "E1"}
    rows = [
        {"attributes": {"type": "Contact", "url": "/y"}, "LastName": "Of A", "Account": parent},
        {"attributes": {"type": "Contact", "url": "/z"}, "LastName": "Alone", "Account": None},
    ]
    bench.write("q.json", json.dumps({"totalSize": 2, "done": True, "records": rows}))
    task = "- {name: load, create: Contact, from: q.json}"
    for verb in ("validate", "run"):
        ended = bench.run(verb, bench.job(task))
        assert ended.code == 0, ended.out + ended.err
    found = org.rows("SELECT LastName, Account.Name FROM Contact ORDER BY LastName")
    assert [row["Account"] for row in found] == [None, {"Name": "A"}]


@OVER_REST
def test_half_a_character_fails_its_row_also_in_a_column_that_is_not_mapped(bench, org, api):
    lines = ['{"Name": "A", "x": "\\ud800"}', '{"Name": "B", "x": 1}', '{"Name": "C", "x": NaN}']
    bench.write("a.jsonl", "\n".join(lines))
    task = f"- {{name: load, create: Account, from: a.jsonl, fields: {{Name: Name}}, api: {api}}}"
    ended = bench.run("run", bench.job(task))
    assert ended.code == 3, ended.out + ended.err
    assert r"UNREADABLE_ROW: line 1: \ud800 is half a character" in ended.out
    assert [row["Name"] for row in org.rows("SELECT Name FROM Account")] == ["B"]
    again = bench.run("retry")
    assert again.code == 1, again.out + again.err
    assert r"line 3: NaN is not JSON" in again.out
