"""Text that an attacker may have typed in, text that does nothing to a terminal out.

Control codes, bidirectional overrides, zero-width characters and lone surrogates come out as visible escapes.
"""

from functools import lru_cache
from typing import Final

REDACTED: Final = "********"
"""What is shown in a secret's place."""

# Letters by their Unicode category, yet nothing to be seen: Hangul fillers, the blank of Braille, Khmer vowels
# (https://www.unicode.org/reports/tr44/#Default_Ignorable_Code_Point).
_INVISIBLE: Final = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")


def inert(text: str, limit: int | None = None) -> str:
    r"""The text as printable characters: U+202E becomes `\u202e`, any kind of blank a space.

    Args:
        text: anything, lone surrogates too.
        limit: cut to so many characters, the last being an ellipsis.
    """
    if limit is not None and len(text) > limit:
        text = text[: limit + 1]  # escapes only make it longer: what is behind that is cut in any case
    if not text.isprintable() or not (text.isascii() or _INVISIBLE.isdisjoint(text)):
        text = "".join(map(_visible, text))
    return text if limit is None or len(text) <= limit else text[: limit - 1] + "…"


def is_seen(character: str) -> bool:
    """Whether a reader sees this character and it moves none beside it."""
    return character.isprintable() and character not in _INVISIBLE


def stripped(text: str) -> str:
    """The text without any character that does not print or is not seen; what separates words becomes a space."""
    if text.isprintable() and (text.isascii() or _INVISIBLE.isdisjoint(text)):
        return text
    return "".join(character if is_seen(character) else " " if character.isspace() else "" for character in text)


@lru_cache(maxsize=4096)  # whoever fills a text with what can't be seen should not hold us up by it
def _visible(character: str) -> str:
    if is_seen(character):
        return character
    if character.isspace() and character not in "\x1c\x1d\x1e\x1f\x0b\x0c\x85":
        return " "
    code = ord(character)
    if code <= 0xFF:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"
