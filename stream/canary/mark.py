"""How a call of ours is known again: by a word in its user agent, which CloudTrail records.

https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html. The word
holds 128 random bits that nobody knows who can't read the log files, so that no forged record stands in for it.
"""

import re
import secrets
from collections.abc import Mapping
from typing import Any, Final

from stream.decode.literals import Literal

_PREFIX: Final = "trailstream-canary-"
_MARK: Final = re.compile(_PREFIX + "([0-9a-f]{32})")
_MOST: Final = 10_000  # in a minute, of which all but one are made up

LITERAL: Final = Literal(_PREFIX, whole=False)
"""What the prefilter has to look for beside the rules' texts."""

CALL: Final = Literal("GetCallerIdentity", member="eventName")
"""Where alone it need look: the call that bears the word."""


def fresh() -> str:
    """A token that was never used."""
    return secrets.token_hex(16)


def user_agent(token: str) -> str:
    """The word to send."""
    return _PREFIX + token


class Heard:
    """The tokens of records that have come, since they were last taken."""

    def __init__(self) -> None:
        self._tokens: set[str] = set()

    def hear(self, record: Mapping[str, Any]) -> None:
        """Look at a record: one of ours?"""
        agent = record.get("userAgent")
        if isinstance(agent, str) and (found := _MARK.search(agent)) and len(self._tokens) < _MOST:
            self._tokens.add(found[1])

    def take(self) -> set[str]:
        """What was heard; it is not heard of again."""
        tokens, self._tokens = self._tokens, set()
        return tokens

    def give_back(self, tokens: set[str]) -> None:
        """Take it back: it could not be used."""
        self._tokens |= tokens
