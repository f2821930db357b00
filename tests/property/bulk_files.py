"""Files in the form of Bulk API's results."""

import csv


def bulk_file(folder, rows, columns):
    """One with these rows, and the names of these columns."""
    file = folder / "rows.csv"
    with file.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n", quoting=csv.QUOTE_ALL)
        writer.writerow([each.name for each in columns])
        writer.writerows(rows)
    return file
