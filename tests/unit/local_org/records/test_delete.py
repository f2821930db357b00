def _deleted(book, sobject, record_id):
    with book.org.store.reading() as conn:
        statement = f'SELECT IsDeleted FROM "{sobject}" WHERE Id = ?'
        row = conn.execute(statement, (record_id,)).fetchone()
    return None if row is None else bool(row[0])


def test_a_delete_takes_its_cascade_along_into_the_bin(book):
    account = book.insert("Account", Name="A")
    contact = book.insert("Contact", LastName="B", AccountId=account)
    invoice = book.insert("Invoice__c", Account__c=account)
    task = book.insert("Task", WhoId=contact)
    assert book.one("delete", "Account", {"Id": account}).success
    assert _deleted(book, "Account", account)
    assert _deleted(book, "Contact", contact)
    assert _deleted(book, "Invoice__c", invoice)
    assert _deleted(book, "Task", task)
    assert book.get("Account", account) is None


def test_lookups_that_do_not_cascade_are_emptied(book):
    parent = book.insert("Account", Name="A")
    child = book.insert("Account", Name="B", ParentId=parent)
    note = book.insert("Note__c", Freed__c=parent)
    book.one("delete", "Account", {"Id": parent})
    assert book.get("Account", child)["ParentId"] is None
    assert book.get("Note__c", note)["Freed__c"] is None


def test_cases_hold_their_account_back(book):
    contact = book.insert("Contact", Salutation="Mr.", FirstName="Josh", LastName="Davis")
    book.insert("Case", ContactId=contact)
    assert book.refusal("delete", "Contact", {"Id": contact}) == (
        "DELETE_FAILED",
        (
            "Your attempt to delete Mr. Josh Davis could not be completed because it is associated"
            " with the following cases.: 00001000\n"
        ),
        (),
    )
    assert _deleted(book, "Contact", contact) is False


def test_a_restriction_below_holds_back_the_whole_tree_and_only_that(book):
    held, free = book.insert("Account", Name="A"), book.insert("Account", Name="B")
    invoice = book.insert("Invoice__c", Account__c=held)
    book.insert("Note__c", Kept__c=invoice)
    outcomes = book.write("delete", "Account", [{"Id": held}, {"Id": free}])
    assert [outcome.success for outcome in outcomes] == [False, True]
    assert _deleted(book, "Invoice__c", invoice) is False


def test_what_is_in_the_bin_or_unknown_cannot_be_deleted(book):
    account = book.insert("Account", Name="A")
    book.one("delete", "Account", {"Id": account})
    rows = [{"Id": account}, {"Id": "001000000000000AAA"}, {"Id": "x"}, {}]
    codes = [outcome.errors[0].code for outcome in book.write("delete", "Account", rows)]
    assert codes == [
        "ENTITY_IS_DELETED",
        "INVALID_CROSS_REFERENCE_KEY",
        "MALFORMED_ID",
        "MISSING_ARGUMENT",
    ]


def test_undelete_brings_back_what_went_along(book):
    account = book.insert("Account", Name="A")
    contact = book.insert("Contact", LastName="B", AccountId=account)
    alone = book.insert("Contact", LastName="C", AccountId=account)
    book.one("delete", "Contact", {"Id": alone})
    book.one("delete", "Account", {"Id": account})
    assert book.one("undelete", "Account", {"Id": account}).success
    assert book.get("Contact", contact)["AccountId"] == account
    assert _deleted(book, "Contact", alone)


def test_undelete_fills_the_lookups_that_the_delete_emptied(book):
    account, other = book.insert("Account", Name="A"), book.insert("Account", Name="B")
    left = book.insert("Note__c", Freed__c=account)
    moved = book.insert("Note__c", Freed__c=account)
    book.one("delete", "Account", {"Id": account})
    book.one("update", "Note__c", {"Id": moved, "Freed__c": other})
    book.one("undelete", "Account", {"Id": account})
    assert book.get("Note__c", left)["Freed__c"] == account
    assert book.get("Note__c", moved)["Freed__c"] == other


def test_a_record_whose_unique_value_was_taken_stays_in_the_bin(book):
    account = book.insert("Account", Name="A", Ext__c="e")
    book.one("delete", "Account", {"Id": account})
    book.insert("Account", Name="B", Ext__c="e")
    assert book.refusal("undelete", "Account", {"Id": account})[0] == "DUPLICATE_VALUE"
    assert _deleted(book, "Account", account)


def test_the_bin_keeps_for_fifteen_days(book):
    old = book.insert("Account", Name="A")
    book.one("delete", "Account", {"Id": old})
    book.clock.advance(days=14)
    young = book.insert("Account", Name="B")
    book.one("delete", "Account", {"Id": young})
    assert _deleted(book, "Account", old)
    book.clock.advance(days=2)
    book.one("delete", "Account", {"Id": book.insert("Account", Name="C")})
    assert _deleted(book, "Account", old) is None
    assert _deleted(book, "Account", young)


def test_what_was_not_deleted_cannot_be_undeleted(book):
    account = book.insert("Account", Name="A")
    assert book.refusal("undelete", "Account", {"Id": account})[0] == "UNDELETE_FAILED"


def test_a_hard_delete_leaves_nothing_not_even_of_what_is_in_the_bin(book):
    account = book.insert("Account", Name="A")
    contact = book.insert("Contact", LastName="B", AccountId=account)
    binned = book.insert("Account", Name="C")
    book.one("delete", "Account", {"Id": binned})
    outcomes = book.write("hardDelete", "Account", [{"Id": account}, {"Id": binned}])
    assert all(outcome.success for outcome in outcomes)
    assert _deleted(book, "Account", account) is None
    assert _deleted(book, "Account", binned) is None
    assert _deleted(book, "Contact", contact) is None


def test_users_cannot_be_deleted(book):
    refusal = book.refusal("delete", "User", {"Id": book.org.user.id})
    assert refusal[0] == "INVALID_TYPE_FOR_OPERATION"
