"""Names of record types that are constants are compared with those of the object."""

import pytest

from runner.engine.record_type_check import record_type_problems
from runner.job.endpoints import FileFormat, FileShape, FileSource
from runner.job.lookups import Lookup, Place, record_type
from runner.job.model import Connection, Environment, FieldMapping, Job, Verb, WriteTask
from runner.salesforce.describe import Describes
from runner.salesforce.described import ObjectDescribe


@pytest.fixture
def problems(tmp_path):
    file = tmp_path / "a.csv"
    file.write_text("Kind,name\nRetail,x\n")

    def found(lookup, known=("Retail", "Whole_Sale"), written=()):
        task = WriteTask(
            name="t",
            verb=Verb.CREATE,
            sobject="Account",
            index=0,
            source=FileSource(file, FileShape(FileFormat.CSV)),
            fields=(FieldMapping("RecordTypeId", lookup.values[0], lookup=lookup),),
        )
        job = Job("j", tmp_path / "j.yaml", Connection(Environment.LOCAL), (task,))
        account = ObjectDescribe("Account", {}, record_types=known)
        describes = Describes(lambda _: account)
        made = record_type_problems(job, task, describes, {file} if written else set())
        return [(each.message, each.help) for each in made]

    return found


def of_account(name):
    return record_type("Account", name)


@pytest.mark.parametrize("name", ["Retail", "retail", "'Whole_Sale'", "kind", "upper(kind)", "''"])
def test_a_name_that_is_there_or_comes_from_a_row(problems, name):
    assert problems(of_account(name)) == []


@pytest.mark.parametrize("name", ["Retial", "'Retial'"])
def test_a_name_that_the_object_lacks(problems, name):
    ((message, hint),) = problems(of_account(name))
    assert message == "Account has no active record type Retial"
    assert hint == "did you mean `Retail`?"


def test_an_object_without_record_types(problems):
    assert problems(of_account("Any"), known=())[0][1] == "It has none."
    assert problems(of_account("Any"), known=None) == [], "a lock that does not say"


def test_a_lookup_of_record_types_takes_no_bare_words(problems):
    by_name = (Place("recordtype", ("developername",), "SobjectType = 'Account'"),)
    assert problems(Lookup(by_name, ("'Retial'",)))
    assert problems(Lookup(by_name, ("Retial",))) == []
    assert problems(Lookup((Place("RecordType", ("Name",)),), ("'Retial'",))) == []


def test_a_word_may_be_a_column_of_a_file_that_is_still_to_be_written(problems):
    assert problems(of_account("Retial"), written=True) == []
    assert problems(of_account("'Retial'"), written=True)
