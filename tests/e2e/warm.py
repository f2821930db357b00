"""Runs the command in forks of one warm process: a start costs a fork, not a second of imports.

Each fork is a process of its own, with its own folder, environment and streams. One JSON object a
line on stdin: `argv`, `cwd`, `env`, `streams` (what to open as the three; null: the same as here).
The exit code, or the negative signal, is one line on stdout. With `wait` false it is the process
id instead, at once; the object `{"ended": ID}` asks for the exit code of such a process later, and
with `wait` false as well for null if it runs. `within` names a module that has something around
the command, in its fork: its `within`, which is given what is asked.
Nothing is opened before a fork that has threads. What forks would do in the same way is done before
them: databases are open (`kept_databases.py`), tables of orgs laid out (`tests/laid_out.py`).
"""

import ctypes
import gc
import json
import os
import re
import signal
import sys
from collections import Counter
from contextlib import nullcontext, suppress
from functools import cache, partial
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages

import typer.main
from msgspec import Struct
from msgspec.json import Decoder
from sqlalchemy.engine import make_url

import runner
from runner import redaction
from runner.__main__ import main
from runner.cli import plain_words
from runner.cli.app import app
from runner.cli.verbs import VERBS
from runner.job.checks import queries
from runner.job.schema.files import matches, schema_of
from runner.local_org import router
from runner.local_org.catalog.standard import standard_catalog
from runner.runs.local_org_process import declared_org
from runner.salesforce.http.retry import Retrier
from runner.tables.sources import csv

sys.path.insert(0, str(Path(__file__).parents[2]))
sys.path.insert(0, str(Path(__file__).parent))

import kept_databases
import kept_ledgers
import orgs_beside

from tests import laid_out

LATE = (
    "adbc_driver_sqlite",
    "duckdb",
    "encodings.idna",
    "encodings.utf_8_sig",
    "logging.handlers",
    "rich.progress",
    "sqlalchemy.dialects.sqlite",
    "tenacity",
    "typer._click.decorators",
    "xml.parsers.expat",
)
"""What the product imports only when it needs it; forks need it often."""
FIRST_WAIT_SECONDS = 0.02
"""Between two tries, instead of a second: what is waited for here comes at once or never."""
served = Counter()
"""Contents of org files."""
HUGE_PAGE_BYTES = 2 << 20
MADV_COLLAPSE = 25
PR_SET_PDEATHSIG = 1
orgs = set()
"""Processes of local orgs that runs have started."""


def be_the_command(asked, within=nullcontext):
    """In a fork: never comes back."""
    os.chdir(asked["cwd"])
    os.environ.clear()
    os.environ.update(asked["env"])
    if "dask" in sys.modules:
        sys.modules["dask"].config.refresh()  # it has read the environment of the warm process
    for number, file in enumerate(asked["streams"]):
        if file is None:
            continue
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC if number else os.O_RDONLY
        opened = file if isinstance(file, int) else os.open(file, flags, 0o600)
        os.dup2(opened, number)
    sys.argv = ["runner", *asked["argv"]]
    code = 0
    with within():
        try:
            main()
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else int(end.code is not None)
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
    os._exit(code)


def load():
    """What commands do first, done once for all forks."""
    own = (found.name for found in walk_packages(runner.__path__, "runner."))
    for name in (*LATE, *sys.argv[1:], *own):
        if not name.endswith("__main__"):
            import_module(name)
    typer.main.get_command = cache(typer.main.get_command)
    dict(typer.main.get_command(app).commands)  # builds each
    declare_verbs()
    standard_catalog()
    for name in ("job", "org"):
        schema_of(name)
    compile_patterns()
    read_forms()
    Retrier.__init__.__kwdefaults__["first_wait_seconds"] = FIRST_WAIT_SECONDS
    laid_out.copy_layouts()
    laid_out.prepare()
    kept_databases.keep()
    kept_ledgers.keep()
    use_huge_pages()
    gc.freeze()  # a fork that collects garbage copies no memory of this process


def use_huge_pages():
    """A fork copies a table of the pages it has, and gives it back: 2 ms of small ones, of 10."""
    madvise = getattr(ctypes.CDLL(None), "madvise", None)
    maps = Path("/proc/self/maps")
    if madvise is None or not maps.exists():
        return
    madvise.argtypes = [ctypes.c_size_t, ctypes.c_size_t, ctypes.c_int]
    for line in maps.read_text().splitlines():
        place, rights, _, _, inode, *_ = line.split()
        if inode != "0" or "w" not in rights:
            continue
        first, end = (int(each, 16) for each in place.split("-"))
        first += -first % HUGE_PAGE_BYTES
        end -= end % HUGE_PAGE_BYTES
        if end > first:  # what a kernel cannot do stays as it is
            madvise(first, end - first, MADV_COLLAPSE)


def declare_verbs():
    """Evaluate what parameters of verbs are declared as."""
    plain_words.declared = cache(plain_words.declared)
    for name in VERBS:
        module = import_module(f"runner.cli.{name}")
        group = getattr(module, "GROUP", None)
        for verb in [verb for verb, _ in group.verbs.values()] if group else [vars(module)[name]]:
            plain_words.read(verb, [], {})


def read_forms():
    """Have msgspec look at what answers of the org are read as."""
    kinds = [Struct]
    for kind in kinds:
        kinds += kind.__subclasses__()
        if kind.__module__.startswith("runner.salesforce."):
            with suppress(TypeError):  # nothing that an answer is read as
                Decoder(kind)


def compile_patterns():
    """Those that commands and local orgs compile when they first meet them."""
    csv.preamble(b"", 0)
    csv.header_bytes(b"", '"')
    re.match(csv.NAMED_DELIMITER, "")
    make_url("sqlite://")
    secret = redaction._Secret("eight characters")  # noqa: SLF001 - its patterns stay compiled
    secret.may_be_in("text", redaction._joined("text"))  # noqa: SLF001
    redaction.redacted("text", shapes=True)
    queries._patterns()  # noqa: SLF001
    schemas = [*map(schema_of, ("job", "org"))]
    while schemas:
        each = schemas.pop()
        if isinstance(each, dict):
            schemas += each.values()
            if isinstance(each.get("pattern"), str):
                matches(each["pattern"], "text")
        elif isinstance(each, list):
            schemas += each
    for route in router.ROUTES:
        route.match("/")


def lay_out(asked):
    """Have the tables of an org file that is served again."""
    words = asked.get("argv", ())
    if "--org-file" not in words:
        return
    file = Path(asked["cwd"], words[words.index("--org-file") + 1])
    with suppress(Exception):  # what is wrong with it the fork says
        text = file.read_bytes()
        served[text] += 1
        if served[text] == 2:
            laid_out.prepare(declared_org(file)[0])


def fork_org(asked, channel):
    """A local org that a run asks for, in a session of its own; who made it reaps it."""
    lay_out(asked)
    pid = os.fork()
    if pid == 0:
        os.setsid()
        channel.close()
        be_the_command(asked)
    orgs.add(pid)
    return pid


def around(asked):
    """Gives what a command runs in."""
    name = asked.get("within")
    return partial(import_module(name).within, asked) if name else nullcontext


def end_with_this():
    """Have a fork end with the process that it is of: who reads what it says would wait for it."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def forked(asked):
    within = around(asked)
    child = os.fork()
    if child == 0:
        end_with_this()
        be_the_command(asked, within)
    return child


def end_of(child):
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def code_so_far(child):
    ended, status = os.waitpid(child, os.WNOHANG)
    return os.waitstatus_to_exitcode(status) if ended else None


def code_of(asked):
    """Run a command in a fork to its end, with the local orgs that it starts; its exit code."""
    if not orgs_beside.IS_POSSIBLE:
        return end_of(forked(asked))
    within = around(asked)
    here, there = orgs_beside.channels()
    with here, there:
        child = os.fork()
        if child == 0:
            end_with_this()
            here.close()
            orgs_beside.ask_for_them(there)
            be_the_command(asked, within)
        there.close()
        orgs_beside.until_end(child, here, lambda each: fork_org(each, here))
    for each in tuple(orgs):
        if os.waitpid(each, os.WNOHANG)[0]:
            orgs.discard(each)
    return end_of(child)


def serve():
    """Answer each line of stdin."""
    load()
    for line in sys.stdin:
        asked = json.loads(line)
        lay_out(asked)
        if "ended" in asked and not asked.get("wait", True):
            told = code_so_far(asked["ended"])
        elif "ended" in asked:
            told = end_of(asked["ended"])
        elif asked.get("wait", True):
            told = code_of(asked)
        else:
            told = forked(asked)
        sys.stdout.write(json.dumps(told) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    serve()
