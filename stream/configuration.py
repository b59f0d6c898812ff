"""The whole configuration: the environment in, the program's settings and every channel's out, or all its faults.

Everything that starts from the environment (`run`, `scan`, `check`, `env`) starts here, so that a variable means
the same to each.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from stream import environment
from stream.errors import ConfigError
from stream.settings import ChannelSettings, Section, Settings


@dataclass(frozen=True, slots=True)
class Configuration:
    """What the environment says.

    Attributes:
        sections: one instance of each section, `Settings` among them; a channel that is off has one too.
    """

    settings: Settings
    sections: dict[type[Section], Section]

    @property
    def channels(self) -> tuple[ChannelSettings, ...]:
        """The sections of the channels that are on."""
        return _channels_on(self.sections)


def known_sections() -> tuple[type[Section], ...]:
    """Every section there is: the program's own, then each channel's."""
    from stream.deliver.channels import channel_sections

    return (Settings, *channel_sections())


def load(*, need_queue: bool, need_channel: bool) -> Configuration:
    """Read the environment.

    Args:
        need_queue: `TRAILSTREAM_QUEUE_URL` and `TRAILSTREAM_BUCKETS` have to be set.
        need_channel: at least one channel has to be on.

    Raises:
        ConfigError: one line for each fault; never a secret.
    """
    known = known_sections()
    loaded, faults = environment.read(known)
    if need_queue:
        faults.extend(_missing_queue(loaded.get(Settings)))
    # A channel whose variables are at fault may be the one that was meant to be on.
    readable = all(section in loaded for section in known if issubclass(section, ChannelSettings))
    if need_channel and readable and not _channels_on(loaded):
        faults.append(
            "no channel is on, so nobody would be told. Set one's address: TRAILSTREAM_STDOUT=true writes alerts "
            "to standard output as JSON lines; `trailstream channels` lists all of them."
        )
    settings = loaded.get(Settings)
    if faults or not isinstance(settings, Settings):
        raise ConfigError("\n".join(faults))
    return Configuration(settings, loaded)


def _channels_on(sections: Mapping[type[Section], Section]) -> tuple[ChannelSettings, ...]:
    return tuple(section for section in sections.values() if isinstance(section, ChannelSettings) and section.enabled)


def _missing_queue(settings: Section | None) -> Iterator[str]:
    """What is missing; where the settings could not be read, whatever is set is said to be at fault already."""
    present = environment.our_variables() if settings is None else settings.model_dump(exclude_defaults=True)
    if not present.get("queue_url") and not present.get("TRAILSTREAM_QUEUE_URL"):
        yield (
            "TRAILSTREAM_QUEUE_URL is required: the URL of the SQS queue that receives the notifications, such as "
            "https://sqs.eu-west-1.amazonaws.com/111122223333/trailstream"
        )
    if not present.get("buckets") and not present.get("TRAILSTREAM_BUCKETS"):
        yield (
            "TRAILSTREAM_BUCKETS is required: the buckets whose log files are read, comma-separated globs such as "
            "acme-cloudtrail-*; `*` accepts any"
        )
