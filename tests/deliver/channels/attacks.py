"""What an attacker might type where it will be shown to people, and an alert that has it everywhere."""

import re
from typing import Any, Final

from stream.alert import Alert, Change, Links, LogFile, Resource, RuleInfo
from tests.deliver.alerts import make_alert

ATTACKS: Final = {
    "slack mention": "<!channel> <@U123> <!here|here>",
    "slack link": "<https://evil.example|Open in the CloudTrail console>",
    "teams mention": "<at>Security Team</at> < AT >x</at>",
    "broadcast": "@channel @HERE @everyone",
    "markdown link": "[Open in the CloudTrail console](https://evil.example) [a][b] ![x](http://evil.example/x.png)",
    "markdown format": "**bold** _it_ ~~no~~ `code` ``` # head\n- list\n1. one\n> quote",
    "bare address": "http://evil.example HTTPS://evil.example www.evil.example WWW.evil.example ftp://evil.example",
    "html": "<script>alert(1)</script><img src=x onerror=alert(1)><a href='https://evil.example'>x</a>",
    "card template": "{{DATE(2017-02-14T06:00:00Z, SHORT)}} ${evil} {{ .Labels }} {% raw %} @{variables('x')}",
    "json": '"}],"routing_key":"other","severity":"info","a":[{"b":"',
    "new lines": "first\r\nsecond\n\nthird\u2028fourth\u2029fifth\x85sixth\x0bseventh",
    "terminal": "\x1b[31mred\x1b]0;title\x07\x00\x9b",
    "direction": "\u202egnp.exe\u2066x\u2069\u200b\u200d\ufeff\u3164",
    "half a surrogate": "\ud83d lone \udc00",
    "long": "x" * 100_000,
    "long in two bytes": "ü" * 100_000,
    "long in four bytes": "😀" * 100_000,
    "long in escapes": '"\\' * 50_000,
    "long and invisible": "\u202e" * 50_000,
    "blank": " \n\t ",
    "nothing": "",
}


def hostile(text: str, items: int = 3) -> Alert:
    """An alert that has the text in every field that may hold one."""
    return make_alert(
        title=text,
        summary=text,
        rule=RuleInfo(text, text, "high"),
        event_id=text,
        event_name=text,
        event_source=text,
        event_time=text,
        event_region=text,
        event_account_id=text,
        event_account_name=text,
        event_type=text,
        event_error_code=text,
        event_error_message=text,
        event_outcome="denied",
        actor_type=text,
        actor_name=text,
        actor_session_name=text,
        actor_source_identity=text,
        actor_arn=text,
        actor_account_id=text,
        actor_principal_id=text,
        actor_access_key_id=text,
        actor_source_ip=text,
        actor_location=text,
        actor_user_agent=text,
        actor_invoked_by=text,
        resources=tuple(Resource("AWS::CloudTrail::Trail", text, None) for _ in range(items)),
        changes=tuple(Change(text, [text] if n % 2 else text, text) for n in range(items)),
        log_file=LogFile(text, text, text),
        links=Links(text, text),
        context={"calls": {text: 1, "DescribeTrails": 2**70}},
    )


def texts(value: Any) -> list[str]:
    """Every text in a JSON value, names of fields too."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return [text for item in value.items() for part in item for text in texts(part)]
    if isinstance(value, list):
        return [text for item in value for text in texts(item)]
    return []


_ACTIVE: Final = re.compile(
    r"(?i)[<>`]|@(channel|here|everyone)\b|(?<!s3)://|www\.(?!\u2060)|\]\(|\]\[|\{\{|\{%|\$\{|[\x00-\x09\x0b-\x1f\x7f-\x9f]|"
    r"[\u2028\u2029\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff\u3164\ud800-\udfff]"
)


def active(text: str) -> str | None:
    """What in a text does something to a program that shows it, if anything does."""
    found = _ACTIVE.search(text)
    return found[0] if found else None
