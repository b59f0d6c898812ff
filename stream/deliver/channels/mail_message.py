"""An alert as a mail in MIME: one alert makes one Message-ID, one trail one thread, and no header is an attacker's."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from hashlib import sha256
from typing import Final

from stream.alert import Alert
from stream.deliver.channels.mail_body import Body
from stream.deliver.group import Group
from stream.deliver.trail import incident_id, trail_arn
from stream.severity import Severity

_MAX_ADDRESS: Final = 254  # RFC 5321, 4.5.3.1.3, without the angle brackets
_ADDRESS: Final = re.compile(
    r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*@"
    r"[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)*"
)
_NAMED: Final = re.compile(r'"?(?P<name>[^<>"\\]{0,100}?)"?\s*<(?P<address>[^<>\s]+)>')
_PLAIN_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")

# Understood by Outlook, Thunderbird and Apple Mail; Importance: RFC 2156.
_PRIORITIES: Final[dict[Severity, str]] = {"critical": "1 (Highest)", "high": "2 (High)"}


@dataclass(frozen=True, slots=True)
class Envelope:
    """Who writes to whom, when."""

    sender: Address
    recipients: tuple[str, ...]
    date: datetime


# Python folds a name of a mail that is longer than a line into encoded words, which nobody decodes there: no reader
# would find the thread. RFC 5322 allows lines of 998.
_POLICY: Final = SMTP.clone(max_line_length=990)


def is_address(text: str) -> bool:
    """Whether it is a mailbox in ASCII, as `name@host`; a host in other letters is written as `xn--…`."""
    return len(text) <= _MAX_ADDRESS and text.rpartition("@")[0][64:] == "" and _ADDRESS.fullmatch(text) is not None


def sender_address(text: str) -> Address:
    """What `name@host`, or `Name <name@host>`, says.

    Raises:
        ValueError: it is neither.
    """
    named = _NAMED.fullmatch(text)
    name, address = (named["name"], named["address"]) if named else ("", text)
    if not is_address(address) or not name.isprintable() or "=?" in name:
        raise ValueError("must be an address in ASCII, as alerts@example.com or Trailstream <alerts@example.com>")
    return Address(display_name=name, addr_spec=address)


def message(alert: Alert, group: Group | None, body: Body, envelope: Envelope) -> EmailMessage:
    """The whole mail: a plain text and the same in HTML."""
    made = text_message(alert, group, body.subject, body.text, envelope)
    made.add_alternative(body.html, subtype="html", cte="quoted-printable")
    return made


def text_message(alert: Alert, group: Group | None, subject: str, text: str, envelope: Envelope) -> EmailMessage:
    """A mail of plain text alone."""
    domain = envelope.sender.domain
    made = EmailMessage(policy=_POLICY)
    made["From"] = envelope.sender
    made["To"] = [Address(addr_spec=each) for each in envelope.recipients]
    made["Subject"] = subject
    made["Date"] = envelope.date
    made["Message-ID"] = f"<{_name(alert, group)}@{domain}>"
    if (thread := _thread(alert, group)) is not None:
        made["In-Reply-To"] = made["References"] = f"<{thread}@{domain}>"
    made["List-Id"] = f"Trailstream <trailstream.{domain}>"
    made["Auto-Submitted"] = "auto-generated"  # RFC 3834: no vacation notices, please
    made["X-Auto-Response-Suppress"] = "All"  # the same for Exchange
    if alert.severity in _PRIORITIES and not (group is not None and group.late):
        made["X-Priority"] = _PRIORITIES[alert.severity]
        made["Importance"] = "high"
    made.set_content(text, cte="quoted-printable")
    return made


def _name(alert: Alert, group: Group | None) -> str:
    """The same for the same alerts: where a mail was sent twice, programs that look at that show it once."""
    if group is not None:
        return f"group-{_digest(sorted(group.ids))}"
    return alert.id if _PLAIN_ID.fullmatch(alert.id) else _digest([alert.id])


def _thread(alert: Alert, group: Group | None) -> str | None:
    """The id of a mail that nobody has ever sent, which all mails about one trail say they answer."""
    alerts = group.alerts if group is not None else (alert,)
    incidents = {incident_id(each) for each in alerts}
    return incidents.pop() if len(incidents) == 1 and trail_arn(alert) is not None else None


def _digest(parts: Sequence[str]) -> str:
    return sha256("\n".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:32]
