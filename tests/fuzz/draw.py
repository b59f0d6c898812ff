"""Bytes in, values of any shape out: what a fuzzer turns in the bytes, it turns in the value."""

from collections.abc import Sequence
from typing import Any, Final, TypeVar

from tests.deliver.channels.attacks import ATTACKS

T = TypeVar("T")

_MOST: Final = 6
_DEEPEST: Final = 8
_NUMBERS: Final = (0, -1, 1.5, 1e308, float("inf"), float("nan"), 2**63, -(2**64), 10**40)
_LONGEST_ATTACK: Final = 4096
_WORDS: Final = (
    "AccessDenied", "AssumedRole", "Client.DryRunOperation", "IAMUser", "Root", "StopLogging", "UpdateTrail",
    "DeleteTrail", "CreateTrail", "PutEventSelectors", "RemoveTags", "PutInsightSelectors", "true", "false", "All",
    "ReadOnly", "WriteOnly", "Management", "Data", "kms.amazonaws.com", "rdsdata.amazonaws.com", "eventCategory",
    "cloudtrail.amazonaws.com", "signin.amazonaws.com", "us-east-1", "111122223333", "2026-03-01T12:00:00Z",
    "arn:aws:cloudtrail:us-east-1:111122223333:trail/main", "arn:aws:s3:::logs/", "arn:", ":::::",
    "HIDDEN_DUE_TO_SECURITY_REASONS",
    *(text[:_LONGEST_ATTACK] for text in ATTACKS.values()),
)  # fmt: skip


class Draw:
    """Reads values off bytes; when they are used up, everything is the simplest there is."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def byte(self) -> int:
        if self._at >= len(self._data):
            return 0
        self._at += 1
        return self._data[self._at - 1]

    def one_of(self, choices: Sequence[T]) -> T:
        return choices[self.byte() % len(choices)]

    def rest(self) -> bytes:
        rest, self._at = self._data[self._at :], len(self._data)
        return rest

    def text(self) -> str:
        kind = self.byte()
        if kind < 200:
            return _WORDS[kind % len(_WORDS)]
        size = self.byte()
        raw, self._at = self._data[self._at : self._at + size], self._at + size
        try:
            return raw.decode("utf-8", "surrogatepass")
        except UnicodeDecodeError:
            return raw.decode("latin-1")

    def json(self, depth: int = 0) -> Any:
        """Any value that a JSON parser might return."""
        match self.byte() % 8 if depth < _DEEPEST else self.byte() % 4:
            case 0:
                return self.text()
            case 1:
                return self.one_of((None, True, False))
            case 2:
                return self.byte() if self.byte() % 2 else self.one_of(_NUMBERS)
            case 3:
                return self.text()
            case 4 | 5:
                return [self.json(depth + 1) for _ in range(self.byte() % _MOST)]
            case _:
                return {self.text(): self.json(depth + 1) for _ in range(self.byte() % _MOST)}

    def altered(self, value: Any) -> Any:
        """The same value, with whatever the bytes say in the place of some of its parts; it is not changed itself."""
        fate = self.byte() % 16
        if fate == 1:
            return self.json()
        if isinstance(value, dict):
            members = {key: self.altered(member) for key, member in value.items() if self.byte() % 16 != 1}
            if fate == 2:
                members[self.text()] = self.json()
            return members
        if isinstance(value, list):
            items = [self.altered(item) for item in value]
            return items * (1 + self.byte() % 4) if fate == 2 else items
        return self.text() if fate == 3 and isinstance(value, str) else value
