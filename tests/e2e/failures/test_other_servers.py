"""Servers that are not Salesforce, such as emulators, lack parts of its API."""

import re

import pytest

from tests.e2e.proxy import Proxy

NOT_FOUND = b'[{"errorCode":"NOT_FOUND","message":"The requested resource does not exist"}]'
JOB = """
- {name: read, query: SELECT Name FROM Account, to: out.csv}
- {name: load, upsert: Account, key: ERP_Id__c, from: a.csv, api: rest}
"""


@pytest.fixture
def lacking(org, bench):
    """A function that runs the job on a server without one path; returns how it ended."""
    proxy = Proxy(org)
    bench.env["T"] = org.token
    bench.write("a.csv", "ERP_Id__c,Name\nE1,a\n")
    job = bench.job(JOB, connection=proxy.connection)

    def run(missing):
        def change(passing):
            if re.search(missing, passing.path):
                passing.status, passing.body = 404, NOT_FOUND

        proxy.change = change
        ended = bench.run("run", job)
        proxy.change = lambda _: None
        bench.run("resume", "--abandon")
        return ended

    yield run
    proxy.close()


def test_a_refusal_names_its_request_and_what_was_expected(lacking):
    for missing, expected in (
        (r"/data$", "(GET /services/data, which lists the API versions)"),
        (r"/query", "/query, which runs a query)"),
        (r"/composite/sobjects", "/composite/sobjects/Account/ERP_Id__c, which upserts records)"),
    ):
        ended = lacking(missing)
        assert ended.code == 1
        assert expected in ended.out + ended.err, missing
        assert "If this server is not Salesforce" in ended.out + ended.err
