"""Merges the records of a REST query into PostgreSQL as a pipeline of dlt does it.

python with_dlt.py PORT SOQL DATABASE_URL STRATEGY PIPELINES_FOLDER

Reads them as dlt's own Salesforce source does: `query_all_iter` of simple-salesforce.
"""

from __future__ import annotations

import os
import sys

import dlt
import requests
from simple_salesforce import Salesforce


class PlainHttp(requests.Session):
    """Speaks http to loopback: simple-salesforce builds https addresses whatever it is given."""

    def request(self, method, url, *args, **kwargs):
        url = url.replace("https://127.0.0.1:", "http://127.0.0.1:", 1)
        return super().request(method, url, *args, **kwargs)


def main() -> None:
    """Run the pipeline once."""
    port, soql, url, strategy, folder = sys.argv[1:]
    org = Salesforce(
        instance_url=f"https://127.0.0.1:{port}",
        session_id=os.environ["BENCH_TOKEN"],
        version="60.0",
        session=PlainHttp(),
    )

    @dlt.resource(
        name="account",
        primary_key="Id",
        write_disposition={"disposition": "merge", "strategy": strategy},
    )
    def records():
        for record in org.query_all_iter(soql):
            record.pop("attributes")
            yield record

    pipeline = dlt.pipeline(
        "merge",
        destination=dlt.destinations.postgres(url),
        dataset_name="public",
        pipelines_dir=folder,
    )
    pipeline.run(records())


if __name__ == "__main__":
    main()
