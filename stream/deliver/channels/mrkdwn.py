"""Text for Slack, made inert: no mention, link, format or emoji comes out of what an attacker typed, and limits hold.

https://docs.slack.dev/messaging/formatting-message-text
"""

import re
from collections.abc import Callable
from typing import Final
from urllib.parse import quote, urlsplit

from stream.deliver.text import CUT, printable

_MAX_URL: Final = 2000
_ENTITIES: Final = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})
# mrkdwn knows no escape for these; the look-alikes format nothing.
_LOOK_ALIKES: Final = str.maketrans({"*": "\u2217", "~": "\u223c", "`": "\u02cb"})
_EMPHASIS: Final = re.compile(r"(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])")  # not within a word: there `_` means nothing
# A word joiner (U+2060) is not seen, and keeps these from being recognised. Two digits between colons are a time's.
_TRIGGERS: Final = re.compile(r"(?i)@(?=channel|here|everyone)|:(?=//|(?!\d\d:)[\w+'-]+:)|(?<=www)\.")


def plain(text: str, limit: int) -> str:
    """For a text object of type `plain_text`, or where formats are off: at most `limit` characters, escaped."""
    return _fit(printable(text), limit, lambda part: part.translate(_ENTITIES))


def code(text: str, limit: int = 300) -> str:
    """For `mrkdwn`: the text as inline code, in which nothing is formatted and which can be copied as it is."""
    shown = _fit(printable(text), limit - 2, lambda part: part.replace("`", "\u02cb").translate(_ENTITIES))
    return f"`{shown}`" if shown else "_none_"


def prose(text: str, limit: int) -> str:
    """For `mrkdwn`: the text as it reads, every character of a format replaced by its look-alike."""
    return _fit(printable(text), limit, _disarm)


def link(url: str | None, label: str) -> str | None:
    """For `mrkdwn`: a link of our own; `None` if the address is none that Slack would open."""
    if url is None:
        return None
    try:
        usable = urlsplit(url).scheme in ("http", "https") and len(url) <= _MAX_URL
    except ValueError:
        return None
    # What could end the link early is percent-encoded; what is encoded already stays.
    address = quote(url, safe="%/:=&?~#+!$,;'@()*[]", errors="replace").translate(_ENTITIES)
    return f"<{address}|{label}>" if usable else None


def _disarm(text: str) -> str:
    text = _EMPHASIS.sub("\u02cd", text.translate(_LOOK_ALIKES))
    return _TRIGGERS.sub(lambda found: found[0] + "\u2060", text).translate(_ENTITIES)


def _fit(text: str, limit: int, escape: Callable[[str], str]) -> str:
    """The longest beginning of the text that, escaped, is within the limit; one that is cut says so."""
    whole = escape(text[: limit + 1])
    if len(text) <= limit and len(whole) <= limit:
        return whole
    kept = limit - len(CUT)
    while len(part := escape(text[:kept])) > limit - len(CUT):
        # One character becomes six at most, so this never takes more than is needed.
        kept -= max((len(part) - (limit - len(CUT))) // 6, 1)
    return part + CUT
