"""Odd input by chance: jobs, sources, words, variables, token files, state folders, places.

Each function makes one command and what it meets, in the folder of a bench.
"""

import json
import os
import re
import shutil
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from tests.e2e.failures.odd_tables import HEADER, damaged, tables

ROOT = Path(__file__).parents[3]
JOBS = sorted([*ROOT.glob("tests/examples/valid/*.yaml"), *ROOT.glob("configs/*.yaml")])


def words_of(text, *more):
    """What is between `|` and the ends of lines, or between blanks where there is no `|`."""
    parts = re.split(r"[|\n]", text.strip("\n")) if "|" in text else text.split()
    return [*parts, *more]


ODD_TEXTS = words_of(
    r"""
~|null|true|[]|{}|[[[]]]|{a: {b: []}}|&a [*a]|*a|<<: *b|!!python/object:os.system x|!!binary x
!!set {a}|? [a]|!x y|%YAML 9.9|---|0x1F|1e999|-.inf|.nan|0o17|1_000|2026-02-30|12:30:45|-1|'|"
"\ud800"|"\0"|#|SELECT|SELECT Id FROM Account WHERE Name = :x|((((|x -> y|1/0|'a' + NULL|/dev/null
/dev/stdin|..|.|/|~root/x|a\b|*|**|[|{1,2}|http://|-|http://[::1|https://x:99999/a.csv|sqlite:///x
postgresql://|s3://a/b|file:a.csv|{env: NOPE}|{file: nope}|{command: ''}|{keyring: x}|0d|1y|5%
""",
    *("", "\t", "\a", "\u2028", "\ufeff", "a" * 5000, "|\n x"),
)
ODD_WORDS = words_of(
    """
- -- --- -o json -o=xml --output --task = a=b -n 0 -1 1e9 last * .. / job.yaml nope.yaml /dev/null
--help --version --timeout 1h 0s --max-disk 1B --wait-lock --keep --prune --state /proc/1
--param p= --anew --abandon --yes --all --no-input --allow-host --allow-outside --quiet --verbose
--dry-run
""",
    *("", "\n", "\x01", "é", "9" * 30, "a" * 300, "a b", "\udcff"),
)
VERBS = words_of(
    """
run|resume|retry|undo|validate|logout|whoami|history|show|init|schema|org reset
login --with-token --no-input
"""
)
VARIABLES = words_of(
    """
SFRUNNER_OUTPUT SFRUNNER_QUIET SFRUNNER_TASK SFRUNNER_PARAM SFRUNNER_TIMEOUT SFRUNNER_MAX_DISK
SFRUNNER_PARALLEL SFRUNNER_WAIT_LOCK SFRUNNER_STATE SFRUNNER_ALLOW_HOST SFRUNNER_ALLOW_OUTSIDE
SFRUNNER_ORG_FILE SFRUNNER_EXCEL_SAFE SFRUNNER_TOKEN SFRUNNER_TOKEN_FILE SFRUNNER_TOKEN_COMMAND
HOME TZ LANG LC_ALL
COLUMNS LINES TERM TMPDIR HTTPS_PROXY HTTP_PROXY ALL_PROXY NO_PROXY SSL_CERT_FILE SSL_CERT_DIR PATH
XDG_STATE_HOME GITHUB_ACTIONS FORCE_COLOR CI USER
"""
)
ODD_VALUES = words_of(
    """
0 -1 x json a=b nope/ / . /dev/null job.yaml é http:// socks5://x http://[ 99999999999 1h UTC+99
Europe/Nope C xx_YY.zz ' $(x) {} {"access_token":1} force://x 00D!x false [::1]:x
""",
    *("", " ", "\n", "\udcff", "a" * 3000),
)
FORMATS = words_of(
    """
format: csv|format: json|format: parquet|format: xlsx|format: xml|format: jsonl|encoding: utf-16
encoding: cp1252|delimiter: ';'|skip_rows: 3|skip_rows: 99999999|decimal: comma|header: [a, b]
header: [ERP_Id__c, Name, Score__c]|sheet: nope|record: a|record: a/b|dates: '%d.%m.%Y'
compression: gzip|compression: zstd|compression: none
"""
)
TASK = "- name: a\n  {verb}: Account\n  from: {source}\n  api: {api}\n"
GOOD_TASK = TASK.format(verb="create", source="a.csv", api="rest")


@dataclass
class Case:
    """A command, and what it meets."""

    words: list
    env: dict = field(default_factory=dict)
    given: str = ""


def odd_job(chance, bench):
    """A job that was right, some of whose lines are changed."""
    lines = chance.choice(JOBS).read_text(encoding="utf-8").split("\n")
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(lines))
        lines[at : at + 1] = changed(chance, lines[at], chance.choice(lines))
    text = "\n".join(lines)
    if chance.random() < 0.1:
        at = chance.randrange(len(text) + 1)
        text = text[:at] + chance.choice(ODD_TEXTS) + text[at + chance.randint(0, 3) :]
    encoding = chance.choice(["utf-8"] * 20 + ["utf-16", "utf-8-sig", "utf-32"])
    (bench.folder / "job.yaml").write_bytes(text.encode(encoding))
    words = chance.choice(["validate", "validate", "run --no-input --timeout 20s"]).split()
    return Case([*words, "job.yaml", *chance.choice([[], ["-o", "json"]])])


def changed(chance, line, other):
    """The lines in place of a line."""
    key, colon, value = line.partition(":")
    indent = line[: len(line) - len(line.lstrip())]
    odd = chance.choice(ODD_TEXTS)
    return chance.choice(
        [
            [],
            [line, line],
            [other],
            [f"{key}{colon} {odd}"],
            [f"{key}{colon} {odd}"],
            [f"{key}{colon}{other.partition(':')[2]}"],
            [f"{indent}{odd}: {value}"],
            [line, f"{indent}{other.strip()}"],
            [f"  {line}"],
            [line[: chance.randint(0, len(line))]],
            [f"{key}{colon} {{{value}: {odd}}}"],
            [f"{key}{colon} [{value}, {odd}]"],
        ]
    )


def odd_source(chance, bench):
    """A table in some format, damaged, or something else under its name."""
    suffix, body = chance.choice(list(tables().items()))
    name = f"a{suffix}"
    (bench.folder / name).write_bytes(damaged(chance, body))
    source = chance.choice(
        [name, name, f"{{file: {name}, {chance.choice(FORMATS)}}}", f"'?{name[1:]}'"]
    )
    verb = chance.choice(["create", "upsert"])
    text = TASK.format(verb=verb, source=source, api=chance.choice(["rest", "bulk"]))
    text += "  key: ERP_Id__c\n" if verb == "upsert" else ""
    text += chance.choice(
        ["", "", "  fields: {Name: upper(Name)}\n", "  fields: {Name: Score__c}\n"]
    )
    return Case([chance.choice(["run", "validate"]), bench.job(text), "-o", "json"])


def good_job(bench, **options):
    bench.write("a.csv", f"{HEADER}E1,n,1\n")
    return bench.job(GOOD_TASK, **options)


def odd_words(chance, bench):
    """A command line of odd words."""
    good_job(bench)
    words = chance.choice(VERBS).split()
    words += [chance.choice(ODD_WORDS) for _ in range(chance.randint(0, 4))]
    return Case(words, given=chance.choice(["", "x", "{}", "\0", "00D!x", "y\n", "[" * 9999]))


def odd_variables(chance, bench):
    """A good job, and odd variables."""
    job = good_job(bench)
    env = {chance.choice(VARIABLES): chance.choice(ODD_VALUES) for _ in range(chance.randint(1, 3))}
    words = [["run", job], ["validate", job], ["history"], ["whoami", job], ["show", "last"]]
    return Case(chance.choice(words), env)


def odd_token(chance, bench, token):
    """A token file that is not what it was."""
    text = json.dumps(token)
    odd = chance.choice([*ODD_VALUES, None, 1, [], {}, True, 10**30, 1e300, "x" * 9999, -1, [[1]]])
    name = chance.choice([*token, "refresh_token", "issued_at", "format", "grant", "environment"])
    member = json.dumps({**token, name: odd})
    body = damaged(chance, text.encode())
    made = chance.choice([member, member, member, body, "[" * 50_000, json.dumps(odd)])
    place = bench.folder / "t.json"
    place.write_bytes(made.encode() if isinstance(made, str) else made)
    place.chmod(0o600)
    connection = f"{{environment: local, url: '{token['instance_url']}', token: t.json}}"
    job = good_job(bench, connection=connection)
    words = [["whoami", job], ["run", job], ["logout", job], ["whoami", "--all"]]
    return Case(chance.choice(words))


def odd_state(chance, bench, good):
    """A state folder, some files of which are not what they were in the folder `good`."""
    state = bench.folder / "odd"
    shutil.rmtree(state, ignore_errors=True)
    shutil.copytree(good, state)
    files = sorted(each for each in state.rglob("*") if each.is_file())
    for file in chance.sample(files, chance.randint(1, 2)):
        body = chance.choice([damaged(chance, file.read_bytes()), None])
        file.unlink()
        if body is None:
            put_something(chance, file)
        else:
            file.write_bytes(body)
    words = [
        *("history", "show last", "resume", "retry last", "undo last --yes", "run job.yaml"),
        *("history --prune --keep 0", "resume -o json", "show last -o json"),
    ]
    return Case(chance.choice(words).split(), {"SFRUNNER_STATE": str(state)})


def odd_place(chance, bench):
    """Something else where a file or a folder belongs."""
    for name in ("a.csv", "job.yaml", "out", "res", "st"):
        remove(bench.folder / name)
    target = chance.choice(["out/x.csv", "out", "out/er/x.csv", "out/x.parquet", "out/x.xlsx"])
    bench.write("a.csv", f"{HEADER}E1,n,1\n")
    bench.job(
        f"{GOOD_TASK}  results: res\n"
        f"- name: q\n  query: SELECT Id, Name FROM Account\n  to: {target}\n"
    )
    places = "a.csv job.yaml out out/x.csv out/er res res/failed.csv st st/ledger.sqlite st/runs"
    name = chance.choice(places.split())
    place = bench.folder / name
    remove(place)
    place.parent.mkdir(parents=True, exist_ok=True)
    put_something(chance, place, pipes=name not in {"a.csv", "job.yaml"})
    words = ["run job.yaml", "validate job.yaml", "run job.yaml -o json", "history", "org reset"]
    env = {"SFRUNNER_STATE": str(bench.folder / "st")} if name.startswith("st") else {}
    return Case(chance.choice(words).split(), env)


def put_something(chance, place, *, pipes=False):
    """Anything but a file that belongs there."""
    with suppress(OSError):
        match chance.choice(
            ["folder", "nowhere", "itself", "/dev/full", "pipe", "empty", "nothing"]
        ):
            case "folder":
                (place / "x").mkdir(parents=True)
            case "pipe" if pipes:
                os.mkfifo(place)
            case "empty":
                place.write_bytes(b"")
            case "nothing" | "pipe":
                pass
            case "itself":
                place.symlink_to(place.name)
            case elsewhere:
                place.symlink_to(elsewhere)


def remove(place):
    if place.is_dir() and not place.is_symlink():
        shutil.rmtree(place)
    else:
        place.unlink(missing_ok=True)
