"""SOAP `undelete`: what comes back, and what is refused in which words."""

from xml.etree import ElementTree as ET

ENVELOPE = "{http://schemas.xmlsoap.org/soap/envelope/}"
PARTNER = "{urn:partner.soap.sforce.com}"
HEADERS = {"Content-Type": "text/xml; charset=UTF-8", "SOAPAction": '""'}


def message(token, *ids, call="undelete"):
    listed = "".join(f"<u:ids>{each}</u:ids>" for each in ids)
    return (
        '<?xml version="1.0"?><e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"'
        ' xmlns:u="urn:partner.soap.sforce.com"><e:Header><u:SessionHeader>'
        f"<u:sessionId>{token}</u:sessionId></u:SessionHeader></e:Header>"
        f"<e:Body><u:{call}>{listed}</u:{call}></e:Body></e:Envelope>"
    )


def post(rest, body, version="60.0", headers=HEADERS):
    path = f"/services/Soap/u/{version}"
    return rest.client.post(path, content=body, headers=headers)


def token_of(rest):
    return rest.client.headers["Authorization"].removeprefix("Bearer ")


def results(answer):
    assert answer.status_code == 200, answer.text
    found = ET.fromstring(answer.content).iter(f"{PARTNER}result")  # noqa: S314 - our own
    return [
        (
            each.findtext(f"{PARTNER}id"),
            each.findtext(f"{PARTNER}success"),
            each.findtext(f"{PARTNER}errors/{PARTNER}statusCode"),
        )
        for each in found
    ]


def fault(answer):
    assert answer.status_code == 500, answer.text
    return ET.fromstring(answer.content).findtext(f".//{ENVELOPE}Fault/faultcode")  # noqa: S314


def test_what_lies_in_the_recycle_bin_comes_back_with_what_went_along(rest):
    account = rest.create("Account", Name="Back")
    contact = rest.create("Contact", LastName="Along", AccountId=account)
    rest.delete(f"/sobjects/Account/{account}")
    assert rest.get(f"/sobjects/Contact/{contact}").status_code == 404
    assert results(post(rest, message(token_of(rest), account))) == [(account, "true", None)]
    assert rest.read("Contact", contact)["AccountId"] == account


def test_each_record_is_judged_on_its_own(rest):
    gone, alive = rest.create("Account", Name="Gone"), rest.create("Account", Name="Alive")
    rest.delete(f"/sobjects/Account/{gone}")
    found = results(post(rest, message(token_of(rest), alive, gone, "nonsense")))
    assert [(done, code) for _, done, code in found] == [
        ("false", "UNDELETE_FAILED"),
        ("true", None),
        ("false", "MALFORMED_ID"),
    ]


def test_a_session_that_is_none_is_a_fault(rest):
    answer = post(rest, message("00D000000000001!none", "001000000000001AAA"))
    assert fault(answer) == "sf:INVALID_SESSION_ID"
    assert "<sf:exceptionCode>INVALID_SESSION_ID</sf:exceptionCode>" in answer.text


def test_more_than_200_records_are_a_fault(rest):
    ids = ["001000000000001AAA"] * 201
    assert fault(post(rest, message(token_of(rest), *ids))) == "sf:EXCEEDED_ID_LIMIT"


def test_what_is_no_envelope_is_a_fault(rest):
    for body in ("", "{}", "<a/>", "<!DOCTYPE x [<!ENTITY y 'z'>]><x>&y;</x>", "<e:Envelope>"):
        assert fault(post(rest, body)) == "sf:CLIENT_ERROR"


def test_other_calls_other_versions_and_a_missing_header_are_faults(rest):
    token = token_of(rest)
    assert fault(post(rest, message(token, call="merge"))) == "sf:UNKNOWN_EXCEPTION"
    assert fault(post(rest, message(token), version="20.0")) == "sf:UNSUPPORTED_API_VERSION"
    bare = {"Content-Type": "text/xml"}
    assert fault(post(rest, message(token), headers=bare)) == "sf:CLIENT_ERROR"
