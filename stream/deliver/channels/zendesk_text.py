"""What Zendesk is told: an alert as the HTML of an internal note, and whether a ticket's comments tell it already.

https://developer.zendesk.com/api-reference/ticketing/tickets/ticket_comments/: `body` would be taken for Markdown.
"""

import html
from typing import Any, Final

from stream.alert import Alert
from stream.deliver.channels.relayed import relayed, unlinked
from stream.deliver.channels.tickets import details, links, mark, own_ids
from stream.deliver.group import Group
from stream.deliver.text import cut
from stream.deliver.words import Style, Words

MAX_SUBJECT: Final = 150  # no limit is documented; more is not shown in a list
MAX_WORDS: Final = 4000
# Five bytes a character at most (`&amp;`): with the links, less than the 65,535 bytes of a comment.
_MAX_TEXT: Final = 10_000

# `{{…}}` would be a placeholder, wherever a trigger of the account's passes the text on: `relayed` breaks it too.
STYLE: Final = Style(prose=unlinked, code=relayed, strong=unlinked)


def comment(alert: Alert, group: Group | None, words: Words, *, minimal: bool, headline: str = "") -> str:
    """The note in HTML: what happened, where to look, the facts, and at its very end the mark of the message."""
    first = "\n".join(part for part in (headline, words.text or words.headline) if part)
    reference = f"Reference: {mark(alert, group)}"
    if minimal:
        return _html("\n".join((cut(first, 1000), *own_ids(alert, group, STYLE, 3), reference)))
    facts = details(alert, group, STYLE, _MAX_TEXT - len(first))
    where = "".join(f'<a href="{html.escape(url)}">{label}</a><br>' for label, url in links(alert))
    return f"<p>{_html(first)}</p><p>{where}{_html(facts)}</p><p>{_html(reference)}</p>"


def is_told(comments: Any, alert: Alert, group: Group | None) -> bool:
    """Whether one of these comments, as Zendesk lists them, ends with the message's mark.

    Its end is ours alone: whatever was recorded stands before it.
    """
    if not isinstance(comments, list):
        return False
    end = f"Reference: {mark(alert, group)}"
    texts = (each.get("plain_body") or each.get("body") for each in comments if isinstance(each, dict))
    return any(isinstance(text, str) and " ".join(text.split()).endswith(end) for text in texts)


def _html(text: str) -> str:
    return html.escape(text, quote=False).replace("\n", "<br>")
