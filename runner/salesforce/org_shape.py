"""What an org has besides the describe of each object: the list of objects, types of people.

Source: REST API guide, Describe Global; Object Reference, RecordType. Knows nothing of files.
"""

from __future__ import annotations

import msgspec

from runner.salesforce.http.json_answers import read_json
from runner.salesforce.http.messages import OrgResponse
from runner.salesforce.session import Session

_PERSON_TYPES = (
    "SELECT DeveloperName FROM RecordType WHERE SobjectType = 'Account' AND IsPersonType = true"
)


class _RecordType(msgspec.Struct, rename="pascal"):
    developer_name: str


class _RecordTypes(msgspec.Struct):
    records: list[_RecordType] = []


def objects_answer(session: Session) -> OrgResponse:
    """Request the list of all objects."""
    return session.request("GET", "/sobjects")


def person_record_types(session: Session) -> list[str]:
    """Developer names of the record types of person accounts, of an org that has these."""
    answer = session.request("GET", "/query", params={"q": _PERSON_TYPES})
    return [each.developer_name for each in read_json(answer, _RecordTypes).records]
