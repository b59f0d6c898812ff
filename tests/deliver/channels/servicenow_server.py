"""A ServiceNow instance as its documents say: records of tables that extend Task, or events; for `Receiver.default`."""

import json
import re
from dataclasses import dataclass, field
from typing import Any, Final

from tests.receiver import Reply, Request

AUTHORIZATION: Final = "Basic dHJhaWxzdHJlYW06c0VjUmVU"  # trailstream:sEcReT
_LENGTHS: Final = {
    "short_description": 160,
    "description": 4000,
    "work_notes": 4000,
    "correlation_id": 100,
    "correlation_display": 100,
}
_EVENT_LENGTHS: Final = {
    "source": 100,
    "node": 100,
    "type": 100,
    "resource": 100,
    "event_class": 100,
    "metric_name": 100,
    "message_key": 255,
    "description": 4000,
    "additional_info": 4000,
}


@dataclass
class ServiceNow:
    """Answers requests; `incidents` are in the order of their creation, work notes as a list, the latest last.

    Attributes:
        unknown: columns that the table has not: of a query they are left out without a word, as ServiceNow does.
        closes: close every incident before a PATCH, and refuse that.
    """

    incidents: list[dict[str, Any]] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)
    unknown: frozenset[str] = frozenset()
    closes: bool = False

    def __call__(self, request: Request) -> Reply:
        """Answer one request."""
        if request.headers.get("Authorization") != AUTHORIZATION:
            return _error(401, "User Not Authenticated")
        if request.method != "GET" and request.headers.get("Content-Type") != "application/json":
            return _error(415, "Unsupported media type")
        if request.path == "/api/global/em/jsonv2":
            return self._insert(request)
        table, _, sys_id = request.path.removeprefix("/api/now/table/").partition("/")
        if table not in ("incident", "em_event"):
            return _error(400, f"Invalid table {table}")
        if request.method == "GET":
            return self._query(request)
        return self._update(request, sys_id) if sys_id else self._create(request)

    def _query(self, request: Request) -> Reply:
        clauses = request.query.get("sysparm_query", "").split("^")
        rows = self.incidents
        for clause in clauses:
            if found := re.fullmatch(r"(\w+)=(.+)", clause):
                rows = [row for row in rows if found[1] in self.unknown or row.get(found[1]) == found[2]]
            elif found := re.fullmatch(r"(\w+)NOT IN(.+)", clause):
                rows = [row for row in rows if row.get(found[1]) not in found[2].split(",")]
            elif clause and not clause.startswith("ORDERBY"):
                return _error(400, f"Invalid query {clause}")
        names = [name for name in request.query["sysparm_fields"].split(",") if name not in self.unknown]
        limit = int(request.query["sysparm_limit"])
        return _result(200, [{name: row.get(name, "") for name in names} for row in rows[:limit]])

    def _create(self, request: Request) -> Reply:
        made = request.json()
        if faults := _faults(made, _LENGTHS):
            return _error(400, f"too long: {faults}")
        if not made["short_description"].strip():
            return _error(403, "Data Policy Exception: Short description is mandatory")
        record = {"impact": "3", "urgency": "3", "state": "1", "active": "true", "notes": []}
        self.incidents.append(record | made | {"sys_id": f"{len(self.incidents):032x}"})
        return _result(201, {"sys_id": self.incidents[-1]["sys_id"]})

    def _update(self, request: Request, sys_id: str) -> Reply:
        if self.closes:
            for row in self.incidents:
                row |= {"state": "7", "active": "false"}
        record = next(row for row in self.incidents if row["sys_id"] == sys_id)
        if record["active"] == "false":
            return _error(403, "Operation Failed")
        change = request.json()
        if faults := _faults(change, _LENGTHS):
            return _error(400, f"too long: {faults}")
        record["notes"].append(change.pop("work_notes"))
        record |= change
        return _result(200, {"sys_id": sys_id})

    def _insert(self, request: Request) -> Reply:
        records = request.json()["records"]
        for record in records:
            json.loads(record.get("additional_info", "{}"))
            whole = {"source", "node", "type", "resource", "severity", "message_key", "description"} <= record.keys()
            if _faults(record, _EVENT_LENGTHS) or not whole or record["severity"] not in "12345":
                return _error(400, "bad event")
        self.events += records
        return _result(200, {"Default Bulk Endpoint": f"{len(records)} events were inserted"})


def _faults(fields: dict[str, Any], lengths: dict[str, int]) -> list[str]:
    texts = all(isinstance(value, str) for value in fields.values())
    return [name for name, most in lengths.items() if len(fields.get(name, "")) > most] + ([] if texts else ["types"])


def _result(status: int, result: Any) -> Reply:
    return Reply(status, json.dumps({"result": result}), {"Content-Type": "application/json"})


def _error(status: int, message: str) -> Reply:
    return Reply(status, json.dumps({"error": {"message": message, "detail": ""}, "status": "failure"}))
