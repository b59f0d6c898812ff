"""A filter's condition (parsed by pySigma) in; out, whether a caller may meet it by nothing but what he types."""

from itertools import product
from typing import Final, Literal

from sigma.conditions import (
    ConditionAND,
    ConditionFieldEqualsValueExpression,
    ConditionNOT,
    ConditionOR,
    ConditionValueExpression,
)
from sigma.types import SigmaString

_Kind = Literal["typed", "proven", "chosen"]
_Way = frozenset[_Kind]

_TYPED: Final = ("userAgent", "requestParameters", "responseElements", "additionalEventData", "errorMessage")
"""Text of the caller's own making, or an echo of it."""
_PROVEN: Final = ("userIdentity", "sourceIPAddress", "vpcEndpointId", "vpcEndpointAccountId")
"""What AWS has made sure of. Everything else (the event's name, its region) comes with the call that is made."""
_ANSWERED: Final = ("additionalEventData.MFAUsed", "responseElements.ConsoleLogin")
"""What AWS says of a sign-in, in places that are otherwise the caller's."""
_ENDS_IN_SESSION: Final = ("userIdentity.arn", "userIdentity.principalId")
"""Of an assumed role, these end in the name that whoever assumed it gave to the session."""


def is_forgeable(condition: object) -> bool:
    """Whether some way to be suppressed (that is, not to meet the condition) rests on typed text and nothing proven."""
    return any("typed" in way and "proven" not in way for way in _ways(condition, wanted=False))


def _ways(condition: object, *, wanted: bool) -> set[_Way]:
    """The kinds of facts that make the condition come out as wanted, each set of them enough by itself."""
    if isinstance(condition, ConditionNOT):
        return _ways(condition.args[0], wanted=not wanted)
    if isinstance(condition, ConditionAND | ConditionOR):
        parts = [_ways(argument, wanted=wanted) for argument in condition.args]
        if isinstance(condition, ConditionAND) is not wanted:
            return set().union(*parts)
        ways: set[_Way] = {frozenset()}
        for part in parts:
            ways = {one | other for one, other in product(ways, part)}
        return ways
    if not wanted:
        return {frozenset()}  # most records don't have the value that is looked for
    return {frozenset({_kind(condition)})}


def _kind(leaf: object) -> _Kind:
    if isinstance(leaf, ConditionValueExpression):
        return "typed"  # a keyword is looked for everywhere
    if not isinstance(leaf, ConditionFieldEqualsValueExpression):
        return "chosen"
    if leaf.field in _ANSWERED:
        return "chosen"
    if _is_below(leaf.field, _TYPED) or (leaf.field in _ENDS_IN_SESSION and _is_session_only(leaf.value)):
        return "typed"
    return "proven" if _is_below(leaf.field, _PROVEN) else "chosen"


def _is_below(field: str, roots: tuple[str, ...]) -> bool:
    return any(field == root or field.startswith(f"{root}.") for root in roots)


def _is_session_only(value: object) -> bool:
    """Whether a text is looked for at an ARN's end or anywhere in it, and has nothing of the role: `*/terraform`."""
    if not isinstance(value, SigmaString):
        return False
    text = str(value)
    return text.startswith("*") and not set("/:") & set(text.strip("*").lstrip("/:"))
