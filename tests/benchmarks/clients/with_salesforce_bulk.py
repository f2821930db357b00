"""The works as a script with salesforce-bulk does them: Bulk API 1.0, in batches.

python with_salesforce_bulk.py WORK PORT SOQL INPUT OUTPUT_FOLDER
"""

from __future__ import annotations

import csv
import io
import shutil
import sys
from itertools import islice
from pathlib import Path

from salesforce_bulk import SalesforceBulk

_BATCH_ROWS = 10_000
"""The most that a batch may have."""


def bulk_query(bulk, soql, _source, folder):
    job = bulk.create_query_job("Account", contentType="CSV")
    batch = bulk.query(job, soql)
    bulk.close_job(job)
    bulk.wait_for_batch(job, batch, sleep_interval=0)
    for number, result in enumerate(bulk.get_query_batch_result_ids(batch, job)):
        with (folder / f"rows-{number}.csv").open("wb") as out:
            shutil.copyfileobj(bulk.get_query_batch_results(batch, result, job, raw=True), out)


def bulk_upsert(bulk, _soql, source, folder):
    job = bulk.create_upsert_job("Account", "ERP_Id__c", contentType="CSV")
    batches = []
    with source.open(encoding="utf-8", newline="") as file:
        records = csv.reader(file)
        header = next(records)
        while rows := list(islice(records, _BATCH_ROWS)):
            text = io.StringIO(newline="")
            csv.writer(text, lineterminator="\n").writerows([header, *rows])
            batches.append(bulk.post_batch(job, text.getvalue().encode()))
    bulk.close_job(job)
    for number, batch in enumerate(batches):
        bulk.wait_for_batch(job, batch, sleep_interval=0)
        with (folder / f"succeeded-{number}.csv").open("w", encoding="utf-8", newline="") as out:
            said = csv.writer(out, lineterminator="\n")
            said.writerow(["id", "success", "created", "error"])
            said.writerows(bulk.get_batch_results(batch, job))


if __name__ == "__main__":
    work, port, soql, source, folder = sys.argv[1:]
    client = SalesforceBulk(sessionId="00D!bench", host=f"http://127.0.0.1:{port}")
    globals()[work](client, soql, Path(source), Path(folder))
