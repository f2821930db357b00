"""Names for files out of the org: none leaves its folder, clashes or is reserved."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.tables.targets.file_names import file_name

ID = "068LO0000000000YAA"


@pytest.mark.parametrize(
    ("wanted", "name"),
    [
        ("Report Q1.pdf", "Report Q1.pdf"),
        ("C:\\fakepath\\a.pdf", "a.pdf"),
        ("../../etc/passwd", "passwd"),
        ("Größe 5 µm.docx", "Größe 5 µm.docx"),
        ('a<b>c:"d|e?f*.txt', "a_b_c__d_e_f_.txt"),
        ("a\nb\0c\u202ecod.exe", "a_b_c_cod.exe"),
        (" a . ", "a"),
        (".hidden", "hidden"),
    ],
)
def test_a_name_keeps_what_is_safe(wanted, name):
    assert file_name(ID, wanted) == f"{ID}-{name}"


@pytest.mark.parametrize("wanted", ["", ".", "..", "/", "a/"])
def test_without_a_name_there_is_the_id(wanted):
    assert file_name(ID, wanted) == ID


def test_a_long_name_is_cut_before_its_extension():
    name = file_name(ID, "ü" * 300 + ".pdf")
    assert name.endswith("ü.pdf")
    assert len(name.encode()) <= 240


@given(st.text())
def test_every_name_is_one_file_in_its_folder(tmp_path_factory, wanted):
    folder = tmp_path_factory.mktemp("names")
    (folder / file_name(ID, wanted)).write_bytes(b"x")
    assert [each.name for each in folder.iterdir()] == [file_name(ID, wanted)]
