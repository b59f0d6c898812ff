"""Rules and filters as somebody might write them: used or refused by name, and then no record makes one raise."""

import json
from typing import Any, Final

from stream.detect.documents import documents, mapping
from stream.detect.rules import Refused, RuleSet, _rules, pack_text, packs
from stream.detect.suppressions import suppression_of
from stream.errors import ConfigError
from tests.detect.records import record
from tests.fuzz.draw import Draw

RULES: Final = tuple(document for pack in packs() for document in documents(pack_text(pack), kind="rule"))
FILTER: Final[dict[str, Any]] = {
    "title": "Alice at work",
    "logsource": {"product": "aws", "service": "cloudtrail"},
    "until": "2026-11-24T12:00:00Z",
    "filter": {
        "rules": "any",
        "selection": {"userIdentity.userName|startswith": "alice"},
        "condition": "not selection",
    },
}
_LOADED: Final = RuleSet.load(("ct-013",), ()).rules
_RECORD: Final = record("StopLogging", {"name": "main"})


def TestOneInput(data: bytes) -> None:  # noqa: N802 - libFuzzer's name for it
    """One file: the bytes as text, or a rule or a filter that the bytes alter."""
    draw = Draw(data[1:])
    if data[:1] == b"\0":
        document = draw.altered(draw.one_of(RULES))
        _use(json.dumps(document, default=str), draw)  # which is YAML too
    elif data[:1] == b"\1":
        document = draw.altered(FILTER)
        if isinstance(document, dict):
            _filter(document, draw)
    else:
        _use(data.decode("utf-8", "replace"), draw)


def _use(text: str, draw: Draw) -> None:
    for rule in _rules(text, pack="custom", source="fuzz", variable="RULES", placeholders={}):
        if isinstance(rule, Refused):
            assert "\n" not in str(rule)
            continue
        for one in (_RECORD, draw.altered(_RECORD), draw.json()):
            assert rule.matches(one) in (True, False)


def _filter(document: dict[str, Any], draw: Draw) -> None:
    try:
        suppression = suppression_of(mapping(document, kind="filter"), "fuzz", _LOADED)
    except ConfigError:
        return
    one = draw.altered(_RECORD)
    assert suppression.condition(one if isinstance(one, dict) else {}) in (True, False)
