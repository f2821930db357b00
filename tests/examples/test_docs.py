"""What the docs say is so: blocks validate, links lead somewhere, and nothing is left untold.

A YAML block that begins with a comment naming a file is that file, for the jobs of the same page.
Blocks of GitHub Actions and GitLab CI are told by `jobs:` or `stages:`; every other one is a job,
an org file, or a fragment that is put into the smallest job around it.
"""

import ast
import importlib.util
import re
import shlex
import textwrap
import tomllib
from collections import Counter
from pathlib import Path
from urllib.parse import unquote

import pytest
import yaml

from runner.cli.doctor import variables
from runner.errors import ExitCode
from runner.job.documents import load_checked
from runner.job.load import Readers, check_job
from runner.job.yaml.document import MAX_BYTES
from runner.tables.staging.expressions import problem_of
from tests.source_nodes import nodes_of, texts_of

ROOT = Path(__file__).parents[2]
REFERENCE = ROOT / "docs" / "reference"
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
NAMES = [str(page.relative_to(ROOT)) for page in PAGES]
every_page = pytest.mark.parametrize("page", PAGES, ids=NAMES)

CONNECTION = "connection: {environment: local}\n"
TASK = "tasks:\n  - {name: all, query: SELECT Id FROM Account, to: all.csv}\n"


def _load_tables():
    file = Path(__file__).parent / "reference_tables.py"
    spec = importlib.util.spec_from_file_location("reference_tables", file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


tables = _load_tables()


def blocks(page, *languages):
    """The code blocks of a page in these languages, and the line each begins at."""
    text = page.read_text(encoding="utf-8")
    pattern = r"^(?P<indent> *)```(?P<language>\w*)[^\n]*\n(?P<code>.*?)^ *```$"
    for found in re.finditer(pattern, text, re.DOTALL | re.MULTILINE):
        if found["language"] in languages:
            yield text.count("\n", 0, found.start()) + 2, textwrap.dedent(found["code"])


def prose(page):
    """A page without its code blocks."""
    return re.sub(r"^ *```.*?^ *```$", "", page.read_text("utf-8"), flags=re.DOTALL | re.MULTILINE)


def kind_of(block):
    """What a YAML block is."""
    if named_file(block) is not None and re.search(r"^environment:", block, re.MULTILINE):
        return "connection"
    for key, kind in (
        ("jobs|stages|repos|apiVersion", "workflow"),
        ("objects|users", "org"),
        ("tests", "test"),
        ("script", "workflow"),
        ("state", "project"),
    ):
        if re.search(rf"^(?:{key}):|^\w[\w-]*:\n(?:  .*\n)*?  {key}:\n  +- ", block, re.MULTILINE):
            return kind
    return "job"


def named_file(block):
    """The file that a block says it is, in its first line."""
    found = re.match(r"# ([\w./-]+\.ya?ml)$", block, re.MULTILINE)
    return found[1] if found else None


def completed(block):
    """A fragment of a job as a job."""
    if block.lstrip().startswith("- "):
        block = "tasks:\n" + textwrap.indent(block, "  ")
    keys = set(re.findall(r"^(\w+):", block, re.MULTILINE))
    text = block if "version" in keys else f"version: 1\n{block}"
    text += "" if "connection" in keys else CONNECTION
    return text if "tasks" in keys else text + TASK


@every_page
def test_yaml_blocks_are_valid_jobs(page, tmp_path):
    found = list(blocks(page, "yaml", "yml"))
    for _, block in found:
        if (name := named_file(block)) and kind_of(block) in {"connection", "org"}:
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(block, encoding="utf-8")
    problems = [each for line, block in found for each in block_problems(block, line, tmp_path)]
    assert problems == []


def block_problems(block, line, folder):
    """What is wrong with one YAML block of a page."""
    kind = kind_of(block)
    if kind == "workflow":
        assert isinstance(yaml.safe_load(block), dict)
    elif kind == "org":
        load_checked(written(block, folder, f"block-{line}.org.yaml"), "org")
    elif kind in {"test", "project"}:
        load_checked(written(block, folder, f"block-{line}.test.yaml"), kind)
    elif kind == "job":
        job = written(completed(block), folder, f"block-{line}.yaml")
        for each in check_job(job, Readers(expressions=problem_of))[1]:
            # The files that examples read are the reader's own, and so are an org file's rows.
            if each.code != "job/no-source":
                yield f"block at line {line}: {each.code}: {each.message}"


def written(text, folder, name):
    (folder / name).write_text(text, encoding="utf-8")
    return folder / name


def test_commands_in_blocks_exist_with_their_options():
    known = tables.commands()
    found = [(page, *each) for page in PAGES for each in blocks(page, "sh", "yaml", "ini", "cron")]
    assert len(found) > 100
    for page, line, block in found:
        for command in re.findall(r"(?<![\w.-])runner ((?:[a-z]+)\b[^\n`|&;)]*)", block):
            words = shlex.split(command.replace("\\", ""), comments=True)
            name = " ".join(words[:2]) if " ".join(words[:2]) in known else words[0]
            assert name in known, f"{page}:{line}: there is no `runner {name}`"
            options = {name for each in known[name].params for name in each.opts} | {"--help"}
            given = {word.split("=")[0] for word in words if re.match(r"--?[a-z]", word)}
            assert given <= options, f"{page}:{line}: `runner {name}` lacks an option"


def anchors(page):
    """The anchors that GitHub makes of a page's headings."""
    headings = re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", each.lower()).replace(" ", "-") for each in headings}


@every_page
def test_relative_links_lead_somewhere(page):
    links = re.findall(r"\]\(([^)\s]+)\)|(?:src|srcset|href)=\"([^\"]+)\"", prose(page))
    for link in (markdown or html for markdown, html in links):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = unquote(link).partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{link} leads nowhere"
        if anchor and target.suffix == ".md":
            assert anchor in anchors(target), f"{link} has no such heading"


def test_the_index_links_every_page_once():
    index = ROOT / "docs" / "index.md"
    linked = Counter(
        (index.parent / each).resolve() for each in re.findall(r"\]\(([^)#\s]+)", prose(index))
    )
    pages = {page.resolve() for page in ROOT.glob("docs/**/*.md")} - {index}
    assert {page: linked[page] for page in pages if linked[page] != 1} == {}


def test_generated_tables_are_as_the_program_is():
    """Where it fails: `python tests/examples/reference_tables.py`."""
    generated = tables.page_tables()
    pages = {
        "job-file.md",
        "local-org.md",
        "local-org-coverage.md",
        "cli.md",
        "where-is-it-done.md",
    }
    assert pages <= {file.name for file in generated}
    for file, expected in generated.items():
        text = file.read_text(encoding="utf-8")
        assert text == tables.filled(text, expected), file
        assert all(f"<!-- table: {name} -->" in text for name in expected), file


def test_every_command_and_option_is_told():
    text = (REFERENCE / "cli.md").read_text(encoding="utf-8")
    pattern = r"^## `runner ([a-z ]+)`\n(.*?)(?=^## |\Z)"
    sections = dict(re.findall(pattern, text, re.DOTALL | re.MULTILINE))
    for name, command in tables.commands().items():
        visible = [each for each in command.params if not each.hidden]
        options = {option for each in visible for option in each.opts if option.startswith("--")}
        assert name in sections
        assert {each for each in options if each not in sections[name]} == set()


def test_every_key_of_a_job_is_told():
    text = (REFERENCE / "job-file.md").read_text(encoding="utf-8")
    schema = tables.job_schema()
    mappings = [schema, *schema["$defs"].values()]
    keys = {key for each in mappings for key in each.get("properties", {})}
    assert {key for key in keys if not re.search(rf"^\| \**`{key}`", text, re.MULTILINE)} == set()


def diagnostic_codes():
    """Every code that a diagnostic has, read off the source."""
    codes = set()
    others = [
        ROOT / "runner" / name
        for name in ("cli/org.py", "salesforce/org_lock.py", "state/project_file.py")
    ]
    for file in [*sources("job", "engine", "runs", "metadata"), *others]:
        texts = texts_of(file)
        codes |= {text for text in texts if re.fullmatch(r"[a-z]+/[a-z0-9-]+", text)}
        # The schema's messages put its name before their codes: f"{prefix}/unknown-key".
        codes |= {f"job{text}" for text in texts if re.fullmatch(r"/[a-z-]+", text)}
        if file.parts[-2:] == ("schema", "messages.py"):
            codes |= {f"job/{code}" for code in _returned_codes(file)}
    return codes


def _returned_codes(file):
    """First of the three texts that each teller of a violation returns."""
    for node in nodes_of(file):
        if isinstance(node, ast.Return) and isinstance(node.value, ast.Tuple):
            first = node.value.elts[0]
            if isinstance(first, ast.Constant) and len(node.value.elts) == 3:
                yield first.value


def sources(*packages):
    """The source files of some of the runner's packages."""
    return [file for part in packages for file in (ROOT / "runner" / part).rglob("*.py")]


def row_codes():
    """Every code that the runner itself gives a row, read off the source, SQL in texts included."""
    # Upper-case words in `expressions` are the kinds of nodes of DuckDB's syntax tree.
    files = [file for file in sources("tables", "engine") if file.name != "expressions.py"]
    texts = (text for file in files for text in texts_of(file))
    found = (re.findall(r"(?:^|')([A-Z]+(?:_[A-Z]+)+)(?:$|')", text) for text in texts)
    return {code for codes in found for code in codes}


@pytest.mark.parametrize("codes", [diagnostic_codes, row_codes])
def test_every_code_is_told(codes):
    text = (REFERENCE / "errors.md").read_text(encoding="utf-8")
    assert {code for code in codes() if f"`{code}`" not in text} == set()


def test_no_code_is_told_that_nobody_gives():
    text = (REFERENCE / "errors.md").read_text(encoding="utf-8")
    told = set(re.findall(r"^\| `([a-z]+/[a-z0-9-]+)`", text, re.MULTILINE))
    assert told - diagnostic_codes() == set()


@pytest.mark.parametrize(
    "page", ["reference/job-file.md", "reference/errors.md", "explanation/security.md"]
)
def test_the_size_of_a_job_file_is_the_one_that_is_checked(page):
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    found = re.findall(r"(?:at most|more than|tags or merge keys here,) (\d+) MB", text)
    assert [int(megabytes) * 1_000_000 for megabytes in found] == [MAX_BYTES]


def test_every_error_class_is_told():
    text = (REFERENCE / "errors.md").read_text(encoding="utf-8")
    source = (ROOT / "runner" / "errors.py").read_text(encoding="utf-8")
    classes = re.findall(r"^class (\w+Error)\(", source, re.MULTILINE)
    assert {name for name in classes if f"`{name}`" not in text} == set()


@pytest.mark.parametrize("page", ["docs/reference/exit-codes.md", "README.md"])
def test_every_exit_code_is_told(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    rows = re.findall(r"^\| ([\d, ]+) \|", text, re.MULTILINE)
    told = {int(code) for row in rows for code in row.split(",")}
    assert told == {int(code) for code in ExitCode}


def test_every_variable_is_told_and_no_other():
    files = (ROOT / "runner").rglob("*.py")
    named = {name for f in files for name in re.findall(r"SFRUNNER_[A-Z_]+", f.read_text("utf-8"))}
    text = (REFERENCE / "environment.md").read_text(encoding="utf-8")
    assert set(re.findall(r"`(SFRUNNER_[A-Z_]+)`", text)) == named
    assert variables() == named, "what `runner doctor` compares with"


def test_the_layers_are_those_that_are_checked():
    text = (ROOT / "docs" / "explanation" / "architecture.md").read_text(encoding="utf-8")
    linted = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]
    layers = next(each["layers"] for each in linted["contracts"] if each["type"] == "layers")
    rows = re.findall(r"^\| \d \| ([^|]+) \|", text, re.MULTILINE)
    assert [re.findall(r"\w+", row) for row in rows] == [
        re.findall(r"\w+", each) for each in layers
    ]
    protected = {
        (library, importer.removeprefix("runner."))
        for contract in linted["contracts"]
        if contract["type"] == "protected"
        for library in contract["protected_modules"]
        for importer in contract["allowed_importers"]
    }
    assert set(re.findall(r"^\| `(\w+)` \| `([\w.]+)` \|$", text, re.MULTILINE)) == protected


def test_every_docs_page_says_first_what_it_is_about():
    """In one short paragraph under the title."""
    pages = [page for page in PAGES if page.is_relative_to(ROOT / "docs")]
    assert len(pages) > 50
    for page in pages:
        paragraphs = page.read_text(encoding="utf-8").split("\n\n")
        assert paragraphs[0].startswith("# "), page
        assert re.match(r"[A-Z`]", paragraphs[1]), page
        assert len(paragraphs[1].splitlines()) <= 5, page
        assert not paragraphs[1].startswith("For who"), page
