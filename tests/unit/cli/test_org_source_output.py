"""What a pull from metadata says it has read."""

from pathlib import Path

from runner.cli.options import Output
from runner.cli.org_source_output import tell
from runner.runs.org_from_source import PulledSource


def pulled(source):
    return PulledSource(
        org_file=Path("org.yaml"),
        lock_file=Path("org.lock.json"),
        source=Path(source),
        objects=("Account",),
        gone=(),
        left_out=(),
        not_in_source=(),
        without_values=("Account.Tier__c (Tiers)",),
        custom_settings=(),
        rules_left_out=(),
    )


def test_the_current_folder_is_told_in_words(capsys):
    for source, name in ((".", "this folder"), ("force-app", "force-app")):
        tell(pulled(source), Output.TEXT, quiet=False)
        out, err = capsys.readouterr()
        assert out.startswith(f"1 object of {name}:\n")
        assert err.endswith(f"their value sets are not in {name}.\n")
