"""Records with files: their bodies, and how a file that changed is not sent."""

import hashlib
from email import message_from_bytes

import pytest

from runner.errors import FileChangedError
from runner.job.model import Verb
from runner.salesforce.http.upload import FileUpload
from runner.salesforce.rest.multipart import LocalFile, most_bytes
from runner.salesforce.rest.single import single_request
from runner.salesforce.rest.values import WriteRequest

CONTENT = b"first\r\n--line\n\x00" * 50_000


@pytest.fixture
def file(tmp_path):
    path = tmp_path / 'a "b"\n.pdf'
    path.write_bytes(CONTENT)
    return LocalFile(path, len(CONTENT), hashlib.md5(CONTENT, usedforsecurity=False).hexdigest())


def request(verb, record, key=None):
    return single_request(WriteRequest(verb, "ContentVersion", key, has_files=True), record, {})


def test_the_body_has_the_fields_and_the_file(file):
    sent = request(Verb.CREATE, {"Title": "Ü", "VersionData": file, "A__r.K__c": "1"})
    assert (sent.method, sent.url, sent.repeatable) == ("POST", "/sobjects/ContentVersion", False)
    upload = FileUpload(sent.body)
    body = b"".join(upload.pieces())
    assert (upload.is_complete, len(body)) == (True, sent.body.length)
    head = f"Content-Type: {sent.headers['Content-Type']}\r\n\r\n".encode()
    fields, content = message_from_bytes(head + body).get_payload()
    assert fields.get_content_type() == "application/json"
    assert fields.get_payload() == '{"Title":"\\u00dc","A__r":{"K__c":"1"}}'
    assert content["Content-Disposition"] == (
        'form-data; name="VersionData"; filename="a %22b%22%0A.pdf"'
    )
    assert CONTENT + b"\r\n--sfrunner-" in body


@pytest.mark.parametrize(
    ("verb", "record", "key", "way"),
    [
        (Verb.UPDATE, {"Id": "00P1"}, None, ("PATCH", "/sobjects/ContentVersion/00P1")),
        (Verb.UPSERT, {"Id": "00P1"}, "Id", ("PATCH", "/sobjects/ContentVersion/00P1")),
        (Verb.UPSERT, {}, "Id", ("POST", "/sobjects/ContentVersion")),
        (Verb.UPSERT, {"Ext__c": "1"}, "Ext__c", ("POST", "/sobjects/ContentVersion")),
    ],
)
def test_a_file_goes_where_its_record_is_or_will_be(file, verb, record, key, way):
    sent = request(verb, {**record, "VersionData": file}, key)
    assert (sent.method, sent.url) == way
    assert (b'"Ext__c"' in sent.body.before) is (key == "Ext__c")


def test_an_upsert_without_a_file_changes_a_record(file):
    sent = request(Verb.UPSERT, {"Ext__c": "1", "Title": "A"}, "Ext__c")
    assert (sent.method, sent.url) == ("PATCH", "/sobjects/ContentVersion/Ext__c/1")
    assert sent.body == b'{"Title":"A"}'


@pytest.mark.parametrize(
    "change",
    [
        lambda file: file.write_bytes(CONTENT[:-1]),
        lambda file: file.write_bytes(CONTENT + b"x"),
        lambda file: file.write_bytes(CONTENT[:-1] + b"?"),
        lambda file: file.unlink(),
    ],
)
def test_the_end_of_the_body_is_not_sent_if_the_file_has_changed(file, change):
    sent = request(Verb.CREATE, {"VersionData": file})
    change(file.path)
    upload, pieces = FileUpload(sent.body), []
    with pytest.raises(FileChangedError):
        pieces.extend(upload.pieces())
    assert not upload.is_complete
    assert sent.body.after not in pieces


def test_the_limits_are_those_of_the_api():
    assert most_bytes("contentVersion") == 2 * 1024**3
    assert most_bytes("Attachment") == 500 * 1024**2
