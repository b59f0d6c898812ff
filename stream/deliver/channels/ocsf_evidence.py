"""What was recorded, as evidence of an OCSF finding: the call, who made it and from where.

https://schema.ocsf.io/1.6.0/objects/evidences; texts stay as they were recorded, save for their ends.
"""

import ipaddress
import re
from collections.abc import Mapping
from typing import Any, Final

from stream.alert import Alert
from stream.deliver.text import cut
from stream.deliver.words import Lengths
from stream.json_value import text_at

_HOST: Final = re.compile(r"[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+", re.ASCII)


def evidence(alert: Alert, lengths: Lengths) -> dict[str, Any]:
    """The recorded call: what was asked of which service, what it answered, by whom and from where."""
    happened, actor = alert.event, alert.actor
    service = cut(happened.source, lengths.ids)
    request = cut(text_at(alert.record, "requestID") or "", lengths.ids)
    response = {
        "error": cut(happened.error_code or "", lengths.ids),
        "error_message": cut(happened.error_message or "", lengths.free),
    }
    call = {
        "operation": cut(happened.name, lengths.ids) or "unknown",
        "service": {"name": service} if service else None,
        "request": {"uid": request} if request else None,
        "response": known(response),
    }
    return known(
        {
            "uid": cut(happened.id, lengths.ids),
            "name": cut(happened.type, lengths.ids),
            "api": known(call),
            "actor": _actor(alert, lengths),
            "src_endpoint": _endpoint(actor.source_ip or "", lengths),
            "http_request": known({"user_agent": cut(actor.user_agent or "", lengths.free)}),
        }
    )


def known(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Those attributes that say something: no null, no empty text, list or object."""
    return {name: value for name, value in attributes.items() if value not in (None, "", [], {})}


def account(uid: str | None, name: str | None, lengths: Lengths) -> dict[str, Any] | None:
    """An AWS account; `None` if nothing is known of it."""
    made = known({"uid": cut(uid or "", lengths.ids), "name": cut(name or "", lengths.ids)})
    return {**made, "type_id": 10, "type": "AWS Account"} if made else None


def _actor(alert: Alert, lengths: Lengths) -> dict[str, Any]:
    actor = alert.actor
    user = known(
        {
            "name": cut(actor.name, lengths.ids),
            "uid": cut(actor.arn or actor.principal_id or "", lengths.ids),
            "account": account(actor.account_id, None, lengths),
        }
    )
    if user:  # one of these is demanded of a user
        kind, key = cut(actor.type, lengths.ids), cut(actor.access_key_id or "", lengths.ids)
        user |= {"type_id": 99 if kind else 0} | known(
            {
                "type": kind,
                "uid_alt": cut(actor.principal_id or "", lengths.ids),
                "programmatic_credentials": [{"uid": key}] if key else [],
            }
        )
    session = {"uid": cut(actor.session_name or "", lengths.ids), "is_mfa": actor.mfa}
    return known({"user": user, "session": known(session), "app_name": cut(actor.invoked_by or "", lengths.ids)})


def _endpoint(source: str, lengths: Lengths) -> dict[str, str] | None:
    """Where a call came from: an address, or a service's name where AWS called on somebody's behalf."""
    if (address := _address(source)) is not None:
        return {"ip": address}
    if not source:
        return None
    is_domain = len(source) <= 253 and _HOST.fullmatch(source) is not None  # RFC 1035
    return {"domain": source} if is_domain else {"name": cut(source, lengths.ids)}


def _address(text: str) -> str | None:
    """The IP address that a text is, as it is usually written; without a zone, which means nothing elsewhere."""
    try:
        return None if "%" in text else str(ipaddress.ip_address(text))
    except ValueError:
        return None
