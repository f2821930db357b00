"""What was looked up once: which of it is kept, and until when."""

import pytest

from runner.engine.known_lookups import KnownLookups, Place
from runner.job.model import Verb
from runner.salesforce.described import FieldDescribe, ObjectDescribe

ACCOUNT = ObjectDescribe(
    "Account",
    {
        "name": FieldDescribe("Name", "string"),
        "active__c": FieldDescribe("Active__c", "boolean"),
        "region__c": FieldDescribe("Region__c", "string", calculated=True),
    },
)


@pytest.mark.parametrize(
    ("fields", "condition", "is_kept"),
    [
        (("Name",), "", True),
        (("Name",), "Active__c = true AND Name != 'Parent.Name Region__c'", True),
        (("Name", "Region__c"), "", False),
        (("Name",), "region__c = 'EMEA'", False),
        (("Name",), "Parent.Name = 'One'", False),
    ],
)
def test_answers_that_hang_on_other_objects_are_not_kept(fields, condition, is_kept):
    assert Place("Account", fields, condition).is_its_own(ACCOUNT) is is_kept


class Lookup:
    """Records that are looked up, and what is told of them."""

    def __init__(self, folder):
        self.folder = folder
        self.told = []
        self.left_out = 0

    def add_file(self, file, *, header=True):
        self.told.append((file.read_text(), header))

    def leave_out(self, files):
        self.left_out = len(files)

    def save_keys(self, file):
        file.write_text("one\n")


def ask(known, place, folder, *, is_whole=False, meanwhile=None):
    lookup = Lookup(folder)
    listener = known.listen(place, lookup)
    file = folder / "found.csv"
    file.write_text("001,One\n")
    listener.add_file(file, header=False)
    file.unlink()
    if meanwhile:
        with known.writing(*meanwhile):
            pass
    known.keep(listener, is_whole=is_whole)


def told(known, place, folder):
    lookup = Lookup(folder)
    is_whole = known.tell(place, lookup)
    return len(lookup.told), lookup.left_out, is_whole


PLACE = Place("Account", ("Name",), "")
NOTHING, ALL = (0, 0, False), (1, 1, False)


@pytest.mark.parametrize(
    ("sobject", "verb", "left"),
    [
        ("account", Verb.UPDATE, NOTHING),
        ("Contact", Verb.CREATE, ALL),
        ("Case", Verb.UPSERT, ALL),
        ("Case", Verb.DELETE, NOTHING),  # with what belongs to it
        ("Case", Verb.UNDELETE, NOTHING),
    ],
)
@pytest.mark.parametrize("is_meanwhile", [True, False])
def test_a_write_ends_what_was_known(tmp_path, sobject, verb, left, is_meanwhile):
    with KnownLookups(tmp_path / ".lookups") as known:
        ask(known, PLACE, tmp_path, meanwhile=(sobject, verb) if is_meanwhile else None)
        if not is_meanwhile:
            with known.writing(sobject, verb):
                pass
        assert told(known, PLACE, tmp_path) == left
    assert not (tmp_path / ".lookups").exists()


def test_all_records_are_asked_for_once(tmp_path):
    with KnownLookups(tmp_path / ".lookups") as known:
        ask(known, PLACE, tmp_path, is_whole=True)
        assert told(known, PLACE, tmp_path) == (1, 1, True)
        assert told(known, Place("Account", ("Name",), "Active__c = true"), tmp_path) == NOTHING
