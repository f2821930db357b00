"""The local org's pages for contributors: excerpts are the code's own, and names exist."""

import re
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs" / "how-to" / "write-a-local-org-resource.md").read_text(encoding="utf-8")
EXCERPTS = re.findall(r"^```python\n# (\S+)\n(.*?)^```$", GUIDE, re.DOTALL | re.MULTILINE)
NAMES = sorted(set(re.findall(r"`((?:records|resources|soql|store|api_errors)\.[\w.]+)`", GUIDE)))


@pytest.mark.parametrize(("file", "excerpt"), EXCERPTS, ids=[each[0] for each in EXCERPTS])
def test_an_excerpt_of_the_guide_is_the_code(file, excerpt):
    assert excerpt in (ROOT / file).read_text(encoding="utf-8")


def test_every_python_block_of_the_guide_names_its_file():
    assert len(EXCERPTS) == GUIDE.count("```python") > 0


@pytest.mark.parametrize("name", NAMES)
def test_a_name_of_the_guide_exists(name):
    module, _, member = name.rpartition(".")
    assert hasattr(import_module(f"runner.local_org.{module}"), member)


@pytest.mark.parametrize("folder", sorted(set(re.findall(r"`((?:runner|tests)/[\w./]+)`", GUIDE))))
def test_a_file_or_folder_of_the_guide_exists(folder):
    assert (ROOT / folder).exists()
