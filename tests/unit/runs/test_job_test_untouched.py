"""What became of records that should have been left alone, a line for each."""

from runner.runs.job_test_untouched import changed_records


def test_created_changed_and_deleted_records_are_told_apart():
    def record(name, **more):
        return {"Id": "x", "Name": name, "IsDeleted": False, "SystemModstamp": "1", **more}

    before = {"1": record("a"), "2": record("b"), "3": record("c"), "4": record("d")}
    after = {
        "1": record("a", SystemModstamp="2"),
        "2": record("new", Phone=None),
        "3": record("c", IsDeleted=True),
        "5": record("e", Phone="", Vip__c=True, **{f"F{at}__c": at for at in range(1, 9)}),
    }
    assert list(changed_records(before, after)) == [
        "    1: saved again with the same values",
        "    2: Name 'b' -> 'new'",
        "  - 3",
        (
            "  + 5: Name 'e', Vip__c true, F1__c '1', F2__c '2', F3__c '3', F4__c '4', F5__c '5',"
            " F6__c '6' and 2 more fields"
        ),
        "  - 4",
    ]
