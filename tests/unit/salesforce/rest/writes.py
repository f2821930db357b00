"""Requests, records and answers that tests of writing share."""

from runner.job.model import Verb
from runner.salesforce.rest.write import WriteRequest

CREATE = WriteRequest(Verb.CREATE, "Account")
UPDATE = WriteRequest(Verb.UPDATE, "Account")
UPSERT = WriteRequest(Verb.UPSERT, "Account", key="ERP_Id__c")
DELETE = WriteRequest(Verb.DELETE, "Account")
LOCKED = "unable to obtain exclusive access to this record or 1 records: 001"


def account(number):
    return f"001{number:012d}AAA"


def done(record_id=None, **more):
    return {"id": record_id or account(1), "success": True, "errors": [], **more}


def failed(code, message="m", fields=()):
    return {
        "success": False,
        "errors": [{"statusCode": code, "message": message, "fields": [*fields]}],
    }


def sizes(world):
    return [len(asked.json["records"]) for asked in world.org.asked if asked.body]
