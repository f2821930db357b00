"""The SOAP call `merge`: which rows make one merge, what is sent, and how answers are read."""

from xml.etree import ElementTree as ET

from runner.job.model import Verb
from runner.salesforce.rest.merge import in_turns, merges_of
from runner.salesforce.rest.values import WriteRequest
from runner.salesforce.rest.write import write_batch

A, B, C, D, E, F = (f"00300000000000{n}AAA" for n in range(1, 7))
MERGE = WriteRequest(Verb.MERGE, "Contact")


def row(master, *losers, **fields):
    named = dict(zip(("loser", "second loser"), losers, strict=False))
    return {"master": master, **named, **fields}


def done(record_id, *losers):
    merged = "".join(f"<mergedRecordIds>{each}</mergedRecordIds>" for each in losers)
    return f"<result><id>{record_id}</id>{merged}<success>true</success></result>"


def failed(code):
    error = f"<errors><message>no</message><statusCode>{code}</statusCode></errors>"
    return f'<result>{error}<id xsi:nil="true"/><success>false</success></result>'


def answered(*results):
    return (
        '<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"'
        ' xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
        ' xmlns="urn:partner.soap.sforce.com"><e:Body><mergeResponse>'
        f"{''.join(results)}</mergeResponse></e:Body></e:Envelope>"
    ).encode()


def sent(asked):
    """Of each merge of a call: the master's members, and the losers."""
    found = []
    for request in ET.fromstring(asked.body).iter("{urn:partner.soap.sforce.com}request"):  # noqa: S314 - our own
        master, *losers = request
        members = [(each.tag.rpartition("}")[2], each.text) for each in master]
        found.append((members, [each.text for each in losers]))
    return found


def test_rows_of_a_master_are_merged_two_at_a_time_in_their_order():
    rows = [row(A, B), row(D, E), row(A[:15], C), row(A, F), row(D, B, C)]
    made = merges_of(rows, range(len(rows)))
    assert [(each.rows, each.losers) for each in made] == [
        ((0, 2), (B, C)),
        ((1,), (E,)),
        ((3,), (F,)),
        ((4,), (B, C)),
    ]
    assert [[each.rows for each in turn] for turn in in_turns(made)] == [
        [(0, 2), (1,)],
        [(3,), (4,)],
    ]


def test_of_values_of_one_merge_the_last_counts():
    rows = [row(A, B, Name="x", City="y"), row(A, C, Name=None)]
    (made,) = merges_of(rows, range(2))
    assert made.values == {"Name": None, "City": "y"}


def test_the_call_names_the_object_the_values_and_the_nulls(world):
    world.org.say(200, answered(done(A, B, C)))
    record = row(A, B, C, Description="a & <b>\r\nc", Phone=None, Age__c=1.5, Active__c=True)
    (found,) = write_batch(world.session, MERGE, [record])
    assert (found.id, found.success, found.created) == (A, True, False)
    ((master, losers),) = sent(world.org.asked[0])
    assert losers == [B, C]
    assert master == [
        ("type", "Contact"),
        ("fieldsToNull", "Phone"),
        ("Id", A),
        ("Description", "a & <b>\r\nc"),
        ("Age__c", "1.5"),
        ("Active__c", "true"),
    ]


def test_rows_that_fail_together_are_sent_alone(world):
    world.org.say(200, answered(failed("ENTITY_IS_DELETED"), done(D, E)))
    world.org.say(200, answered(done(A, B), failed("ENTITY_IS_DELETED")))
    found = write_batch(world.session, MERGE, [row(A, B), row(D, E), row(A, C)])
    assert [each.success for each in found] == [True, True, False]
    assert [losers for _, losers in sent(world.org.asked[1])] == [[B], [C]]


def test_a_locked_master_is_tried_again(world):
    world.org.say(200, answered(failed("UNABLE_TO_LOCK_ROW")))
    world.org.say(200, answered(done(A, B)))
    (found,) = write_batch(world.session, MERGE, [row(A, B)])
    assert found.success


def test_a_master_takes_what_it_lacks_from_the_first_loser_that_has_it(world):
    stamp = "2026-01-02T03:04:05.000+0000"
    names = ("Id", "Email", "Phone", "Seen__c")
    held = [(A, None, "1", None), (B, None, "2", stamp), (C, "c@x.de", None, None)]
    records = [dict(zip(names, each, strict=True)) for each in held]
    world.org.say(200, {"totalSize": 3, "done": True, "records": records})
    world.org.say(200, answered(done(A, B, C)))
    write_batch(
        world.session,
        WriteRequest(Verb.MERGE, "Contact", fill=("Email", "Phone", "Seen__c")),
        [row(A, B), row(A, C)],
    )
    ((master, _),) = sent(world.org.asked[1])
    assert dict(master[2:]) == {"Email": "c@x.de", "Seen__c": "2026-01-02T03:04:05.000Z"}


def test_a_value_that_xml_cannot_carry_fails_its_row_only(world):
    world.org.say(200, answered(done(D, E)))
    found = write_batch(world.session, MERGE, [row(A, B, Name="a\x01"), row(D, E)])
    assert [(each.success, each.code) for each in found] == [
        (False, "VALUE_DOES_NOT_FIT"),
        (True, None),
    ]
    assert len(sent(world.org.asked[0])) == 1
