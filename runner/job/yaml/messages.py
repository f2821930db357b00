"""What can be wrong with a YAML text, in plain words.

Knows how the two parsers of PyYAML (libyaml and the one in Python) word their findings, and what a
job does not take of YAML. Knows nothing of files; imports no YAML.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Complaint:
    """A syntax problem as a person would tell it."""

    code: str
    message: str
    help: str
    at_start: bool = False
    """Point at where the broken thing began rather than where it was noticed."""


_TAB = Complaint("yaml/tab", "a tab stands where spaces must indent", "indent with spaces")
_QUOTE = Complaint(
    "yaml/unclosed-quote",
    "the quote that opens here is never closed",
    "close it; a quote inside single quotes is written twice: 'it''s'",
    at_start=True,
)
_BRACKET = Complaint(
    "yaml/unclosed-bracket",
    "the bracket that opens here is not closed, or a comma is missing",
    "close it, or put a comma between the elements",
    at_start=True,
)
_COLON = Complaint(
    "yaml/unexpected-colon",
    "a `:` stands where no key can be",
    "quote a value that holds `: `, put a space after a key's colon, or mend the indentation",
)
_INDENT = Complaint(
    "yaml/indentation",
    "this does not fit the lines above it",
    "line it up with its neighbours; a value that goes on after a closing quote needs other quotes",
)
_QUOTE_ENDED = Complaint(
    "yaml/quote-in-quotes",
    "the text goes on after its closing quote",
    "a quote inside single quotes is written twice: 'it''s'; inside double quotes, as \\\"",
)
_TABLE: tuple[tuple[str, Complaint], ...] = (
    ("tab character", _TAB),
    ("\\t", _TAB),
    ("unexpected end of stream", _QUOTE),
    ("unexpected document", _QUOTE),
    ("unknown escape", Complaint(
        "yaml/escape",
        "a backslash stands before a character that it does not escape",
        "double the backslash, or use single quotes, in which it is plain text",
    )),
    ("hexa", Complaint(
        "yaml/escape",
        "a `\\x` or `\\u` escape is not followed by its digits",
        "double the backslash, or use single quotes, in which it is plain text",
    )),
    ("hexdecimal", Complaint(
        "yaml/escape",
        "a `\\x` or `\\u` escape is not followed by its digits",
        "double the backslash, or use single quotes, in which it is plain text",
    )),
    ("escape code", Complaint(
        "yaml/escape", "this escape is no character", "write the character itself"
    )),
    ("cannot start any token", Complaint(
        "yaml/reserved-character",
        "an unquoted value cannot begin with this character",
        "put the value in quotes",
    )),
    ("',' or", _BRACKET),
    ("entries are not allowed", Complaint(
        "yaml/indentation",
        "a list begins in the middle of a line",
        "put each `- ` on a line of its own, or write the list as [a, b]",
    )),
    ("values are not allowed", _COLON),
    ("keys are not allowed", _COLON),
    ("could not find expected ':'", Complaint(
        "yaml/missing-colon",
        "this line has no `:` after its key",
        "write `key: value`",
        at_start=True,
    )),
    ("<document start>", Complaint(
        "yaml/two-documents",
        "the text goes on after the end of the document",
        "remove the `...` line, or keep one document a file",
    )),
    ("tag handle", Complaint("yaml/tag", "tags (`!name`) are not read", "remove the tag")),
    ("alphabetic or numeric", Complaint(
        "yaml/alias",
        "`*` and `&` begin an alias or an anchor, which are not read",
        "put a value that begins with `*` or `&` in quotes",
        at_start=True,
    )),
    ("YAML document", Complaint(
        "yaml/directive", "this YAML version is not known", "remove the %YAML line"
    )),
    ("comment or line break", Complaint(
        "yaml/block-text",
        "text stands right after `|` or `>`",
        "begin the text on the next line, indented, or put the value in quotes",
    )),
    ("indentation indicators", Complaint(
        "yaml/block-text",
        "text stands right after `|` or `>`",
        "begin the text on the next line, indented, or put the value in quotes",
    )),
    ("node content", Complaint(
        "yaml/reserved-character",
        "a value is missing here, or begins with a character that needs quotes",
        "put the value in quotes",
    )),
    ("expected key", _INDENT),
    ("'-' indicator", _INDENT),
    ("block end", _INDENT),
)  # fmt: skip


EMPTY = Complaint("yaml/empty", "the file is empty", "`runner init` writes a job to start from")
TWO_DOCUMENTS = Complaint(
    "yaml/two-documents",
    "a second document begins here",
    "keep one document a file; remove the `---`",
)
COMPLEX_KEY = Complaint(
    "yaml/complex-key",
    "a list or a mapping stands where a key must be",
    "write `key: value`; a key that begins with [ or { stands in quotes",
)
KEY_WITH_BREAK = Complaint(
    "yaml/complex-key", "a key goes over several lines", "write `key: value` on one line"
)
MERGE_KEY = Complaint(
    "yaml/merge-key",
    "merge keys (`<<`) are not read",
    "write the keys out; what all tasks share goes under `defaults`",
)


def not_a_mapping(kind: str) -> Complaint:
    """The document is a list or a single value."""
    message = f"the file holds {kind} where `key: value` lines must be"
    return Complaint("yaml/not-a-mapping", message, "begin with `version: 1`")


def too_deep(most: int) -> Complaint:
    """Too many collections in one another."""
    message = f"more than {most} lists and mappings stand in one another"
    return Complaint("yaml/too-deep", message, "look for brackets or dashes that are too many")


def too_large(most_bytes: int) -> Complaint:
    """The file is no job's size."""
    message = f"the file is larger than {most_bytes // 1_000_000} MB"
    return Complaint("yaml/too-large", message, "rows belong in files of their own")


def control_character(character: str) -> Complaint:
    """A character that no YAML text may hold."""
    message = f"there is a control character (U+{ord(character):04X}) in the text"
    hint = "remove it, or write it as an escape in double quotes"
    return Complaint("yaml/control-character", message, hint)


def not_utf8(content: bytes, offset: int) -> Complaint:
    """The byte at `offset` is part of no UTF-8 character."""
    message = f"byte {offset + 1} of the file (0x{content[offset]:02X}) is not UTF-8"
    looks_utf16 = content[:2] in {b"\xff\xfe", b"\xfe\xff"}
    hint = "it looks like UTF-16; save it as UTF-8" if looks_utf16 else "save the file as UTF-8"
    return Complaint("yaml/not-utf8", message, hint)


def unreadable(error: Exception) -> Complaint:
    """The file cannot be opened."""
    if isinstance(error, FileNotFoundError):
        return Complaint("yaml/no-file", "there is no such file", "check the path")
    if isinstance(error, IsADirectoryError):
        return Complaint("yaml/folder", "this is a folder", "name a YAML file in it")
    reason = getattr(error, "strerror", None) or str(error)
    message = f"the file cannot be read: {reason}"
    return Complaint("yaml/unreadable", message, "check the path and its permissions")


def duplicate_key(key: str, first_line: int) -> Complaint:
    """A key stands twice in one mapping."""
    message = f"`{key[:60]}` is already there, on line {first_line}"
    return Complaint("yaml/duplicate-key", message, "keep one of the two")


def alias(name: str) -> Complaint:
    """`*name`."""
    hint = "write the value out; a text that begins with `*` stands in quotes"
    return Complaint("yaml/alias", f"aliases (`*{name}`) are not read", hint)


def anchor(name: str) -> Complaint:
    """`&name`."""
    hint = "remove it; a text that begins with `&` stands in quotes"
    return Complaint("yaml/anchor", f"anchors (`&{name}`) are not read", hint)


def tag(name: str) -> Complaint:
    """`!name`; the parser writes `!!` out."""
    name = name.replace("tag:yaml.org,2002:", "!!")
    hint = "remove the tag; a text that begins with `!` stands in quotes"
    return Complaint("yaml/tag", f"tags (`{name}`) are not read", hint)


def explain(problem: str, line: str, column: int = 0) -> Complaint:
    """Word a parser's `problem`, noticed at `column` (from 0) of `line`."""
    indentation = line[: len(line) - len(line.lstrip())]
    before = line[:column].rstrip()
    if before.endswith(("'", '"')) and ("expected key" in problem or "block end" in problem):
        return _QUOTE_ENDED
    if "\t" in indentation and "quote" not in problem:
        return _TAB
    for words, complaint in _TABLE:
        if words in problem:
            return complaint
    return Complaint("yaml/syntax", f"this is not YAML: {problem}", "mend the syntax")
