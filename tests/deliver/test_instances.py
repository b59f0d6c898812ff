"""Channels by name, and what becomes of what one of them can't deliver."""

import pytest

from stream.configuration import load
from stream.deliver.channels import CHANNELS
from stream.deliver.channels.stdout import StdoutSettings
from stream.deliver.instances import NAME, Instance, fallback_faults, keys_of, switch_of


def instance(name: str, fallback: str | None = None, place: str = "") -> Instance:
    settings = StdoutSettings.of({"switch": True, "fallback": fallback})
    return Instance(name, "stdout", settings, lambda: settings, place)


def test_a_fallback_is_another_channel_that_is_on() -> None:
    assert list(fallback_faults([instance("a", "b"), instance("b", "c"), instance("c"), instance("d", "b")])) == []
    itself, misspelt = instance("stdout", "stdout"), instance("b", "stdot", "f.yml: line 3: channel b")
    assert list(fallback_faults([itself, misspelt])) == [
        "TRAILSTREAM_STDOUT_FALLBACK: a channel is no fallback of its own",
        "f.yml: line 3: channel b: fallback: no channel 'stdot' is on; did you mean stdout?",
    ]
    assert list(fallback_faults([instance("stdout", "slack")], unreadable=("slack",))) == []


def test_fallbacks_that_go_in_a_circle_are_told_once() -> None:
    channels = [instance("c", "b"), instance("b", "d"), instance("d", "b"), instance("e", "c")]

    assert list(fallback_faults(channels)) == [
        "TRAILSTREAM_STDOUT_FALLBACK: fallbacks go in a circle: b → d → b"
    ]  # fmt: skip


def test_a_fallback_is_checked_when_the_environment_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRAILSTREAM_STDOUT", "true")
    monkeypatch.setenv("TRAILSTREAM_WEBHOOK_URL", "https://hooks.example/")
    monkeypatch.setenv("TRAILSTREAM_WEBHOOK_FALLBACK", "stdout")
    configuration = load(need_queue=False, need_channel=True)

    assert [each.name for each in configuration.instances] == ["stdout", "webhook"]
    assert configuration.routes.fallbacks == {"webhook": "stdout"}


@pytest.mark.parametrize("kind", CHANNELS)
def test_every_kind_can_be_named_and_has_no_key_twice(kind: str) -> None:
    section = CHANNELS[kind].section
    keys = keys_of(section)

    assert NAME.fullmatch(kind)
    assert len(keys) == len(set(keys))
    assert "type" not in keys
    assert {"min_severity", "rules", "accounts", "fallback", "rate", "timeout", "deadline"} <= set(keys)
    assert switch_of(section) not in keys
