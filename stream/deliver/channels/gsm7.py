"""Text for telephones: any text in, one in the GSM 7-bit default alphabet out, so many septets long at most.

3GPP TS 23.038, 6.2.1 (https://www.etsi.org/deliver/etsi_ts/123000_123099/123038/): a single character outside of it
turns a message of 160 septets into several of 70 characters or fewer, each paid for.
"""

import re
import unicodedata
from typing import Final

from stream.deliver.text import printable

SEGMENT: Final = 160
"""Septets of a message that is not split."""

_ONE: Final = frozenset(
    "@£$¥èéùìòÇ\nØøÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿"
    "abcdefghijklmnopqrstuvwxyzäöñüà"
)
_TWO: Final = frozenset("^{}\\[~]|€")  # each with an escape before it
_CUT: Final = "..."
_INSTEAD: Final = str.maketrans(
    {
        **dict.fromkeys("`\u00b4\u2018\u2019\u201a", "'"),
        **dict.fromkeys("\u00ab\u00bb\u201c\u201d\u201e", '"'),
        **dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2212", "-"),
        "\u2192": "->",
        "\u2026": "...",
        "\u0131": "i",
        "Đ": "D",
        "đ": "d",
        "Ł": "L",
        "ł": "l",
        "Œ": "OE",
        "œ": "oe",
    }
)
# Brackets cost two septets, and are what links, tags and templates are made of where a message is passed on.
_ROUND: Final = str.maketrans("<>{}[]`", "()()()'")
# A space keeps a telephone from making a link of an address, and a chat from calling everybody.
_TRIGGERS: Final = re.compile(
    r"(?i):(?=//)|@(?=channel|here|everyone)|(?<=\bwww)(?=\.)|(?<=[a-z0-9-])(?=\.[a-z]{2,})", re.ASCII
)


def gsm7(text: str) -> str:
    """The text in that alphabet: accents that it lacks are dropped, and a letter that it lacks is a `?`."""
    if all(character in _ONE for character in text):
        return text
    return "".join(_letter(character) for character in unicodedata.normalize("NFC", text.translate(_INSTEAD)))


def septets(text: str) -> int:
    """How long a text in that alphabet is."""
    return len(text) + sum(character in _TWO for character in text)


def fit(text: str, limit: int) -> str:
    """The text in that alphabet, of at most `limit` septets; one that is cut ends in three dots."""
    text = gsm7(text)
    if septets(text) <= limit:
        return text
    kept, room = 0, limit - len(_CUT)
    while (room := room - (2 if text[kept] in _TWO else 1)) >= 0:
        kept += 1
    return text[:kept].rstrip() + _CUT


def spoken(text: str, limit: int) -> str:
    """What was recorded, on one line, in that alphabet, with nothing in it that a telephone makes a link of."""
    shown = printable(text[: limit + 1]).translate(_ROUND)
    return fit(_TRIGGERS.sub(lambda found: found[0] + " ", gsm7(shown)), limit)


def _letter(character: str) -> str:
    if character in _ONE or character in _TWO:
        return character
    if unicodedata.combining(character):
        return ""
    bare = "".join(part for part in unicodedata.normalize("NFKD", character) if not unicodedata.combining(part))
    return bare if bare and all(part in _ONE or part in _TWO for part in bare) else "?"
