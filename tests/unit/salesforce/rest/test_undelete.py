"""The SOAP call `undelete`: what is sent, and how each answer is read."""

import pytest

from runner.errors import DamagedAnswerError, OrgError, TransientError, UnexpectedAnswerError
from runner.salesforce.rest.soap import envelope, results_in
from runner.salesforce.rest.undelete import undelete

A, B = "001000000000001AAA", "001000000000002AAA"
BACK = f"<result><id>{A}</id><success>true</success></result>"
STAYS = (
    f"<result><errors><fields>Name</fields><message>no &amp; no</message>"
    f"<statusCode>UNDELETE_FAILED</statusCode></errors><id>{B}</id>"
    "<success>false</success></result>"
)


def answered(*results):
    return (
        '<?xml version="1.0" encoding="UTF-8"?><soapenv:Envelope '
        'xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" '
        'xmlns="urn:partner.soap.sforce.com"><soapenv:Body><undeleteResponse>'
        f"{''.join(results)}</undeleteResponse></soapenv:Body></soapenv:Envelope>"
    ).encode()


def faulted(code):
    return (
        "<e:Envelope><e:Body><e:Fault><detail><sf:UnexpectedErrorFault>"
        f"<sf:exceptionCode>{code}</sf:exceptionCode><sf:exceptionMessage>no</sf:exceptionMessage>"
        "</sf:UnexpectedErrorFault></detail></e:Fault></e:Body></e:Envelope>"
    ).encode()


def test_the_call_carries_the_token_and_the_ids(world):
    world.org.say(200, answered(BACK))
    found = undelete(world.session, [A])
    assert [(each.id, each.success) for each in found] == [(A, True)]
    asked = world.org.asked[0]
    assert (asked.method, asked.path) == ("POST", "/services/Soap/u/66.0")
    assert asked.headers["soapaction"] == '""'
    assert asked.headers["content-type"] == "text/xml; charset=UTF-8"
    assert b"<urn:sessionId>00Dxx0000001gER!old</urn:sessionId>" in asked.body
    assert f"<urn:ids>{A}</urn:ids>".encode() in asked.body


def test_each_record_has_its_own_result(world):
    world.org.say(200, answered(BACK, STAYS))
    found = undelete(world.session, [A, B])
    assert [each.success for each in found] == [True, False]
    assert (found[1].code, found[1].message, found[1].fields) == (
        "UNDELETE_FAILED",
        "no & no",
        ("Name",),
    )


def test_a_record_that_a_repeated_call_finds_back_may_be_its_own_success(world):
    world.org.lose()
    world.org.say(200, answered(BACK, STAYS))
    found = undelete(world.session, [A, B])
    assert [each.success for each in found] == [True, False]
    assert [each.may_be_own for each in found] == [False, True]


def test_a_stale_session_is_renewed_by_a_request_that_can_say_so(world):
    world.org.say(500, faulted("INVALID_SESSION_ID"))
    world.org.refuse(401, "INVALID_SESSION_ID")
    world.org.say(200, {"access_token": "00Dxx0000001gER!new", "instance_url": world.org.url})
    world.org.say(200, {})
    world.org.say(200, answered(BACK))
    assert undelete(world.session, [A])[0].success
    assert b"00Dxx0000001gER!new" in world.org.asked[-1].body


def test_other_faults_are_errors_and_outages_may_pass(world):
    world.org.say(500, faulted("EXCEEDED_ID_LIMIT"))
    with pytest.raises(OrgError) as caught:
        undelete(world.session, [A])
    assert caught.value.code == "EXCEEDED_ID_LIMIT"
    world.org.respond = lambda _asked: (503, b"<html><title>Maintenance</title></html>")
    with pytest.raises(TransientError):
        undelete(world.session, [A])


def test_an_answer_for_other_records_is_not_believed(world):
    world.org.say(200, answered(BACK))
    with pytest.raises(UnexpectedAnswerError):
        undelete(world.session, [A, B])


def test_texts_are_escaped(world):
    assert b"a&lt;b&amp;c" in envelope("a<b&c", "undelete", "")
    world.org.say(200, answered(BACK))
    undelete(world.session, ["<x/>"])
    assert b"<urn:ids>&lt;x/&gt;</urn:ids>" in world.org.asked[0].body


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"", DamagedAnswerError),
        (b"no xml", DamagedAnswerError),
        (b"<a><b></a>", DamagedAnswerError),
        (b"<!DOCTYPE a [<!ENTITY x 'y'>]><a>&x;</a>", UnexpectedAnswerError),
        (b"<a>" * 200 + b"</a>" * 200, UnexpectedAnswerError),
    ],
)
def test_what_no_org_answers_is_refused(body, kind):
    with pytest.raises(kind):
        results_in(body, "undelete")
