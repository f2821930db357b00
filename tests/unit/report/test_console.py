import io

import pytest

from runner.report.console import console_for


@pytest.mark.parametrize("columns", ["0", "1", "20", "x"])
def test_what_is_printed_is_never_left_out_for_lack_of_columns(columns, monkeypatch):
    monkeypatch.setenv("COLUMNS", columns)
    stream = io.StringIO()
    console_for(stream).print("plan: create 1 [bold] :smile:", soft_wrap=True)
    assert stream.getvalue() == "plan: create 1 [bold] :smile:\n"
