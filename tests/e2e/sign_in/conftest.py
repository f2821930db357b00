"""A job of one query, and its token file."""

import json

ONE = """
- name: list
  query: SELECT Id FROM Account
  to: out/list.csv
"""


def job(bench, org, more):
    connection = f"{{environment: local, url: '{org.url}', {more}}}"
    return bench.job(ONE, connection=connection)


def kept(bench):
    return json.loads((bench.folder / "tokens/org.json").read_text())
