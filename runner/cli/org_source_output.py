"""What `runner org pull --from-source` prints: what was written, and what was not taken over.

Knows the words. Knows nothing of metadata.
"""

from __future__ import annotations

import json

from msgspec import to_builtins

from runner.cli.options import Output
from runner.cli.terminal import echo
from runner.runs.org_from_source import PulledSource
from runner.wording import counted

_MOST_LISTED = 20


def tell(pulled: PulledSource, output: Output, *, quiet: bool) -> None:
    """Print what was written from metadata, and what was not."""
    if output is Output.JSON:
        document = to_builtins(pulled, enc_hook=str)
        echo(json.dumps(document, ensure_ascii=False, indent=2))
        return
    # The current folder's `.` would end a sentence twice.
    source = str(pulled.source) if pulled.source.name else "this folder"
    for name in pulled.gone:
        echo(f"warning: the project no longer has {name}.", err=True)
    notices = (
        ("an org file cannot declare {}", pulled.left_out),
        ("{} not defined in {source}, and declared only in part", pulled.not_in_source),
        ("{} declared as texts: their value sets are not in {source}", pulled.without_values),
        (
            "custom settings declared as custom objects, without SetupOwnerId: {}",
            pulled.custom_settings,
        ),
        ("validation rules left out, with what they use: {}", pulled.rules_left_out),
    )
    for words, listed in notices:
        if listed:
            more = len(listed) - _MOST_LISTED
            shown = ", ".join(listed[:_MOST_LISTED]) + (f" and {more:,} more" if more > 0 else "")
            echo(f"warning: {words.format(shown, source=source)}.", err=True)
    if not quiet:
        number = len(pulled.objects)
        echo(f"{counted(number, 'object')} of {source}:")
        written = (pulled.org_file, pulled.lock_file, *pulled.schemas)
        echo("\n".join(f"  {each}" for each in written))
