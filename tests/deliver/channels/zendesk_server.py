"""A Zendesk account as its documents say: tickets, comments, idempotency keys; for `Receiver.default`."""

import html
import json
import re
from dataclasses import dataclass, field
from typing import Any, Final

from tests.receiver import Reply, Request

AUTHORIZATION: Final = "Basic c29jQGV4YW1wbGUuY29tL3Rva2VuOnNFY1JlVA=="  # soc@example.com/token:sEcReT
_MAX_COMMENT_BYTES: Final = 65_535


@dataclass
class Zendesk:
    """Answers requests; `tickets` are in the order of their creation, each with its `comments` as HTML.

    Attributes:
        keys: for each idempotency key, the body it came with and the id of the ticket that was made.
        blind: look-ups that find nothing yet, as those of a replica that asked a moment earlier.
        closes: close every ticket before an update, and refuse that.
    """

    tickets: list[dict[str, Any]] = field(default_factory=list)
    keys: dict[str, tuple[bytes, int]] = field(default_factory=dict)
    blind: int = 0
    closes: bool = False

    def __call__(self, request: Request) -> Reply:
        """Answer one request."""
        known = request.headers.get("Authorization") == AUTHORIZATION
        if request.path == "/api/v2/users/me.json":
            anonymous = {"id": None, "name": "Anonymous user", "role": "end-user"}
            return _json(200, {"user": {"id": 1, "name": "SOC", "role": "agent"} if known else anonymous})
        if not known:
            return _json(401, {"error": "Couldn't authenticate you"})
        found = re.fullmatch(r"/api/v2/tickets(?:/(\d+))?(/comments)?\.json", request.path)
        if found is None:
            return _json(404, {"error": "InvalidEndpoint"})
        ticket = next((ticket for ticket in self.tickets if str(ticket["id"]) == found[1]), None)
        if found[1] is not None and ticket is None:
            return _json(404, {"error": "RecordNotFound"})
        if request.method == "GET":
            return self._list(request) if ticket is None else _comments(request, ticket)
        if request.headers.get("Content-Type") != "application/json":
            return _json(415, {"error": "UnsupportedContentType"})
        return self._create(request) if ticket is None else self._update(request, ticket)

    def _list(self, request: Request) -> Reply:
        key = request.query["external_id"]
        assert "," not in key  # would be several
        if self.blind:
            self.blind -= 1
            return _json(200, {"tickets": []})
        assert (request.query["sort_by"], request.query["sort_order"]) == ("id", "desc")
        found = [ticket for ticket in reversed(self.tickets) if ticket["external_id"] == key]
        rows = [{name: value for name, value in ticket.items() if name != "comments"} for ticket in found]
        return _json(200, {"tickets": rows[: int(request.query["per_page"])], "next_page": None})

    def _create(self, request: Request) -> Reply:
        key = request.headers["Idempotency-Key"]
        assert 0 < len(key) <= 255
        if key in self.keys:
            body, made = self.keys[key]
            if body != request.body:
                text = "Request parameters don't match the given idempotency key"
                return _json(400, {"error": "IdempotentRequestError", "description": text})
            return _json(201, {"ticket": {"id": made}}, {"x-idempotency-lookup": "hit"})
        ticket = request.json()["ticket"]
        if faults := _faults(ticket):
            return _json(422, {"error": "RecordInvalid", "details": {name: [] for name in faults}})
        made = len(self.tickets) + 1
        comment = ticket.pop("comment")
        self.tickets.append({"id": made, "status": "new", "comments": [comment], **ticket})
        self.keys[key] = (request.body, made)
        return _json(201, {"ticket": {"id": made}}, {"x-idempotency-lookup": "miss"})

    def _update(self, request: Request, ticket: dict[str, Any]) -> Reply:
        if self.closes:
            for each in self.tickets:
                each["status"] = "closed"
        if ticket["status"] == "closed":
            return _json(422, {"error": "RecordInvalid", "details": {"status": [{"description": "closed"}]}})
        change = request.json()["ticket"]
        if faults := _faults(change):
            return _json(422, {"error": "RecordInvalid", "details": {name: [] for name in faults}})
        ticket["comments"].append(change.pop("comment"))
        ticket |= change
        return _json(200, {"ticket": {"id": ticket["id"]}})


def plain(text: str) -> str:
    """The text of a comment without its tags, which are ours alone."""
    return html.unescape(re.sub(r"<(/?p|br|/a|a href=\"https://[^\"<>]+\")>", "\n", text))


def _comments(request: Request, ticket: dict[str, Any]) -> Reply:
    assert request.query["sort"] == "-created_at"
    rows = [
        {"id": n, "public": each["public"], "html_body": each["html_body"], "plain_body": plain(each["html_body"])}
        for n, each in enumerate(ticket["comments"])
    ]
    return _json(200, {"comments": rows[::-1][: int(request.query["page[size]"])], "meta": {"has_more": False}})


def _faults(ticket: dict[str, Any]) -> list[str]:
    checks = {
        "comment": 0 < len(ticket["comment"]["html_body"].encode()) <= _MAX_COMMENT_BYTES,
        "public": ticket["comment"]["public"] is False,
        "subject": 0 < len(ticket.get("subject", "-")) <= 255,
        "external_id": 0 < len(ticket.get("external_id", "-")) <= 255,
        "priority": ticket.get("priority", "low") in ("low", "normal", "high", "urgent"),
        "type": ticket.get("type", "incident") == "incident",
    }
    return [name for name, kept in checks.items() if not kept]


def _json(status: int, said: Any, headers: dict[str, str] | None = None) -> Reply:
    return Reply(status, json.dumps(said), {"Content-Type": "application/json", **(headers or {})})
