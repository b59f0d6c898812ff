"""ServiceNow: one incident a trail by the Table API, which each further alert joins as a work note; or events.

https://www.servicenow.com/docs/r/api-reference/rest-apis/c_TableAPI.html

Nothing is added twice to a record that remembers it: the marks of its last eight messages stand in its
`correlation_display`, and are written with the note itself. What is still doubled: a repeat that comes later than
eight others or after the record was closed; and what two replicas do at the same moment. If both open an incident,
the two have one `correlation_id`, and the oldest open one is joined from there on.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote, urlencode

import orjson
from pydantic import SecretStr

from stream.alert import Alert
from stream.deliver.channel import Accepted, Answer, Down, PeopleChannel, Rejected, Retry
from stream.deliver.channels.servicenow_settings import EVENTS, ServicenowSettings
from stream.deliver.channels.servicenow_text import STYLE, event, impact_and_urgency, incident, note
from stream.deliver.channels.tickets import MARK_CHARACTERS, basic, mark
from stream.deliver.group import Group
from stream.deliver.http import HttpChannel, Reply, classify
from stream.deliver.trail import incident_id
from stream.deliver.words import Words

EVENTS_PATH: Final = "/api/global/em/jsonv2"

_MAX_REPLY_BYTES: Final = 65_536
_MAX_HEADLINE: Final = 160  # of `short_description`, as tasks have it
_MAX_WORDS: Final = 1400  # of the 4,000 of a description
_MARKS: Final = 8  # that many fit the 100 characters of `correlation_display`
_MARK: Final = re.compile(f"[0-9a-f]{{{MARK_CHARACTERS}}}")


@dataclass(frozen=True, slots=True)
class _Record:
    """An open record; `impact` and `urgency` are `None` where they are none of 1, 2 and 3."""

    sys_id: str
    marks: tuple[str, ...]
    impact: int | None
    urgency: int | None


class ServicenowChannel(HttpChannel, PeopleChannel):
    """Opens an incident, or adds a work note to the open one of the same trail; each step is a request."""

    kind = "servicenow"
    deduplicates = True
    concurrency = 1  # one after the other: two at once would both find nothing, and open two incidents
    section = ServicenowSettings
    example = (
        ("url", "https://placeholder.service-now.com"),
        ("username", "trailstream"),
        ("password", "placeholder-for-a-password"),
    )
    settings: ServicenowSettings

    async def tell(self, alert: Alert, group: Group | None, *, minimal: bool = False) -> Answer:
        """Look for the open record, and add to it or open one; see `PeopleChannel.tell`."""
        words = self.words(alert, group, STYLE, headline=_MAX_HEADLINE, text=_MAX_WORDS)
        if self.settings.table == EVENTS:
            body = event(alert, group, words, self.settings.more_fields, minimal=minimal)
            return await self._write("POST", EVENTS_PATH, body)
        found = await self._find(alert)
        if isinstance(found, _Record):
            answer = await self._join(found, alert, group, words, minimal=minimal)
            if answer not in (Down("forbidden"), Down("not_found")):
                return answer
            again = await self._find(alert)
            if isinstance(again, _Record):  # open still: it's we who may not write to it; or another has come
                return answer if again.sys_id == found.sys_id else Retry("other")
            found = again
        return found or await self._open(alert, group, words, minimal=minimal)

    async def probe(self) -> Answer:
        """Ask for one record of the table, with the credentials; see `Channel.probe`."""
        found = await self._read({"sysparm_limit": "1", "sysparm_fields": "sys_id,correlation_id"})
        if isinstance(found, list):
            kept = self.settings.table == EVENTS or all("correlation_id" in row for row in found)
            return Accepted() if kept else _LOST
        # Whoever may send events need not be allowed to read them.
        return Accepted() if self.settings.table == EVENTS and found == Down("forbidden") else found

    def judge(self, reply: Reply) -> Answer:
        """Classify a write: a 2xx counts only with the record that was made, and no page is an answer.

        An instance that sleeps says 200 with a page of HTML; a transaction that was cancelled, 200 with an `error`.
        """
        if not 200 <= reply.status < 300:
            return classify(reply)
        result = _result(reply)
        if not isinstance(result, dict):
            return _no_answer(reply)
        if self.settings.table == EVENTS:  # {"Default Bulk Endpoint": "1 events were inserted"}
            return Rejected("other") if "0 events were inserted" in result.values() else Accepted()
        return Accepted() if result.get("sys_id") else Retry("other")

    async def _find(self, alert: Alert) -> _Record | Answer | None:
        """The oldest open record of the alert's incident, `None` where there is none, or why nobody can say."""
        key = incident_id(alert)
        # A resolved incident is active until it is closed, and nobody looks at it: it counts as done.
        unresolved = "^stateNOT IN6,7,8" if self.settings.table == "incident" else ""
        found = await self._read(
            {
                "sysparm_query": f"correlation_id={key}^active=true{unresolved}^ORDERBYsys_created_on^ORDERBYsys_id",
                "sysparm_fields": "sys_id,correlation_id,correlation_display,active,impact,urgency",
                "sysparm_exclude_reference_link": "true",
                "sysparm_limit": "1",
            }
        )
        if not isinstance(found, list):
            return found
        if not found:
            return None
        row = found[0]
        # A part of a query that the table does not know is left out without a word: this may be anybody's record.
        if row.get("correlation_id") != key or row.get("active") != "true" or not row.get("sys_id"):
            return _LOST
        marks = tuple(_MARK.findall(str(row.get("correlation_display"))))
        return _Record(str(row["sys_id"]), marks, _level(row.get("impact")), _level(row.get("urgency")))

    async def _open(self, alert: Alert, group: Group | None, words: Words, *, minimal: bool) -> Answer:
        impact, urgency = impact_and_urgency(alert, group)
        fields = incident(alert, group, words, minimal=minimal) | {
            "correlation_id": incident_id(alert),
            "correlation_display": _display((mark(alert, group),)),
            "impact": str(impact),
            "urgency": str(urgency),
        }
        return await self._write(
            "POST", f"{self._table_path}?sysparm_fields=sys_id", self.settings.more_fields | fields
        )

    async def _join(self, record: _Record, alert: Alert, group: Group | None, words: Words, *, minimal: bool) -> Answer:
        told = mark(alert, group)
        if told in record.marks:
            return Accepted()
        fields = {
            "work_notes": note(alert, group, words, minimal=minimal),
            "correlation_display": _display((told, *record.marks)),
        }
        impact, urgency = impact_and_urgency(alert, group)
        if record.impact is not None and impact < record.impact:  # raised, never lowered
            fields["impact"] = str(impact)
        if record.urgency is not None and urgency < record.urgency:
            fields["urgency"] = str(urgency)
        path = f"{self._table_path}/{quote(record.sys_id, safe='')}?sysparm_fields=sys_id"
        return await self._write("PATCH", path, fields)

    async def _read(self, parameters: Mapping[str, str]) -> list[dict[str, Any]] | Answer:
        """Rows of the table; a refusal is the channel's fault, for nothing of an alert's is in the request."""
        path = f"{self._table_path}?{urlencode(parameters, quote_via=quote)}"
        reply = await self._ask("GET", path, b"")
        if not isinstance(reply, Reply):
            return reply
        if self.rehearsal is not None:
            return []
        if reply.status == 404 and "No Record found" in reply.text:  # as its first version says that there are none
            return []
        if not 200 <= reply.status < 300:
            answer = classify(reply)
            return Down("other") if isinstance(answer, Rejected) else answer
        result = _result(reply)
        if not isinstance(result, list) or not all(isinstance(row, dict) for row in result):
            return _no_answer(reply)
        return result

    async def _write(self, method: str, path: str, fields: Mapping[str, Any]) -> Answer:
        reply = await self._ask(method, path, orjson.dumps(fields))
        if not isinstance(reply, Reply):
            return reply
        return Accepted() if self.rehearsal is not None else self.judge(reply)

    async def _ask(self, method: str, path: str, body: bytes) -> Reply | Answer:
        settings = self.settings
        if settings.token is not None:
            credentials = f"Bearer {settings.token.get_secret_value()}"
        else:
            credentials = basic(settings.username or "", (settings.password or SecretStr("")).get_secret_value())
        headers = {"Accept": "application/json", "Authorization": credentials}
        if body:
            headers["Content-Type"] = "application/json"
        url = SecretStr(f"{settings.url}{path}")
        return await self.exchange(url, body, headers, method=method, max_bytes=_MAX_REPLY_BYTES)

    @property
    def _table_path(self) -> str:
        return f"/api/now/table/{self.settings.table}"


_LOST: Final = Down("other")
"""The table keeps no `correlation_id`, or doesn't show it to this user: every repeat would open another record."""


def _display(marks: tuple[str, ...]) -> str:
    return " ".join(("Trailstream", *marks[:_MARKS]))


def _level(value: Any) -> int | None:
    return int(value) if value in ("1", "2", "3") else None


def _result(reply: Reply) -> Any:
    """The `result` of an answer, `None` where it has none or says an error beside it."""
    try:
        said = orjson.loads(reply.text)
    except orjson.JSONDecodeError:
        return None
    return said.get("result") if isinstance(said, dict) and "error" not in said else None


def _no_answer(reply: Reply) -> Retry:
    """A 2xx that answers nothing: a page of a sleeping instance, a cancelled transaction, a body that broke off."""
    asleep = reply.text.lstrip().startswith("<") or '"error"' in reply.text
    return Retry("server_error" if asleep else "other", reply.retry_after_s)
