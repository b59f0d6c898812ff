"""Conditions of a policy's statement: a statement in; out, whom it leaves alone.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
"""

from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any, Final

from stream.json_value import flag, fold, integer_text, items

_NEWEST_TLS: Final = 1.3
_LESS: Final = ("numericlessthan", "numericlessthanifexists")
_EQUALS: Final = ("stringequals", "stringequalsignorecase", "stringlike", "arnequals", "arnlike")
_OF_SOURCE: Final = ("aws:sourcearn", "aws:sourceaccount")
_OF_CALLER: Final = ("aws:principalarn", "aws:principalaccount", "kms:calleraccount")


def is_of_transport(statement: Mapping[str, Any]) -> bool:
    """Whether it concerns only who does not encrypt, or does so in an old way: neither CloudTrail nor a reader."""
    tests = list(_tests(statement))
    return bool(tests) and all(_fails_tls(*test) for test in tests)


def is_for_others(statement: Mapping[str, Any], account: str, *, any_trail: bool = False) -> bool:
    """Whether it can't be met by this account, or a trail of its; anything but a plain comparison may be.

    Args:
        statement: of a policy.
        account: 12 digits; empty: any.
        any_trail: another account's trail is as good.
    """
    for operator, key, values in _tests(statement):
        plain = operator.removeprefix("foranyvalue:")
        if key in _OF_SOURCE:  # CloudTrail always names its trail: "if exists" changes nothing
            plain = plain.removesuffix("ifexists")
            home = "" if any_trail else account
        elif key in _OF_CALLER:
            home = account
        else:
            continue
        if plain in _EQUALS and values and not any(_may_be(each, home, key) for each in values):
            return True
    return False


def _may_be(value: Any, account: str, key: str) -> bool:
    text = value if isinstance(value, str) else integer_text(value)
    if text is None or "${" in text:
        return True
    if not key.endswith("arn"):
        return not account or fnmatchcase(account, text)
    parts = text.split(":", 5)
    if len(parts) < 6:  # a wildcard for several of them
        return "*" in text
    is_trail = key != "aws:sourcearn" or fnmatchcase("cloudtrail", parts[2])
    return is_trail and (not account or fnmatchcase(account, parts[4]))


def _tests(statement: Mapping[str, Any]) -> Iterator[tuple[str, str, list[Any]]]:
    """Each operator, key and list of values."""
    condition = statement.get("Condition")
    for operator, test in condition.items() if isinstance(condition, Mapping) else ():
        for key, values in test.items() if isinstance(test, Mapping) else ():
            yield fold(str(operator)), fold(str(key)), items(values)


def _fails_tls(operator: str, key: str, values: list[Any]) -> bool:
    if key == "aws:securetransport":
        return operator in ("bool", "boolifexists") and bool(values) and all(flag(each) is False for each in values)
    return key == "s3:tlsversion" and operator in _LESS and bool(values) and all(map(_is_tls, values))


def _is_tls(version: Any) -> bool:
    """Whether there is such a version: nobody has one that is not older than a later one."""
    try:
        return float(version) <= _NEWEST_TLS
    except (TypeError, ValueError, OverflowError):
        return False
