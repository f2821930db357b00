"""The works as a script with simple-salesforce does them, each in its own fastest way.

python with_simple_salesforce.py WORK PORT SOQL INPUT OUTPUT_FOLDER
"""

from __future__ import annotations

import csv
import json
import sqlite3
import sys
from contextlib import closing
from itertools import islice
from pathlib import Path

import requests
from simple_salesforce import Salesforce

_BATCH_ROWS = 200
_JOB_ROWS = 500_000
"""Left to itself it makes uploads of more bytes than it then agrees to send."""


class PlainHttp(requests.Session):
    """Speaks http to loopback: simple-salesforce builds https addresses whatever it is given."""

    def request(self, method, url, *args, **kwargs):
        url = url.replace("https://127.0.0.1:", "http://127.0.0.1:", 1)
        return super().request(method, url, *args, **kwargs)


def bulk_query(sf, soql, _source, folder):
    sf.bulk2.Account.download(soql, path=str(folder), max_records=250_000, wait=0)


def _downloaded(sf, soql, folder):
    """The pages of a query's result, in the order of its records."""
    bulk_query(sf, soql, None, folder)
    return sorted(folder.glob("*.csv"), key=lambda file: file.stat().st_mtime_ns)


def _records(files):
    for file in files:
        with file.open(encoding="utf-8", newline="") as rows:
            yield from csv.DictReader(rows)


def bulk_parquet(sf, soql, _source, folder):
    import duckdb  # noqa: PLC0415 - the other works do without

    files = [str(file) for file in _downloaded(sf, soql, folder)]
    types = {"AnnualRevenue": "DECIMAL(18, 2)", "NumberOfEmployees": "BIGINT"}
    types |= {"Active__c": "BOOLEAN", "LastModifiedDate": "TIMESTAMPTZ"}
    duckdb.execute("SET TimeZone = 'UTC'")
    read = duckdb.read_csv(files, header=True, all_varchar=True)
    cells = (f'CAST("{name}" AS {types.get(name, "VARCHAR")}) AS "{name}"' for name in read.columns)
    read.project(", ".join(cells)).write_parquet(str(folder / "rows.parquet"))


def bulk_jsonl(sf, soql, _source, folder):
    with (folder / "rows.jsonl").open("w", encoding="utf-8") as out:
        for row in _records(_downloaded(sf, soql, folder)):
            out.write(json.dumps(_typed_values(row), ensure_ascii=False) + "\n")


def bulk_sqlite(sf, soql, _source, folder):
    files = _downloaded(sf, soql, folder)
    with closing(sqlite3.connect(folder / "rows.db")) as link, link:
        for number, file in enumerate(files):
            with file.open(encoding="utf-8", newline="") as rows:
                reader = csv.reader(rows)
                header = next(reader)
                if number == 0:
                    columns = ", ".join(f'"{name}" TEXT' for name in header)
                    link.execute(f"CREATE TABLE account ({columns})")
                marks = ", ".join("?" * len(header))
                link.executemany(f"INSERT INTO account VALUES ({marks})", reader)


def rest_query(sf, soql, _source, folder):
    with (folder / "rows.csv").open("w", encoding="utf-8", newline="") as file:
        writer = None
        for record in sf.query_all_iter(soql):
            del record["attributes"]
            if writer is None:
                writer = csv.DictWriter(file, list(record), lineterminator="\n")
                writer.writeheader()
            writer.writerow(record)


def bulk_upsert(sf, _soql, source, folder):
    jobs = sf.bulk2.Account.upsert(
        csv_file=str(source), batch_size=_JOB_ROWS, external_id_field="ERP_Id__c", wait=0
    )
    _save_results(sf, jobs, folder)


def bulk_create(sf, _soql, source, folder):
    jobs = sf.bulk2.Account.insert(csv_file=str(source), batch_size=_JOB_ROWS, wait=0)
    _save_results(sf, jobs, folder)


def _save_results(sf, jobs, folder):
    for number, job in enumerate(jobs):
        job_id = job["job_id"]
        succeeded, failed = folder / f"succeeded-{number}.csv", folder / f"failed-{number}.csv"
        sf.bulk2.Account.get_successful_records(job_id, file=str(succeeded))
        sf.bulk2.Account.get_failed_records(job_id, file=str(failed))


def rest_upsert(sf, _soql, source, folder):
    with (
        source.open(encoding="utf-8", newline="") as read,
        (folder / "rows.csv").open("w", encoding="utf-8", newline="") as write,
    ):
        rows, said = csv.DictReader(read), csv.writer(write, lineterminator="\n")
        said.writerow(["ERP_Id__c", "Id", "Error"])
        while batch := list(islice(rows, _BATCH_ROWS)):
            records = [_typed(row) for row in batch]
            answers = sf.restful(
                "composite/sobjects/Account/ERP_Id__c",
                method="PATCH",
                json={"allOrNone": False, "records": records},
            )
            for row, answer in zip(batch, answers, strict=True):
                error = answer["errors"][0]["message"] if answer["errors"] else ""
                said.writerow([row["ERP_Id__c"], answer.get("id", ""), error])


def _typed(row):
    return {"attributes": {"type": "Account"}, **_typed_values(row)}


def _typed_values(row):
    return {
        **row,
        "AnnualRevenue": float(row["AnnualRevenue"]),
        "NumberOfEmployees": int(row["NumberOfEmployees"]),
        "Active__c": row["Active__c"] == "true",
    }


if __name__ == "__main__":
    work, port, soql, source, folder = sys.argv[1:]
    salesforce = Salesforce(
        session_id="00D!bench",
        instance_url=f"http://127.0.0.1:{port}",
        session=PlainHttp(),
        version="60.0",
    )
    globals()[work](salesforce, soql, Path(source), Path(folder))
