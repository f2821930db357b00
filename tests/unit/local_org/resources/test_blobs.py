"""Files: base64 and multipart in, bytes out; documents, their versions and links."""

import base64
import hashlib
import json

import pytest

from runner.local_org.api_errors import ApiRefusal
from runner.local_org.http.messages import Request
from runner.local_org.resources.request_parsing import json_object

V = "/services/data/v60.0"


def blob(rest, path):
    return rest.client.get(path)


def send(rest, sobject, fields, content, *, field="VersionData", method="POST", record_id=""):
    """A multipart request as the REST guide shows it."""
    mark = "boundary_string"
    body = (
        f'--{mark}\nContent-Disposition: form-data; name="entity_content";\n'
        f"Content-Type: application/json\n\n{json.dumps(fields)}\n--{mark}\n"
        "Content-Type: application/octet-stream\n"
        f'Content-Disposition: form-data; name="{field}"; filename="a.pdf"\n\n'
    ).encode()
    return rest.client.request(
        method,
        f"{V}/sobjects/{sobject}/{record_id}".rstrip("/"),
        content=body + content + f"\n--{mark}--".encode(),
        headers={"Content-Type": f'multipart/form-data; boundary="{mark}"'},
    )


def rows(rest, soql):
    return rest.get(f"/query?q={soql}").json()["records"]


def test_a_file_in_base64_is_read_back_as_bytes(rest):
    content = bytes(range(256))
    account = rest.create("Account", Name="A")
    made = rest.create(
        "Attachment", ParentId=account, Name="a.bin", Body=base64.b64encode(content).decode()
    )
    record = rest.read("Attachment", made)
    assert record["BodyLength"] == 256
    assert record["Body"] == f"{V}/sobjects/Attachment/{made}/Body"
    found = rows(rest, f"SELECT Body FROM Attachment WHERE Id = '{made}'")
    assert found[0]["Body"] == record["Body"]
    assert blob(rest, record["Body"]).content == content


@pytest.mark.parametrize("size", [10, 5_000_000])  # in memory, in a temporary file
def test_a_multipart_file_is_stored_byte_for_byte(rest, size):
    content = (b"\r\n--boundary\x00\n" * size)[:size]
    answer = send(rest, "ContentVersion", {"PathOnClient": "C:\\x\\Big one.PDF"}, content)
    assert answer.status_code == 201, answer.text
    record = rest.read("ContentVersion", answer.json()["id"])
    assert blob(rest, record["VersionData"]).content == content
    said = {name: record[name] for name in ("Title", "FileExtension", "FileType", "ContentSize")}
    assert said == {
        "Title": "Big one",
        "FileExtension": "PDF",
        "FileType": "PDF",
        "ContentSize": size,
    }
    assert record["Checksum"] == hashlib.md5(content, usedforsecurity=False).hexdigest()


def test_the_body_of_an_attachment_can_be_replaced(rest):
    account = rest.create("Account", Name="A")
    made = rest.create("Attachment", ParentId=account, Name="a", Body="YQ==")
    answer = send(
        rest, "Attachment", {"Name": "b"}, b"new", field="Body", method="PATCH", record_id=made
    )
    assert answer.status_code == 204, answer.text
    record = rest.read("Attachment", made)
    assert (record["Name"], record["BodyLength"]) == ("b", 3)
    assert blob(rest, record["Body"]).content == b"new"


def test_versions_share_a_document_that_shows_the_latest(rest):
    account = rest.create("Account", Name="A")
    first = rest.create(
        "ContentVersion", PathOnClient="a.txt", VersionData="YQ==", FirstPublishLocationId=account
    )
    document = rest.read("ContentVersion", first)["ContentDocumentId"]
    second = rest.create(
        "ContentVersion", PathOnClient="b.txt", VersionData="YWI=", ContentDocumentId=document
    )
    soql = "SELECT VersionNumber,IsLatest FROM ContentVersion ORDER BY VersionNumber"
    found = [(each["VersionNumber"], each["IsLatest"]) for each in rows(rest, soql)]
    assert found == [("1", False), ("2", True)]
    shown = rest.read("ContentDocument", document)
    assert (shown["LatestPublishedVersionId"], shown["Title"], shown["ContentSize"]) == (
        second, "b", 2,
    )  # fmt: skip
    links = rows(
        rest,
        "SELECT LinkedEntityId,ShareType,Visibility FROM ContentDocumentLink"
        f" WHERE ContentDocumentId = '{document}'",
    )
    assert {each["LinkedEntityId"][:3]: each["ShareType"] for each in links} == {
        "005": "I",
        "001": "V",
    }
    assert rest.delete(f"/sobjects/ContentDocument/{document}").status_code == 204
    assert rows(rest, "SELECT Id FROM ContentVersion") == []
    assert (
        rows(rest, f"SELECT Id FROM ContentDocumentLink WHERE LinkedEntityId = '{account}'") == []
    )


def test_the_content_of_a_version_cannot_be_changed_and_no_version_deleted(rest):
    made = rest.create("ContentVersion", PathOnClient="a.txt", VersionData="YQ==")
    refused = rest.patch(f"/sobjects/ContentVersion/{made}", {"VersionData": "Yg=="})
    assert refused.json()[0]["errorCode"] == "INVALID_FIELD_FOR_INSERT_UPDATE"
    assert rest.patch(f"/sobjects/ContentVersion/{made}", {"Title": "B"}).status_code == 204
    assert rest.delete(f"/sobjects/ContentVersion/{made}").status_code == 400


def test_a_version_needs_a_name_and_a_content(rest):
    answer = rest.post("/sobjects/ContentVersion", {"Title": "A"})
    assert answer.json()[0]["message"] == (
        "Required fields are missing: [PathOnClient, VersionData]"
    )


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("ContentVersion/{id}/VersionData", 200),
        ("ContentVersion/068LO0000000ZZZYAA/VersionData", 404),
        ("ContentVersion/nonsense/VersionData", 404),
        ("ContentVersion/{id}/Title", 404),
    ],
)
def test_only_a_content_that_is_there_is_read(rest, path, status):
    made = rest.create("ContentVersion", PathOnClient="a.txt", VersionData="YQ==")
    assert blob(rest, f"{V}/sobjects/{path.format(id=made)}").status_code == status


def test_what_is_no_base64_is_refused(rest):
    answer = rest.post("/sobjects/ContentVersion", {"PathOnClient": "a", "VersionData": "%"})
    assert answer.json()[0]["errorCode"] == "JSON_PARSER_ERROR"


def test_a_part_for_a_field_that_holds_no_file_is_refused(rest):
    answer = send(rest, "ContentVersion", {"PathOnClient": "a"}, b"x", field="Title")
    assert (answer.status_code, answer.json()[0]["errorCode"]) == (400, "INVALID_MULTIPART_REQUEST")


def test_bulk_takes_no_files(rest):
    job = {"object": "ContentVersion", "operation": "insert", "contentType": "CSV"}
    made = rest.post("/jobs/ingest", job).json()["id"]
    rest.client.put(
        f"{V}/jobs/ingest/{made}/batches",
        content="PathOnClient,VersionData\na.txt,YQ==\n",
        headers={"Content-Type": "text/csv"},
    )
    rest.patch(f"/jobs/ingest/{made}", {"state": "UploadComplete"})
    while (state := rest.get(f"/jobs/ingest/{made}").json())["state"] not in {
        "Failed",
        "JobComplete",
    }:
        pass
    assert state["errorMessage"] == "FeatureNotEnabled : Binary field not supported"


def test_json_beyond_50_mb_is_refused():
    request = Request("POST", "/", {}, {}, b" " * 52_428_801)
    with pytest.raises(ApiRefusal) as refused:
        json_object(request)
    assert refused.value.errors[0].message == (
        "Maximum size of request reached. Maximum size of request is 52428800 bytes."
    )


@pytest.mark.parametrize(
    ("where", "status"),
    [
        ("", 400),
        ("WHERE ShareType = 'V'", 400),
        ("WHERE ContentDocumentId != '069000000000001'", 400),
        ("WHERE ContentDocumentId = '069000000000001' OR ShareType = 'V'", 400),
        ("WHERE ContentDocumentId = '069000000000001' AND ShareType = 'V'", 200),
        ("WHERE LinkedEntityId IN ('001000000000001', '001000000000002')", 200),
        ("WHERE LinkedEntityId IN (SELECT Id FROM Account)", 200),
    ],
)
def test_links_are_found_by_their_file_or_their_record(rest, where, status):
    answer = rest.get(f"/query?q=SELECT Id FROM ContentDocumentLink {where}")
    assert answer.status_code == status, answer.text
    if status == 400:
        assert answer.json()[0]["message"].startswith("Implementation restriction: ")
