"""Calls that bear the marks of a change to the audit trail, and are none: an alert about one is a false one."""

import json
from collections.abc import Callable
from random import Random
from typing import Final

from stream.demo.calls import Call, hex_digits

TRAIL_CHANGES: Final = (
    "CreateTrail",
    "UpdateTrail",
    "DeleteTrail",
    "PutEventSelectors",
    "AddTags",
    "RemoveTags",
    "StartLogging",
    "StopLogging",
)
"""The eight events of Control Tower's rule CT-013."""


def _tags_of_a_balancer(rng: Random) -> Call:
    arn = f"arn:aws:elasticloadbalancing:us-east-1:111122223333:loadbalancer/app/web/{hex_digits(rng, 16)}"
    if rng.random() < 0.5:
        return Call("elasticloadbalancing", "RemoveTags", False, {"resourceArns": [arn], "tagKeys": ["owner"]})
    tags = [{"key": "kubernetes.io/cluster/prod", "value": "owned"}]
    return Call("elasticloadbalancing", "AddTags", False, {"resourceArns": [arn], "tags": tags})


def _tags_of_another_service(rng: Random) -> Call:
    service = rng.choice(("sagemaker", "es", "elasticmapreduce", "datapipeline"))
    return Call(
        service, "AddTags", False, {"resourceId": f"j-{hex_digits(rng, 13).upper()}", "tags": [{"key": "team"}]}
    )


def _trail_reads(rng: Random) -> Call:
    name = rng.choice(("DescribeTrails", "GetTrailStatus", "GetEventSelectors", "ListTrails", "GetTrail", "ListTags"))
    return Call("cloudtrail", name, True, {"name": "management-events"}, user_agent="config.amazonaws.com")


def _failed_lookup(_: Random) -> Call:
    error = ("TrailNotFoundException", "Unknown trail: arn:aws:cloudtrail:us-east-1:111122223333:trail/StopLogging")
    return Call("cloudtrail", "GetTrailStatus", True, {"name": "StopLogging"}, error=error)


def _lookup_events(rng: Random) -> Call:
    attribute = {"attributeKey": "EventName", "attributeValue": rng.choice(TRAIL_CHANGES)}
    return Call("cloudtrail", "LookupEvents", True, {"lookupAttributes": [attribute], "maxResults": 50})


def _in_a_user_agent(rng: Random) -> Call:
    agent = f"audit-bot/1.4 (watches {rng.choice(TRAIL_CHANGES)}; eventSource=cloudtrail.amazonaws.com)"
    return Call("cloudtrail", "DescribeTrails", True, {"includeShadowTrails": True}, user_agent=agent)


def _in_a_pattern(_: Random) -> Call:
    names = " || ".join(f"($.eventName = {name})" for name in TRAIL_CHANGES)
    return Call("logs", "TestMetricFilter", True, {"filterPattern": f"{{ {names} }}", "logEventMessages": ["{}"]})


def _in_a_query(rng: Random) -> Call:
    query = 'fields @timestamp | filter eventSource = "cloudtrail.amazonaws.com" and eventName = "StopLogging"'
    return Call(
        "logs", "StartQuery", True, {"logGroupName": "trail", "queryString": query}, {"queryId": hex_digits(rng, 32)}
    )


def _nested(rng: Random) -> Call:
    event = {
        "eventSource": "cloudtrail.amazonaws.com",
        "eventName": rng.choice(TRAIL_CHANGES),
        "eventID": hex_digits(rng, 32),
    }
    return Call("lambda", "Invoke", False, {"functionName": "trail-replay", "payload": {"Records": [event]}})


def _in_json_in_a_string(rng: Random) -> Call:
    event = {"source": "aws.cloudtrail", "detail": {"eventName": rng.choice(TRAIL_CHANGES)}}
    pattern = {"detail": {"eventSource": ["cloudtrail.amazonaws.com"], "eventName": list(TRAIL_CHANGES)}}
    request = {"eventPattern": json.dumps(pattern), "event": json.dumps(event)}
    return Call("events", "TestEventPattern", True, request, {"result": True})


def _simulation(rng: Random) -> Call:
    actions = [f"cloudtrail:{name}" for name in rng.sample(TRAIL_CHANGES, 3)]
    return Call("iam", "SimulatePrincipalPolicy", True, {"policySourceArn": "self", "actionNames": actions})


def _as_a_value(rng: Random) -> Call:
    return Call(
        "ssm", "GetParameter", True, {"name": rng.choice(TRAIL_CHANGES), "eventName": rng.choice(TRAIL_CHANGES)}
    )


LOOK_ALIKES: Final[tuple[Callable[[Random], Call], ...]] = (
    _tags_of_a_balancer,
    _tags_of_another_service,
    _trail_reads,
    _failed_lookup,
    _lookup_events,
    _in_a_user_agent,
    _in_a_pattern,
    _in_a_query,
    _nested,
    _in_json_in_a_string,
    _simulation,
    _as_a_value,
)
"""What bears the marks of a change to the audit trail, and is none."""
