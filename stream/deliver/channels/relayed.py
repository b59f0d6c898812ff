"""Text for services that pass it on (to chats, mails, telephones) in formats we can't know, made inert for all of them.

No link, tag, mention or template comes out of what an attacker typed, and limits hold by cutting free texts first.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, urlsplit

from stream.deliver.text import CUT, cut, printable

_MAX_URL: Final = 2000
# Tags (`<at>`, `<!channel>`, HTML) can't be escaped for a reader unknown; the look-alikes mean nothing to any.
_LOOK_ALIKES: Final = str.maketrans({"<": "\u2039", ">": "\u203a", "`": "\u02cb"})
# A word joiner (U+2060) is not seen, and keeps these from being recognised: mentions, addresses, Markdown's links,
# templates (`{{DATE(…)}}` of Adaptive Cards and Go, `${…}`).
_TRIGGERS: Final = re.compile(
    r"(?i)@(?=channel|here|everyone)|(?<!\bs3):(?=//)|(?<=www)\.|\](?=[(\[])|\{(?=[{%])|\$(?=\{)"
)
# Mail programs and chats make links of bare names too: `evil.example`, `help@evil.example`.
_NAMES: Final = re.compile(r"(?<=[^\W_])\.(?=[^\W\d_]{2})|@(?=[^\W_])")
_HOST: Final = re.compile(r"[A-Za-z0-9._-]+(:[0-9]+)?")  # no login: `https://aws.amazon.com@evil.example/`
_STRAY_PERCENT: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")


@dataclass(frozen=True, slots=True)
class Limits:
    """How much of an alert is told.

    Attributes:
        free: characters of one free text (a user agent, an error message, a parameter's value).
        ids: characters of one identifier (an ARN, a key, a name); more than any real one has.
        items: of one list.
    """

    free: int
    ids: int
    items: int


def relayed(text: str, limit: int) -> str:
    """At most `limit` characters on one line, which no program that shows it takes for anything but text."""
    part = text[:limit]  # a text may have megabytes, and is shown at several limits
    shown = _TRIGGERS.sub(lambda found: found[0] + "\u2060", printable(part).translate(_LOOK_ALIKES))
    if len(part) < len(text):
        return shown[: max(limit - len(CUT), 0)] + CUT
    return cut(shown, limit)


def unlinked(text: str, limit: int) -> str:
    """As `relayed`, and without any name of a host or a mailbox that a program would make a link of.

    For what is read; what is to be copied (an ARN, a key) is better `relayed`, for this puts joiners into it.
    """
    return cut(_NAMES.sub(lambda found: found[0] + "\u2060", relayed(text, limit)), limit)


def web_address(url: str | None) -> str | None:
    """A link of our own as an absolute http(s) URL in ASCII; `None` if it is none."""
    if url is None or len(url) > _MAX_URL:
        return None
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and parts.port != 0 and _HOST.fullmatch(parts.netloc) is not None
    except ValueError:
        return None
    if not usable:
        return None
    # What is percent-encoded already stays; a % that encodes nothing is refused by stricter readers.
    return quote(_STRAY_PERCENT.sub("%25", url), safe="%/:=&?~#+!$,;'@()*", errors="replace")


def fitting(make: Callable[[Limits], bytes], levels: Sequence[Limits], max_bytes: int) -> bytes:
    """What `make` makes of the first of the levels, from the most generous down, that keeps within `max_bytes`.

    Raises:
        ValueError: not even the last does, which is a fault of the levels.
    """
    for limits in levels:
        body = make(limits)
        if len(body) <= max_bytes:
            return body
    raise ValueError(f"no limits keep the message within {max_bytes} bytes")
