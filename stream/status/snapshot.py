"""All that the page shows, as one JSON object: metrics and the last alerts in, facts and what to do about them out."""

import platform
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any, Final

from prometheus_client import CollectorRegistry

from stream import __version__
from stream.deliver.recent import ChannelState, Recent, Shown
from stream.status.advice import advice_for

_OUTCOMES: Final = ("acknowledged", "failed", "released", "expired")


class Status:
    """Knows what to show.

    Args:
        registry: the process's metrics.
        recent: its last alerts.
        buckets: globs of the buckets that are read.
        channels: gives the state of each channel.
        quiet: gives the sources that are silent, in plain words.
        unix_time: tells the time.
    """

    def __init__(
        self,
        registry: CollectorRegistry,
        recent: Recent,
        *,
        buckets: tuple[str, ...],
        channels: Callable[[], Iterable[ChannelState]],
        quiet: Callable[[], Iterable[str]] = tuple,
        unix_time: Callable[[], float],
    ) -> None:
        self._registry = registry
        self._recent = recent
        self._buckets = buckets
        self._channels = channels
        self._quiet = quiet
        self._unix_time = unix_time
        self._started = unix_time()

    def snapshot(self) -> dict[str, Any]:
        """The facts of this moment; times are ISO 8601 in UTC, durations seconds."""
        now, samples = self._unix_time(), _Samples(self._registry)
        messages = {outcome: int(samples.sum("messages_settled_total", outcome=outcome)) for outcome in _OUTCOMES}
        received, in_flight = int(samples.sum("messages_received_total")), int(samples.sum("messages_in_flight"))
        settled = sum(messages.values())
        last_file = samples.sum("last_log_file_timestamp_seconds") or None
        channels = [self._channel(state, samples) for state in self._channels()]
        problems = [*_channel_problems(channels), *_problems(samples)]
        lost = settled + in_flight - received
        if lost:
            problems.insert(0, _problem("messages", "unaccounted", abs(lost)))
        quiet = list(self._quiet())
        shown: dict[str, Any] = {
            "version": __version__,
            "replica": platform.node(),
            "now": _time(now),
            "started": _time(self._started),
            "watching": list(self._buckets),
            "last_log_file": _time(last_file),
            "last_log_file_age_seconds": None if last_file is None else max(round(now - last_file), 0),
            "alerts_today": self._recent.today,
            "numbers": {
                "log_files": int(samples.sum("log_files_total", outcome="read")),
                "records": int(samples.sum("records_total")),
                "alerts": int(samples.sum("alerts_total")),
                "waiting": int(samples.sum("deliveries_pending")),
                "dead_letters": int(samples.sum("dead_letter_messages")),
            },
            "messages": {"received": received, **messages, "in_flight": in_flight, "adds_up": lost == 0},
            "alerts": [self._alert(each, now) for each in self._recent],
            "channels": channels,
            "sources": {"tracked": int(samples.sum("sources_tracked")), "silent": quiet},
            "problems": problems,
        }
        shown["next_step"] = _next_step(shown)
        shown["summary"] = _summary(shown)
        return shown

    def wrong(self) -> set[str]:
        """Names what keeps alerts from being told, now: `paused`, `channel`, `unaccounted`."""
        samples = _Samples(self._registry)
        held = samples.sum("messages_settled_total") + samples.sum("messages_in_flight")
        found = {
            "paused": samples.sum("intake_paused") > 0,
            "channel": samples.sum("circuit_breaker_open") > 0,
            "unaccounted": held != samples.sum("messages_received_total"),
        }
        return {name for name, is_so in found.items() if is_so}

    def _alert(self, alert: Shown, now: float) -> dict[str, Any]:
        told = asdict(alert)
        told["found"] = _time(told.pop("found_at"))
        told["waiting"] = sorted(told["waiting"])
        told["age_seconds"] = max(round(now - alert.found_at), 0)
        return told

    def _channel(self, state: ChannelState, samples: "_Samples") -> dict[str, Any]:
        def value(name: str) -> float:
            return samples.sum(name, channel=state.name)

        return {
            "name": state.name,
            "open": value("circuit_breaker_open") > 0,
            "last_success": _time(value("channel_last_success_timestamp_seconds") or None),
            "last_failure": state.last_failure,
            "last_failure_at": _time(state.last_failure_at),
            "accepted": int(samples.sum("deliveries_total", channel=state.name, outcome="accepted")),
            "pending": int(value("deliveries_pending")),
            "oldest_pending_seconds": round(value("oldest_pending_delivery_seconds")),
        }


class _Samples:
    """The metrics of one moment, by name without their prefix."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._by_name: dict[str, list[tuple[Mapping[str, str], float]]] = {}
        for family in registry.collect():
            for sample in family.samples:
                name = sample.name.removeprefix("trailstream_")
                self._by_name.setdefault(name, []).append((sample.labels, sample.value))

    def sum(self, name: str, **labels: str) -> float:
        """Of the samples of this name that have these labels."""
        return sum(value for found, value in self._by_name.get(name, ()) if labels.items() <= found.items())

    def counted(self, name: str) -> Iterator[tuple[Mapping[str, str], int]]:
        """Those that are not zero."""
        yield from ((labels, int(value)) for labels, value in self._by_name.get(name, ()) if value)


def _problem(stage: str, reason: str, count: int) -> dict[str, Any]:
    return {"what": f"{stage}: {reason}".replace("_", " "), "count": count, "advice": advice_for(stage, reason)}


def _channel_problems(channels: Iterable[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    for channel in channels:
        if channel["open"]:
            why = f" ({channel['last_failure']})" if channel["last_failure"] else ""
            yield {
                "what": f"channel {channel['name']} is out of order{why}",
                "count": channel["pending"],
                "advice": f"Its alerts wait and are not lost. `trailstream channels test {channel['name']}` says more.",
            }


def _problems(samples: _Samples) -> Iterator[dict[str, Any]]:
    if dead := int(samples.sum("dead_letter_messages")):
        yield _problem("queue", "dead_letters", dead)
    if samples.sum("intake_paused"):
        yield _problem("queue", "paused", int(samples.sum("deliveries_pending")))
    for labels, count in samples.counted("errors_total"):
        yield _problem(labels["stage"], labels["reason"], count)


def _summary(shown: Mapping[str, Any]) -> str:
    """One sentence or four for whoever looks for a second only."""
    numbers, messages, alerts = shown["numbers"], shown["messages"], shown["alerts_today"]
    age = shown["last_log_file_age_seconds"]
    buckets = shown["watching"]
    failed = messages["failed"] + messages["expired"]
    watching = f"{len(buckets)} buckets" if len(buckets) > 1 else f"bucket {buckets[0]}" if buckets else "no bucket"
    return " ".join(
        (
            f"Watching {'every bucket' if '*' in buckets else watching}.",
            "No log file yet." if age is None else f"Last log file {duration(age)} ago.",
            "Nothing lost."
            if not failed and not numbers["dead_letters"] and messages["adds_up"]
            else f"{_count(failed, 'message')} failed and came again; "
            f"{numbers['dead_letters']} in the dead-letter queue.",
            f"{_count(alerts, 'alert')} today.",
        )
    )


def _count(number: int, thing: str) -> str:
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def _next_step(shown: Mapping[str, Any]) -> str | None:
    """What somebody does who has just set it up; `None` once there is something to see."""
    if shown["numbers"]["log_files"]:
        return None
    if shown["messages"]["received"]:
        return (
            "Messages come, but no log file was read yet: see what is wrong below, or whether the bucket announces "
            "only digests."
        )
    return (
        "Nothing has come through the queue yet. CloudTrail delivers about every five minutes. If it stays like this, "
        "`trailstream check` looks whether the bucket announces new objects to this queue; to see an alert now, run "
        "`trailstream channels test NAME`."
    )


def duration(seconds: float) -> str:
    """So many seconds for people: `40 s`, `12 min`, `3 h`, `2 d`."""
    for unit, size in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{int(seconds // size)} {unit}"
    return f"{int(seconds)} s"


def _time(unix: float | None) -> str | None:
    return None if unix is None else datetime.fromtimestamp(unix, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
