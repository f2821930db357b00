"""Messages for problems of a YAML text.

Knows the error messages of both parsers of PyYAML (libyaml and the one in Python), and which parts
of YAML a job does not allow. Knows nothing of files; imports no YAML.
"""

from __future__ import annotations

from msgspec import Struct


class SyntaxProblem(Struct, frozen=True):
    """A problem of the syntax: its code, what is wrong, and what to write instead."""

    code: str
    message: str
    help: str
    at_start: bool = False
    """Whether to point at the start of the broken construct instead of where parsing failed."""


_TAB = SyntaxProblem("yaml/tab", "tabs cannot indent", "use spaces")
_QUOTE = SyntaxProblem(
    "yaml/unclosed-quote",
    "the quote that opens here is never closed",
    "close it; inside single quotes, write a quote twice: 'it''s'",
    at_start=True,
)
_BRACKET = SyntaxProblem(
    "yaml/unclosed-bracket",
    "the bracket that opens here is not closed, or a comma is missing",
    "close it, or add the comma",
    at_start=True,
)
_COLON = SyntaxProblem(
    "yaml/unexpected-colon",
    "unexpected `:`",
    "quote a value that contains `: `, put a space after a key's colon, or fix the indentation",
)
_INDENT = SyntaxProblem(
    "yaml/indentation",
    "this does not match the indentation of the lines above",
    "align it with its neighbours; a value with text after a closing quote needs other quotes",
)
_QUOTE_ENDED = SyntaxProblem(
    "yaml/quote-in-quotes",
    "unexpected text after the closing quote",
    "write a quote inside single quotes twice: 'it''s'; inside double quotes as \\\"",
)
_DEPTH_HINT = "look for extra brackets or dashes"
_TABLE: tuple[tuple[str, SyntaxProblem], ...] = (
    # libyaml 0.2.6 itself stops at 1,000 levels, before it reports the first of them.
    ("nesting depth", SyntaxProblem(
        "yaml/too-deep", "lists and mappings are nested too deep", _DEPTH_HINT
    )),
    ("tab character", _TAB),
    ("\\t", _TAB),
    ("unexpected end of stream", _QUOTE),
    ("unexpected document", _QUOTE),
    ("unknown escape", SyntaxProblem(
        "yaml/escape",
        "a backslash cannot escape this character",
        "double the backslash, or use single quotes, where it is plain text",
    )),
    ("hexa", SyntaxProblem(
        "yaml/escape",
        "a `\\x` or `\\u` escape is not followed by its digits",
        "double the backslash, or use single quotes, where it is plain text",
    )),
    ("hexdecimal", SyntaxProblem(
        "yaml/escape",
        "a `\\x` or `\\u` escape is not followed by its digits",
        "double the backslash, or use single quotes, where it is plain text",
    )),
    ("escape code", SyntaxProblem(
        "yaml/escape", "this escape is not a character", "write the character itself"
    )),
    ("cannot start any token", SyntaxProblem(
        "yaml/reserved-character",
        "an unquoted value cannot begin with this character",
        "put the value in quotes",
    )),
    ("',' or", _BRACKET),
    ("entries are not allowed", SyntaxProblem(
        "yaml/indentation",
        "a list cannot begin in the middle of a line",
        "put each `- ` on its own line, or write the list as [a, b]",
    )),
    ("values are not allowed", _COLON),
    ("keys are not allowed", _COLON),
    ("could not find expected ':'", SyntaxProblem(
        "yaml/missing-colon",
        "this line has no `:` after its key",
        "write `key: value`",
        at_start=True,
    )),
    ("<document start>", SyntaxProblem(
        "yaml/two-documents",
        "unexpected text after the end of the document",
        "remove the `...` line, or keep one document per file",
    )),
    ("tag handle", SyntaxProblem("yaml/tag", "tags (`!name`) are not supported", "remove the tag")),
    ("alphabetic or numeric", SyntaxProblem(
        "yaml/alias",
        "`*` and `&` begin an alias or an anchor, which are not supported",
        "put a value that begins with `*` or `&` in quotes",
        at_start=True,
    )),
    ("YAML document", SyntaxProblem(
        "yaml/directive", "this YAML version is unknown", "remove the %YAML line"
    )),
    ("comment or line break", SyntaxProblem(
        "yaml/block-text",
        "unexpected text after `|` or `>`",
        "start the text on the next line, indented, or put the value in quotes",
    )),
    ("indentation indicators", SyntaxProblem(
        "yaml/block-text",
        "unexpected text after `|` or `>`",
        "start the text on the next line, indented, or put the value in quotes",
    )),
    ("node content", SyntaxProblem(
        "yaml/reserved-character",
        "a value is missing here, or begins with a character that needs quotes",
        "put the value in quotes",
    )),
    ("expected key", _INDENT),
    ("'-' indicator", _INDENT),
    ("block end", _INDENT),
)  # fmt: skip


NOT_A_FILE = SyntaxProblem(
    "yaml/not-a-file",
    "this is a pipe or a device, which can be read only once",
    "save what it contains to a file, and name that",
)
EMPTY = SyntaxProblem("yaml/empty", "the file is empty", "`runner init` writes a job to start from")
TWO_DOCUMENTS = SyntaxProblem(
    "yaml/two-documents",
    "a second document begins here",
    "keep one document per file; remove the `---`",
)
COMPLEX_KEY = SyntaxProblem(
    "yaml/complex-key",
    "a list or a mapping cannot be a key",
    "write `key: value`; put a key that begins with [ or { in quotes; a job has no placeholders"
    " such as `{{ name }}`",
)
KEY_WITH_BREAK = SyntaxProblem(
    "yaml/complex-key", "a key cannot span several lines", "write `key: value` on one line"
)
MERGE_KEY = SyntaxProblem(
    "yaml/merge-key",
    "merge keys (`<<`) are not supported",
    "write the keys out; put what all tasks share under `defaults`",
)


def not_a_mapping(kind: str) -> SyntaxProblem:
    """The document is a list or a single value."""
    message = f"the file must contain `key: value` lines, not {kind}"
    return SyntaxProblem("yaml/not-a-mapping", message, "begin with `version: 1`")


def too_deep(most: int) -> SyntaxProblem:
    """Too many lists and mappings inside each other."""
    message = f"lists and mappings are nested more than {most} deep"
    return SyntaxProblem("yaml/too-deep", message, _DEPTH_HINT)


def too_large(most_bytes: int) -> SyntaxProblem:
    """The file is too large for a job."""
    message = f"the file is larger than {most_bytes // 1_000_000} MB"
    return SyntaxProblem("yaml/too-large", message, "put rows in files of their own")


def control_character(character: str) -> SyntaxProblem:
    """A character that YAML does not allow."""
    message = f"the text contains a control character (U+{ord(character):04X})"
    hint = "remove it, or write it as an escape in double quotes"
    return SyntaxProblem("yaml/control-character", message, hint)


def not_utf8(content: bytes, offset: int) -> SyntaxProblem:
    """The byte at `offset` is not part of a UTF-8 character."""
    message = f"byte {offset + 1} of the file (0x{content[offset]:02X}) is not UTF-8"
    looks_utf16 = content[:2] in {b"\xff\xfe", b"\xfe\xff"}
    hint = "it looks like UTF-16; save it as UTF-8" if looks_utf16 else "save the file as UTF-8"
    return SyntaxProblem("yaml/not-utf8", message, hint)


def zip_archive() -> SyntaxProblem:
    """The file is a plan, or another ZIP archive."""
    message = "the file is a ZIP archive, such as a saved plan, not YAML"
    hint = "name the YAML file; `runner apply` takes a plan"
    return SyntaxProblem("yaml/zip-archive", message, hint)


def duplicate_key(key: str, first_line: int) -> SyntaxProblem:
    """A key appears twice in one mapping."""
    message = f"the key `{key[:60]}` is already on line {first_line}"
    return SyntaxProblem("yaml/duplicate-key", message, "keep one of them")


def alias(name: str) -> SyntaxProblem:
    """`*name`."""
    hint = "write the value out; put text that begins with `*` in quotes"
    return SyntaxProblem("yaml/alias", f"aliases (`*{name}`) are not supported", hint)


def anchor(name: str) -> SyntaxProblem:
    """`&name`."""
    hint = "remove it; put text that begins with `&` in quotes"
    return SyntaxProblem("yaml/anchor", f"anchors (`&{name}`) are not supported", hint)


def tag(name: str) -> SyntaxProblem:
    """`!name`; the parser writes `!!` out."""
    name = name.replace("tag:yaml.org,2002:", "!!")
    hint = "remove the tag; put text that begins with `!` in quotes"
    return SyntaxProblem("yaml/tag", f"tags (`{name}`) are not supported", hint)


def explain(problem: str, line: str, column: int = 0) -> SyntaxProblem:
    """The message for a parser's `problem`, found at `column` (from 0) of `line`."""
    indentation = line[: len(line) - len(line.lstrip())]
    before = line[:column].rstrip()
    if before.endswith(("'", '"')) and ("expected key" in problem or "block end" in problem):
        return _QUOTE_ENDED
    if "\t" in indentation and "quote" not in problem:
        return _TAB
    for part, found in _TABLE:
        if part in problem:
            return found
    return SyntaxProblem("yaml/syntax", f"this is not YAML: {problem}", "fix the syntax")
