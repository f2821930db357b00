"""The REST query as a script with aiosalesforce does it.

python with_aiosalesforce.py WORK PORT SOQL INPUT OUTPUT_FOLDER
"""

from __future__ import annotations

import asyncio
import csv
import sys
from pathlib import Path

import httpx
from aiosalesforce import Salesforce
from aiosalesforce.auth.base import Auth

_HOST = "https://bench.my.salesforce.com"


class GivenToken(Auth):
    """A token that never expires."""

    async def _acquire_new_access_token(self, client):  # noqa: ARG002 - the client says how
        return "00D!bench"


async def rest_query(sf, soql, folder):
    with (folder / "rows.csv").open("w", encoding="utf-8", newline="") as file:
        writer = None
        async for record in sf.query(soql):
            del record["attributes"]
            if writer is None:
                writer = csv.DictWriter(file, list(record), lineterminator="\n")
                writer.writeheader()
            writer.writerow(record)


async def main(port, soql, folder):
    async def to_loopback(request):
        request.url = request.url.copy_with(scheme="http", host="127.0.0.1", port=int(port))

    async with httpx.AsyncClient(event_hooks={"request": [to_loopback]}) as client:
        await rest_query(Salesforce(client, _HOST, GivenToken()), soql, folder)


if __name__ == "__main__":
    _, port, soql, _, folder = sys.argv[1:]
    asyncio.run(main(port, soql, Path(folder)))
