"""Zendesk: one ticket a trail by the Ticketing API, which each further alert joins as an internal note.

https://developer.zendesk.com/api-reference/ticketing/tickets/tickets/ and …/ticketing/introduction/#idempotency

Nothing is added twice that stands among the last 20 comments of the open ticket. Replicas that open a ticket for one
trail at one moment use one `Idempotency-Key` (good for two hours), so that all but one are refused and join it. What
is still doubled: a note that two replicas add at the same moment, for an update takes no such key; and a repeat that
comes after 20 other comments, or after its ticket was solved.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final, Self
from urllib.parse import quote, urlencode

import orjson
from pydantic import AfterValidator, Field, SecretStr, model_validator

from stream.alert import Alert
from stream.deliver.channel import Accepted, Answer, Down, PeopleChannel, Rejected, Retry
from stream.deliver.channels.tickets import base_url, basic, late, mark, marked_late
from stream.deliver.channels.zendesk_text import MAX_SUBJECT, MAX_WORDS, STYLE, comment, is_told
from stream.deliver.group import Group
from stream.deliver.http import HttpChannel, Reply, classify
from stream.deliver.trail import incident_id
from stream.deliver.words import Words
from stream.settings import PeopleSettings
from stream.severity import Severity

_MAX_REPLY_BYTES: Final = 4 * 1024**2  # of a list: 50 tickets with all their fields, 20 comments in three forms each
_TICKETS: Final = 50
_COMMENTS: Final = 20
_OPEN: Final = frozenset({"new", "open", "pending", "hold"})
_PRIORITIES: Final = ("low", "normal", "high", "urgent")
_PRIORITY: Final[Mapping[Severity, str]] = {
    "critical": "urgent",
    "high": "high",
    "medium": "normal",
    "low": "low",
    "informational": "low",
}
_EMAIL: Final = re.compile(r"[^\s:@/]+@[^\s:@/]+")
_TOKEN: Final = re.compile(r"[!-~]+")


def _email(value: str | None) -> str | None:
    if value is not None and not _EMAIL.fullmatch(value):
        raise ValueError("must be the email address of an agent, without /token behind it")
    return value


def _api_token(value: SecretStr | None) -> SecretStr | None:
    if value is not None and not _TOKEN.fullmatch(value.get_secret_value()):
        raise ValueError("must be an API token, as Zendesk's Admin Center shows it once")
    return value


class ZendeskSettings(PeopleSettings):
    """Variables of the channel `zendesk`."""

    env_prefix = "TRAILSTREAM_ZENDESK_"

    url: Annotated[str | None, AfterValidator(base_url)] = Field(
        None, description="Address of the Zendesk account (https://<subdomain>.zendesk.com)."
    )
    email: Annotated[str | None, AfterValidator(_email)] = Field(
        None, description="Email address of the agent who opens the tickets."
    )
    api_token: Annotated[SecretStr | None, AfterValidator(_api_token)] = Field(
        None, description="API token of the account."
    )

    @model_validator(mode="after")
    def _has_credentials(self) -> Self:
        if self.url is not None and (self.email is None or self.api_token is None):
            raise ValueError(
                "TRAILSTREAM_ZENDESK_URL: it takes TRAILSTREAM_ZENDESK_EMAIL and TRAILSTREAM_ZENDESK_API_TOKEN as well"
            )
        return self

    @property
    def enabled(self) -> bool:
        """Whether `TRAILSTREAM_ZENDESK_URL` is set."""
        return self.url is not None


@dataclass(frozen=True, slots=True)
class _Ticket:
    """A ticket of one incident; `priority` is as in `_PRIORITIES`, or `None`."""

    id: int
    open: bool
    priority: str | None


class ZendeskChannel(HttpChannel, PeopleChannel):
    """Opens a ticket, or adds an internal note to the open one of the same trail; each step is a request."""

    kind = "zendesk"
    deduplicates = True
    concurrency = 1  # one after the other: two at once would both find nothing to join
    section = ZendeskSettings
    example = (
        ("url", "https://placeholder.zendesk.com"),
        ("email", "trailstream@example.com"),
        ("api_token", "placeholder-for-a-token"),
    )
    settings: ZendeskSettings

    async def tell(self, alert: Alert, group: Group | None, *, minimal: bool = False) -> Answer:
        """Look for the open ticket, and add to it or open one; see `PeopleChannel.tell`."""
        words = self.words(alert, group, STYLE, headline=MAX_SUBJECT, text=MAX_WORDS)
        for contested in (False, True):
            found = await self._find(alert)
            if not isinstance(found, list):
                return found
            joined = next((ticket for ticket in found if ticket.open), None)
            if joined is not None:
                answer = await self._join(joined, alert, group, words, minimal=minimal)
                if answer not in (Down("not_found"), Rejected("payload")):
                    return answer
                # Closed or merged since we looked, or it has its 5,000 comments: a new one.
            latest = found[0].id if found else 0
            answer = await self._open(latest, alert, group, words, minimal=minimal, contested=contested)
            if answer is not _CONTESTED:
                return answer
        return Retry("other")

    async def probe(self) -> Answer:
        """Ask who we are: a wrong token makes us an anonymous user, with a 200; see `Channel.probe`."""
        said = await self._read("/api/v2/users/me.json", {})
        if not isinstance(said, dict):
            return said
        user = said.get("user")
        if not isinstance(user, dict) or not user.get("id"):
            return Accepted() if self.rehearsal is not None else Down("unauthorized")
        return Accepted() if user.get("role") in ("agent", "admin") else Down("forbidden")

    def judge(self, reply: Reply) -> Answer:
        """Classify an answer; a refusal of the agent who asks is the channel's fault, no alert's."""
        if reply.status == 409:  # another request works on that ticket, or with that key
            return Retry("other", reply.retry_after_s)
        if reply.status == 422 and _names_requester(reply):
            return Down("forbidden")
        return classify(reply)

    async def _find(self, alert: Alert) -> list[_Ticket] | Answer:
        """The tickets of the alert's incident, the latest first, or why nobody can say."""
        key = incident_id(alert)
        parameters = {"external_id": key, "sort_by": "id", "sort_order": "desc", "per_page": str(_TICKETS)}
        said = await self._read("/api/v2/tickets.json", parameters)
        if not isinstance(said, dict):
            return said
        if self.rehearsal is not None:
            return []
        rows = said.get("tickets")
        if not isinstance(rows, list):
            return Retry("other")
        # Asked again of each: were the parameter not understood, these would be anybody's tickets.
        mine = [row for row in rows if isinstance(row, dict) and row.get("external_id") == key]
        tickets = [
            _Ticket(row["id"], row.get("status") in _OPEN, row.get("priority"))
            for row in mine
            if isinstance(row.get("id"), int)
        ]
        return sorted(tickets, key=lambda ticket: ticket.id, reverse=True)

    async def _open(
        self, latest: int, alert: Alert, group: Group | None, words: Words, *, minimal: bool, contested: bool
    ) -> Answer:
        """Open a ticket, the next after the ticket `latest`.

        The key is the same for whoever opens this one; save, once it was refused and no ticket came to light (it was
        deleted), that of this message alone: an alert is rather told twice than held for the key's two hours.
        """
        key = incident_id(alert)
        ticket: dict[str, Any] = {
            "subject": marked_late(words.headline, group, MAX_SUBJECT),
            "comment": {"html_body": comment(alert, group, words, minimal=minimal), "public": False},
            "external_id": key,
            "priority": _priority(alert, group),
        }
        if not minimal:
            ticket |= {"type": "incident", "tags": ["trailstream"]}
        used = f"{key}/{latest}/{minimal}" + (f"/{mark(alert, group)}" if contested else "")
        headers = {"Idempotency-Key": hashlib.sha256(used.encode()).hexdigest()}
        return await self._write("POST", "/api/v2/tickets.json", {"ticket": ticket}, headers)

    async def _join(self, ticket: _Ticket, alert: Alert, group: Group | None, words: Words, *, minimal: bool) -> Answer:
        path = f"/api/v2/tickets/{ticket.id}"
        said = await self._read(f"{path}/comments.json", {"sort": "-created_at", "page[size]": str(_COMMENTS)})
        if not isinstance(said, dict):
            return said
        if is_told(said.get("comments"), alert, group):
            return Accepted()
        note = comment(alert, group, words, minimal=minimal, headline=marked_late(words.headline, group, MAX_SUBJECT))
        change: dict[str, Any] = {"comment": {"html_body": note, "public": False}}
        priority = _priority(alert, group)
        if _rank(priority) > _rank(ticket.priority):  # raised, never lowered
            change["priority"] = priority
        return await self._write("PUT", f"{path}.json", {"ticket": change}, {})

    async def _read(self, path: str, parameters: Mapping[str, str]) -> dict[str, Any] | Answer:
        """What a GET says; a refusal is the channel's fault, for nothing of an alert's is in the request."""
        query = f"?{urlencode(parameters, quote_via=quote)}" if parameters else ""
        reply = await self._ask("GET", path + query, b"", {})
        if not isinstance(reply, Reply):
            return reply
        if self.rehearsal is not None:
            return {}
        if not 200 <= reply.status < 300:
            answer = self.judge(reply)
            return Down("other") if isinstance(answer, Rejected) else answer
        return _json(reply) or _no_answer(reply)

    async def _write(self, method: str, path: str, fields: Mapping[str, Any], headers: Mapping[str, str]) -> Answer:
        reply = await self._ask(method, path, orjson.dumps(fields), headers)
        if not isinstance(reply, Reply):
            return reply
        if self.rehearsal is not None:
            return Accepted()
        if reply.status == 400 and "IdempotentRequestError" in reply.text:
            return _CONTESTED
        if not 200 <= reply.status < 300:
            return self.judge(reply)
        ticket = _json(reply).get("ticket")
        return Accepted() if isinstance(ticket, dict) and ticket.get("id") else _no_answer(reply)

    async def _ask(self, method: str, path: str, body: bytes, headers: Mapping[str, str]) -> Reply | Answer:
        settings = self.settings
        token = (settings.api_token or SecretStr("")).get_secret_value()
        sent = {"Accept": "application/json", "Authorization": basic(f"{settings.email}/token", token), **headers}
        if body:
            sent["Content-Type"] = "application/json"
        url = SecretStr(f"{settings.url}{path}")
        return await self.exchange(url, body, sent, method=method, max_bytes=_MAX_REPLY_BYTES)


_CONTESTED: Final = Rejected("other")
"""The key was used already, with another ticket: another replica has opened one for this incident."""


def _priority(alert: Alert, group: Group | None) -> str:
    return "low" if late(group) else _PRIORITY[alert.severity]


def _rank(priority: str | None) -> int:
    return _PRIORITIES.index(priority) if priority in _PRIORITIES else -1


def _json(reply: Reply) -> dict[str, Any]:
    """The object that an answer holds; empty where it holds none."""
    try:
        said = orjson.loads(reply.text)
    except orjson.JSONDecodeError:
        return {}
    return said if isinstance(said, dict) else {}


def _no_answer(reply: Reply) -> Retry:
    """A 2xx that answers nothing: a page of something between us, or a body that broke off."""
    return Retry("server_error" if reply.text.lstrip().startswith("<") else "other", reply.retry_after_s)


def _names_requester(reply: Reply) -> bool:
    faults = _json(reply).get("details")
    return isinstance(faults, dict) and "requester" in faults
