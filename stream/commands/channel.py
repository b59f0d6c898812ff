"""`trailstream channels show` and `test`: one channel, how it is set, what it would send, and whether that arrives."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, replace

import click
from botocore.exceptions import BotoCoreError
from pydantic import ValidationError

from stream import environment
from stream.aws import Aws
from stream.checks.channels import judge
from stream.configuration import known_sections, load
from stream.deliver.channel import Accepted, Answer, Channel, PeopleChannel
from stream.deliver.channels import CHANNELS, make
from stream.deliver.gaps import duration
from stream.deliver.instances import Instance
from stream.detect.sample import example_alert, sample_alert
from stream.errors import ConfigError
from stream.metrics import Metrics
from stream.nearest import hint
from stream.settings import ChannelSettings, PeopleSettings
from stream.terminal import REDACTED, inert
from stream.variables import describe, is_secret


@dataclass(frozen=True, slots=True)
class _Found:
    """A channel by its name; one that is off has the settings that there are."""

    instance: Instance
    on: bool

    @property
    def kind(self) -> type[Channel]:
        return CHANNELS[self.instance.kind]


def show_channel(name: str, *, example: bool) -> int:
    """Print how a channel is set, and, if asked to, what it would send.

    Returns:
        the exit code: 0 shown; 1 there is no request to be shown, or not in the words of the template.

    Raises:
        ConfigError: there is no such channel, or its settings can't be used.
    """
    found = _find(name)
    click.echo(f"{name}: {'on' if found.on else 'off'}")
    for line in _manners(found):
        click.echo(f"  {line}")
    click.echo()
    rows = list(_values(found))
    width = max(len(variable) for variable, _ in rows)
    for variable, value in rows:
        click.echo(f"{variable:<{width}}  {inert(value)}")
    return _show_request(found) if example else 0


def test_channel(name: str) -> int:
    """Send a test alert by a channel.

    Returns:
        the exit code: 0 accepted; 1 not, and why.

    Raises:
        ConfigError: there is no such channel, it is off, or its settings can't be used.
    """
    found = _find(name)
    if not found.on:
        raise ConfigError(f"the channel {name} is off: `trailstream channels show {name}` lists what sets it up")
    channel = _made(found.instance)
    faults: list[str] = []
    if isinstance(channel, PeopleChannel):
        channel.template_failed = faults.append
    outcome = judge(found.instance, asyncio.run(_send(channel)), "took the test alert")
    click.echo(f"{outcome.status}  {inert(outcome.check)}: {inert(outcome.evidence)}")
    if outcome.fix:
        click.echo(f"      {inert(outcome.fix)}")
    _tell_of_template(faults)
    return 0 if outcome.status == "ok" and not faults else 1


def _find(name: str) -> _Found:
    """The channel of this name: one of a kind's variables, or of the file of routes."""
    if name in CHANNELS:
        loaded, faults = environment.read(known_sections())
        section = CHANNELS[name].section
        settings = loaded.get(section)
        if not isinstance(settings, ChannelSettings):
            prefix = section.env_prefix
            own = [fault for fault in faults if fault.startswith(prefix)]
            raise ConfigError("\n".join(own or faults))
        return _Found(Instance(name, name, settings, reload=section), settings.enabled)
    others = load(need_queue=False, need_channel=False).instances
    for instance in others:
        if instance.name == name:
            return _Found(instance, on=True)
    known = dict.fromkeys([*CHANNELS, *(each.name for each in others)])
    raise ConfigError(f"there is no channel {name[:60]!r}; {hint(name, known)}")


def _manners(found: _Found) -> Iterator[str]:
    """How it goes about its work, a line each."""
    settings, kind = found.instance.settings, found.kind
    if found.instance.place:
        yield f"of type {kind.kind}, set in {inert(found.instance.place)}"
    if issubclass(kind, PeopleChannel):
        yield "read by people: a storm of alerts comes as a few messages"
    else:
        yield "read by machines: every alert comes by itself"
    if kind.deduplicates:
        yield "the service itself drops an alert that it has had before"
    else:
        yield "the service does not know an alert again: only the ledger keeps repeats from it"
    pace = f"{settings.rate:g} a second after a burst of {kind.burst}" if settings.rate else "as fast as they are taken"
    yield (
        f"requests: {kind.concurrency} at once at most, {pace}; each may take {settings.timeout:g} s, and an alert is "
        f"tried for {duration(int(settings.deadline))}"
    )


def _values(found: _Found) -> Iterator[tuple[str, str]]:
    """Each of its settings by the name of its variable, or by its key in a file, and its value without secrets."""
    settings = found.instance.settings
    fields = sorted(
        type(settings).model_fields, key=lambda field: field in PeopleSettings.model_fields
    )  # its own first
    if not found.instance.place:
        rows = describe([type(settings)], environment.our_variables())
        by_field = dict(zip(type(settings).model_fields, rows, strict=True))
        for field in fields:
            row = by_field[field]
            yield row.name, row.value or (f"{row.default} (by default)" if row.default else "(not set)")
        return
    for field in fields:
        value = getattr(settings, field)
        secret = is_secret(type(settings).model_fields[field])
        yield field, "(not set)" if value in (None, ()) else REDACTED if secret else str(value)


def _show_request(found: _Found) -> int:
    instance = found.instance
    note = ""
    if not found.on:
        note = ", with placeholders for what is not set"
        instance = replace(instance, settings=_filled_in(found))
    channel = _made(instance)
    requests: list[str] = []
    faults: list[str] = []
    channel.rehearsal = requests.append
    if isinstance(channel, PeopleChannel):
        channel.template_failed = faults.append
    answer = asyncio.run(_rehearse(channel))
    click.echo(f"\nWhat it would send for a sample alert{note}; secrets are left out:")
    for request in requests:
        click.echo(f"\n{request}")
    _tell_of_template(faults)
    if requests and isinstance(answer, Accepted):
        return 1 if faults else 0
    click.echo(f"trailstream: the sample alert can't be sent ({answer.outcome}: {answer.reason})", err=True)
    return 1


def _filled_in(found: _Found) -> ChannelSettings:
    """What is set, with placeholders for the rest; without what is set, if that does not go together."""
    placeholders, settings = dict(found.kind.example), found.instance.settings
    own = {field: getattr(settings, field) for field in settings.model_fields_set}
    try:
        return found.kind.section.of(placeholders | own)
    except ValidationError:
        return found.kind.section.of(placeholders)


def _made(instance: Instance) -> Channel:
    try:
        (channel,) = make((instance,), Aws(Metrics()))
    except (BotoCoreError, ValueError) as error:
        raise ConfigError(
            f"AWS's own settings can't be used ({type(error).__name__}). Look at AWS_PROFILE, AWS_CONFIG_FILE, "
            "AWS_ENDPOINT_URL and the like."
        ) from error
    return channel


async def _rehearse(channel: Channel) -> Answer:
    try:
        return await channel.send(example_alert())
    finally:
        await channel.aclose()


async def _send(channel: Channel) -> Answer:
    try:
        return await channel.send(sample_alert())
    finally:
        await channel.aclose()


def _tell_of_template(faults: list[str]) -> None:
    for fault in dict.fromkeys(faults):
        click.echo(f"trailstream: its template could not be used ({fault}): the words are the default ones", err=True)
