"""The channels: every module of this folder that defines a `Channel` adds it, and its settings, by being here."""

from collections.abc import Iterator, Mapping
from importlib import import_module
from inspect import isabstract
from pkgutil import iter_modules
from typing import TYPE_CHECKING, Final

from stream.deliver.channel import Channel
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


def build(sections: Mapping[type[Section], Section], aws: "Aws | None" = None) -> list[Channel]:
    """The channels whose settings switch them on, from what `stream.environment.load` returned.

    Args:
        sections: the settings.
        aws: the process's AWS session, for the channels that need one.
    """
    channels = []
    for channel in CHANNELS.values():
        settings = sections[channel.section]
        if isinstance(settings, ChannelSettings) and settings.enabled:
            channels.append(channel(settings, aws=aws))
    return channels
