"""The form of a file of routes: what may stand where, as pydantic's models, and its errors in plain words."""

from collections.abc import Iterable, Iterator
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, WithJsonSchema

from stream.deliver.routes import AT_LEAST, OUTCOMES
from stream.deliver.routes_yaml import Path
from stream.nearest import hint
from stream.severity import SEVERITIES, Severity

_SHOWN_CHARACTERS: Final = 60


def _listed(value: Any) -> Any:
    """One text is a list of one."""
    return (value,) if isinstance(value, str) else value


def _some(texts: tuple[str, ...]) -> tuple[str, ...]:
    if not texts or not all(texts):
        raise ValueError("nothing stands there, so that nothing would match; leave it out to match anything")
    return texts


def _severities(texts: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(AT_LEAST * text.startswith(AT_LEAST) + _severity(text) for text in texts)


def _severity(text: str) -> str:
    return _one_of(text.removeprefix(AT_LEAST).strip(), SEVERITIES)


def _outcomes(texts: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(_one_of(text, OUTCOMES) for text in texts)


def _one_of(text: str, known: Iterable[str]) -> str:
    known = tuple(known)
    if text not in known:
        raise ValueError(f"{text[:_SHOWN_CHARACTERS]!r} is unknown; {hint(text, known)}")
    return text


def _or_list(*forms: dict[str, Any]) -> WithJsonSchema:
    items = forms[0] if len(forms) == 1 else {"anyOf": list(forms)}
    return WithJsonSchema({"anyOf": [*forms, {"type": "array", "items": items, "minItems": 1}]})


_GLOB: Final = {"type": "string", "minLength": 1}
_Names = Annotated[
    tuple[str, ...],
    BeforeValidator(_listed),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}),
]
_Texts = Annotated[tuple[str, ...], BeforeValidator(_listed), AfterValidator(_some)]
_Globs = Annotated[_Texts, _or_list(_GLOB)]
_Accounts = Annotated[_Texts, _or_list(_GLOB, {"type": "integer"})]
_Outcomes = Annotated[_Texts, AfterValidator(_outcomes), _or_list({"enum": list(OUTCOMES)})]
_Severities = Annotated[
    _Texts,
    AfterValidator(_severities),
    _or_list({"enum": [*SEVERITIES, *(AT_LEAST + severity for severity in SEVERITIES)]}),
]


class _Form(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class Conditions(_Form):
    """What an alert has to be: of each, one glob (`*`, `?`, `[…]`) or a list of them, any of which is enough."""

    severity: _Severities = Field(default=(), description="Severities; `>=high` is that one or one more severe.")
    account: _Accounts = Field(default=(), description="The account's id or name, in any case of letters.")
    ou: _Globs = Field(
        default=(),
        description="Path of the account's organizational unit, such as Root/Workloads/Prod, in any case of letters; "
        "known if TRAILSTREAM_ACCOUNTS is `organizations`, or a file that says so.",
    )
    tag: _Globs = Field(
        default=(), description="A tag of the account as `key=value`, such as env=prod; known as the unit is."
    )
    rule: _Globs = Field(default=(), description="The rule's id or title, in any case of letters.")
    region: _Globs = Field(default=(), description="The event's region.")
    event: _Globs = Field(default=(), description="The event's name, such as StopLogging.")
    outcome: _Outcomes = Field(default=(), description="What became of the call.")
    actor: _Globs = Field(
        default=(), description="The caller's ARN, the ARN of the role that it has assumed, or its name."
    )


class Match(Conditions):
    """All of these have to hold."""

    min_severity: Severity | None = Field(default=None, description="The same as a severity of `>=` this.")
    but_not: Conditions = Field(default=Conditions(), alias="not", description="None of these may hold.")


class RouteForm(_Form):
    """One way to channels."""

    match: Match = Field(default=Match(), description="Which alerts it takes; left out: all.")
    channels: _Names = Field(description="Names of the channels that it leads to; none: what it takes goes nowhere.")
    goes_on: bool = Field(default=False, alias="continue", description="Ask the routes after this one as well.")


class RoutesFile(_Form):
    """The whole file."""

    channels: dict[str, Any] = Field(
        default={}, description="Channels by names of their own, beside those that variables switch on."
    )
    routes: tuple[RouteForm, ...] = Field(default=(), description="The first that matches takes an alert.")
    default: _Names | None = Field(
        default=None, description="Channels of what no route takes; left out: every channel that is on; `[]`: none."
    )


_FORMS: Final[dict[str, type[_Form]]] = {"routes": RouteForm, "match": Match, "not": Conditions}

_PLAIN: Final = {
    "model_type": "a mapping should stand here",
    "dict_type": "a mapping should stand here",
    "tuple_type": "a list should stand here",
    "list_type": "a list should stand here",
    "string_type": "a text should stand here",
    "bool_type": "it should be true or false",
    "bool_parsing": "it should be true or false",
    "missing": "it is required",
}


def faults(error: ValidationError) -> Iterator[tuple[Path, str]]:
    """For each fault of a file, where it is and what is wrong."""
    for fault in error.errors(include_url=False, include_input=False):
        place, kind = fault["loc"], fault["type"]
        if kind == "extra_forbidden":
            yield place, f"it is unknown; {hint(str(place[-1]), _keys_beside(place))}"
        elif kind == "literal_error":
            yield place, f"it should be one of {', '.join(SEVERITIES)}"
        else:
            yield place, _PLAIN.get(kind) or fault["msg"].removeprefix("Value error, ")


def _keys_beside(place: Path) -> list[str]:
    form: type[_Form] = RoutesFile
    for step in place[:-1]:
        form = _FORMS.get(str(step), form)
    return [info.alias or name for name, info in form.model_fields.items()]
