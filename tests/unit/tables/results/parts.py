"""Results of a part, and the files that are written of them."""

import csv

from runner.tables.results.bulk_results import ResultFiles


def read(file):
    with file.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def take_in(results, part, *, succeeded, failed, unprocessed):
    results.add_part(results.match(part, ResultFiles(succeeded, failed, unprocessed), "750x"))
