"""Conditions of a policy's statement: a statement in; out, whom it leaves alone.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from stream.json_value import flag, fold, items

_NEWEST_TLS: Final = 1.3


def is_of_transport(statement: Mapping[str, Any]) -> bool:
    """Whether it concerns only who does not encrypt, or does so in an old way: neither CloudTrail nor a reader."""
    tests = list(_tests(statement))
    return bool(tests) and all(_fails_tls(*test) for test in tests)


def _tests(statement: Mapping[str, Any]) -> Iterator[tuple[str, str, list[Any]]]:
    """Each operator, key and list of values."""
    condition = statement.get("Condition")
    for operator, test in condition.items() if isinstance(condition, Mapping) else ():
        for key, values in test.items() if isinstance(test, Mapping) else ():
            yield fold(str(operator)), fold(str(key)), items(values)


def _fails_tls(operator: str, key: str, values: list[Any]) -> bool:
    if key == "aws:securetransport":
        return operator in ("bool", "boolifexists") and bool(values) and all(flag(each) is False for each in values)
    return key == "s3:tlsversion" and operator == "numericlessthan" and bool(values) and all(map(_is_tls, values))


def _is_tls(version: Any) -> bool:
    """Whether there is such a version: nobody has one that is not older than a later one."""
    try:
        return float(version) <= _NEWEST_TLS
    except (TypeError, ValueError, OverflowError):
        return False
