"""The channels: every module of this folder that defines a `Channel` adds it, and its settings, by being here."""

from collections.abc import Iterable, Iterator, Mapping
from importlib import import_module
from inspect import isabstract
from pkgutil import iter_modules
from typing import TYPE_CHECKING, Final

from stream.deliver.channel import Channel
from stream.deliver.instances import Instance
from stream.settings import ChannelSettings, Section

if TYPE_CHECKING:
    from stream.aws import Aws


def _discover() -> Iterator[type[Channel]]:
    for found in sorted(iter_modules(__path__), key=lambda found: found.name):
        module = import_module(f"{__name__}.{found.name}")
        for value in vars(module).values():
            is_channel = isinstance(value, type) and issubclass(value, Channel) and not isabstract(value)
            if is_channel and value.__module__ == module.__name__:  # defined there, not imported
                yield value


CHANNELS: Final[Mapping[str, type[Channel]]] = {channel.kind: channel for channel in _discover()}
"""Every kind of channel there is."""


def channel_sections() -> tuple[type[ChannelSettings], ...]:
    """The settings of every channel, for `stream.environment.load` and `reference`."""
    return tuple(channel.section for channel in CHANNELS.values())


def switched_on(sections: Mapping[type[Section], Section]) -> list[Instance]:
    """The channels that variables switch on, named by their kinds.

    Args:
        sections: what `stream.environment.load` or `read` returned.
    """
    return [
        Instance(kind, kind, settings, reload=channel.section)
        for kind, channel in CHANNELS.items()
        if isinstance(settings := sections.get(channel.section), ChannelSettings) and settings.enabled
    ]


def make(instances: Iterable[Instance], aws: "Aws | None" = None) -> list[Channel]:
    """Channels that can be sent to.

    Args:
        instances: those that are on.
        aws: the process's AWS session, for the channels that need one.
    """
    channels = []
    for instance in instances:
        channel = CHANNELS[instance.kind](instance.settings, name=instance.name, aws=aws)
        channel.reload = instance.reload
        channels.append(channel)
    return channels


def build(sections: Mapping[type[Section], Section], aws: "Aws | None" = None) -> list[Channel]:
    """The channels that variables switch on; see `switched_on` and `make`."""
    return make(switched_on(sections), aws)
