"""Answers in JSON as typed values: the one place where their form is checked.

An answer that is not whole JSON arrived damaged, and is fetched again. One that is JSON of another
form than its reader declares is an error that names the request, the member and what belongs
there. Knows msgspec. Knows nothing of what an answer means.
"""

from __future__ import annotations

import json
import re
from functools import cache
from http import HTTPStatus
from typing import Annotated, Any, TypeVar

import msgspec

from runner.errors import DamagedAnswerError, UnexpectedAnswerError
from runner.salesforce.http.messages import OrgResponse, shown

Count = Annotated[int, msgspec.Meta(ge=0)]
"""A number of things in an answer."""
_Form = TypeVar("_Form")
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_WHOLE = msgspec.json.Decoder(msgspec.Raw)
_WRONG_TYPE = re.compile(r"Expected `(?P<expected>.*?)`, got `(?P<got>.*?)`")
_MISSING = re.compile(r"missing required field `(?P<name>.*?)`")
_PLACE = re.compile(r" - at `\$\.?(?P<place>.*)`$")


def check_whole(answer: OrgResponse) -> None:
    """Check that a success has a whole JSON text, or a status that has none.

    Raises:
        DamagedAnswerError: It was cut off, or comes from something in front of the org.
    """
    if not answer.body.strip():
        if answer.status == HTTPStatus.OK:
            raise DamagedAnswerError(f"The answer to {_asked(answer)}", "it is empty")
        return
    try:
        answer.body.decode()
        _WHOLE.decode(answer.body)
    except RecursionError:
        return  # its reader says what is wrong
    except _UNREADABLE as error:
        if not _is_json(answer.body):
            raise DamagedAnswerError(
                f"The answer to {_asked(answer)}",
                f"it is not JSON: {_beginning(answer)}",
                hint="A proxy or login page may have answered; check the host and HTTPS_PROXY.",
            ) from error


def read_json(answer: OrgResponse, form: type[_Form]) -> _Form:
    """Decode an answer.

    Args:
        answer: A success.
        form: A msgspec Struct, or a list of them.

    Raises:
        UnexpectedAnswerError: It is not JSON, or has another form.
    """
    try:
        found: _Form = _decoder(form).decode(answer.body)  # type: ignore[arg-type]
    except msgspec.ValidationError as error:
        raise _other_form(answer, error) from error
    except _UNREADABLE:
        return _read_slowly(answer, form)
    return found


def _read_slowly(answer: OrgResponse, form: type[_Form]) -> _Form:
    """What msgspec refuses and Python reads: half a surrogate pair, a byte order mark."""
    try:
        return msgspec.convert(json.loads(answer.body), form)
    except msgspec.ValidationError as error:
        raise _other_form(answer, error) from error
    except RecursionError as error:
        raise UnexpectedAnswerError(
            f"The answer to {_asked(answer)} is nested too deeply to be read.",
            status=answer.status,
        ) from error
    except ValueError as error:
        raise UnexpectedAnswerError(
            f"The org answered {answer.status} to {_asked(answer)} with something that is not "
            f"JSON: {_beginning(answer)}",
            status=answer.status,
            hint="A proxy or login page may have answered; check the host and HTTPS_PROXY.",
        ) from error


@cache
def _decoder(form: Any) -> msgspec.json.Decoder[Any]:  # noqa: ANN401 - any type that msgspec reads
    return msgspec.json.Decoder(form)


def _other_form(answer: OrgResponse, error: msgspec.ValidationError) -> UnexpectedAnswerError:
    text = str(error)
    place = _PLACE.search(text)
    member = place["place"].replace("[...]", "[]") if place else ""
    missing, wrong = _MISSING.search(text), _WRONG_TYPE.search(text)
    if missing:
        where = f" in {member}" if member else ""
        what = f"lacks {missing['name']}{where}"
    elif wrong:
        what = f"has `{wrong['got']}` at {member or 'its top'} instead of `{wrong['expected']}`"
    else:
        what = f"does not fit at {member or 'its top'}: {_PLACE.sub('', text)}"
    return UnexpectedAnswerError(
        f"The answer to {_asked(answer)} {what}.",
        status=answer.status,
        hint="No Salesforce API answers like this: check the host, and the proxy if there is one.",
    )


def _beginning(answer: OrgResponse) -> str:
    """How a web page begins; anything else may be half of an answer with a secret in it."""
    text = answer.text.lstrip()
    return shown(text) if text.startswith("<") or not text else f"{len(answer.body):,} bytes"


def _asked(answer: OrgResponse) -> str:
    return answer.request or "a request"


def _is_json(body: bytes) -> bool:
    try:
        json.loads(body)
    except RecursionError:
        return True
    except ValueError:
        return False
    return True
