"""Measures the product beside its peers on the same work, side by side in one run.

    python -m tests.benchmarks [--rows 1000000] [--runs 5] [--out FOLDER]

Starts a loopback server that answers at once, has every contender that is installed do each work
in turn, looks at what each left behind, and writes `benchmarks.md`, `.json` and `.svg`. Leaves
with 1 where the product's result is wrong. See CONTRIBUTING.md for how the peers are installed.
"""

from __future__ import annotations

import argparse
import compileall
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from tests.benchmarks import report, rows
from tests.benchmarks.bench import PRODUCT, ROOT, Bench, Contender, Work, environment
from tests.benchmarks.shapes import SHAPES
from tests.benchmarks.works import WORKS
from tests.postgresql import PROGRAMS, cluster

_LAUNCHER = Path(__file__).with_name("measure.py")


def main() -> int:
    """Measure what the command line asks for."""
    asked = _asked()
    compileall.compile_dir(ROOT / "runner", quiet=2)  # as an installed package is
    load = {"before": os.getloadavg()[0], "after": 0.0}
    with tempfile.TemporaryDirectory(prefix="bench-", dir=asked.scratch) as scratch:
        works = [
            each
            for size in asked.rows
            for each in _measured(asked, size, Path(scratch) / str(size))
        ]
    load["after"] = os.getloadavg()[0]
    document = {
        "runs": asked.runs,
        "cpus": os.cpu_count(),
        "load_average": load,
        "versions": _versions(),
        "delay_ms": asked.delay_ms,
        "gzip": asked.gzip,
        "works": works,
    }
    table = report.markdown(document)
    sys.stdout.write(table)
    if asked.out:
        asked.out.mkdir(parents=True, exist_ok=True)
        (asked.out / "benchmarks.md").write_text(table)
        (asked.out / "benchmarks.json").write_text(json.dumps(document, indent=2) + "\n")
        (asked.out / "benchmarks.svg").write_text(report.picture(document))
    return _verdict(document)


def _asked() -> argparse.Namespace:
    reader = argparse.ArgumentParser(prog="python -m tests.benchmarks")
    names = [work.name for work in WORKS]
    reader.add_argument("--rows", type=int, nargs="+", default=[100_000], help="over Bulk")
    reader.add_argument("--rest-rows", type=int, help="over REST; else a fifth of --rows")
    reader.add_argument("--upsert-rows", type=int, help="over REST; else a tenth of --rest-rows")
    reader.add_argument("--runs", type=int, default=3)
    reader.add_argument("--delay-ms", type=float, default=50, help="of a Collections request")
    reader.add_argument("--gzip", action="store_true", help="the server compresses for who asks")
    reader.add_argument("--works", nargs="+", choices=names, default=names)
    reader.add_argument("--contenders", nargs="+", help="else all that are installed")
    reader.add_argument("--python", default=sys.executable, help="that runs the product")
    reader.add_argument("--scratch", type=Path, help="folder for prepared files and outputs")
    reader.add_argument("--out", type=Path, help="folder for benchmarks.md, .json and .svg")
    default = os.environ.get("SFRUNNER_TEST_CLIENTS", "~/.cache/sfrunner-clients")
    reader.add_argument("--clients", type=Path, default=Path(default), help="where npm put them")
    return reader.parse_args()


def _measured(asked: argparse.Namespace, size: int, folder: Path) -> list[dict[str, Any]]:
    rest_rows = asked.rest_rows or max(1, size // 5)
    upsert_rows = asked.upsert_rows or max(1, rest_rows // 10)
    works = [work for work in WORKS if work.name in asked.works]
    clients = asked.clients.expanduser().absolute()
    places = (folder, folder / "out", size, rest_rows, upsert_rows, asked.python, clients)
    folder.mkdir(parents=True)
    with _server(works, Bench(0, *places), asked) as port, _postgresql(works) as socket:
        bench = Bench(port, *places, postgresql=socket)
        return [_measure(work, bench, asked.runs, asked.contenders) for work in works]


def _written(works: Sequence[Work], bench: Bench) -> dict[str, int]:
    """Write the files that are loaded; gives how many rows of each shape the org must know."""
    over_bulk = {}
    for work in works:
        shape = work.shape
        if shape is None:
            continue
        count = work.count(bench)
        for mapped in (False, True):
            file = bench.source_file(shape, mapped=mapped, over_rest=work.over_rest)
            if not file.exists():
                header, cells = (
                    (shape.columns, shape.written)
                    if mapped
                    else (shape.source_columns, shape.source)
                )
                rows.write(file, header, (cells(i // shape.copies) for i in range(count)))
        if not work.over_rest:
            known = next(each for each in SHAPES if each.columns == shape.columns)
            over_bulk[known.name] = count
    return over_bulk


@contextmanager
def _server(works: Sequence[Work], bench: Bench, asked: argparse.Namespace) -> Iterator[int]:
    zips = "gzip" if asked.gzip else "plain"
    words = [str(bench.folder), str(bench.rows), str(bench.rest_rows), str(asked.delay_ms), zips]
    shapes = [f"{name}={count}" for name, count in _written(works, bench).items()]
    with subprocess.Popen(
        [sys.executable, "-m", "tests.benchmarks.server", *words, *shapes],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as server:
        yield int(server.stdout.readline())
        server.stdin.close()


@contextmanager
def _postgresql(works: Sequence[Work]) -> Iterator[Path | None]:
    if PROGRAMS is None or all(work.name != "bulk_postgresql" for work in works):
        yield None
        return
    with cluster() as socket:
        yield socket


def _measure(work: Work, bench: Bench, runs: int, wanted: Sequence[str] | None) -> dict[str, Any]:
    taking_part = [
        each
        for each in work.contenders
        if each.there(bench) and (wanted is None or each.name in wanted)
    ]
    load = os.getloadavg()[0]
    found = {each.name: report.Runs(each.name, each.how) for each in taking_part}
    for number in range(runs):
        for contender in taking_part:
            _run(work, contender, bench, found[contender.name], first=number == 0)
    return {
        "name": work.name,
        "title": work.title,
        "rows": work.count(bench),
        "load_average": load,
        "contenders": [each.document() for each in found.values()],
    }


def _run(work: Work, contender: Contender, bench: Bench, kept: report.Runs, *, first: bool) -> None:
    _clear(bench)
    contender.prepare(bench)
    taken = _taken(contender.command(bench), bench)
    sys.stderr.write(f"{work.name} {contender.name} {json.dumps(taken)}\n")
    if taken["exit_code"] not in contender.fine:
        kept.wrong = f"exit code {taken['exit_code']}: {_said(bench)}"
    else:
        kept.seconds.append(taken["seconds"])
        kept.cpu_seconds.append(taken["cpu_seconds"])
        kept.peak_bytes.append(taken["peak_bytes"])
        if first:
            kept.wrong = _wrong(work, contender, bench)
    if kept.wrong:
        sys.stderr.write(f"{work.name} {contender.name}: {kept.wrong}\n")
    _clear(bench)


def _clear(bench: Bench) -> None:
    shutil.rmtree(bench.out, ignore_errors=True)
    bench.out.mkdir()
    for pattern in ("upload-*", "sent-*"):
        for file in bench.folder.glob(pattern):
            file.unlink()


def _taken(command: list[str], bench: Bench) -> dict[str, Any]:
    output, errors = bench.folder / "stdout", bench.folder / "stderr"
    done = subprocess.run(
        [sys.executable, "-S", "-E", str(_LAUNCHER), str(output), str(errors), *command],
        cwd=bench.folder,
        env=environment(bench),
        capture_output=True,
        check=True,
    )
    return json.loads(done.stdout)


def _said(bench: Bench) -> str:
    return " ".join((bench.folder / "stderr").read_text(errors="replace").split())[-400:]


def _wrong(work: Work, contender: Contender, bench: Bench) -> str | None:
    words = [work.name, contender.name, str(bench.out), str(bench.folder), str(work.count(bench))]
    done = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks.checks", *words],
        cwd=ROOT,
        env=environment(bench),
        capture_output=True,
        text=True,
        check=False,
    )
    return (done.stdout.strip() or done.stderr.strip()[-400:])[:400] or None


_PACKAGES = (
    "duckdb",
    "httpx",
    "simple-salesforce",
    "aiosalesforce",
    "salesforce-bulk",
    "drt-core",
)


def _versions() -> dict[str, str]:
    found = {"Python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def _verdict(document: dict[str, Any]) -> int:
    own = [c for w in document["works"] for c in w["contenders"] if c["contender"] == PRODUCT]
    return 1 if any(c["wrong"] for c in own) else 0


if __name__ == "__main__":
    sys.exit(main())
