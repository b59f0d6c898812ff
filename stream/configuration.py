"""The whole configuration: the environment in; settings, channels and routes to them out, or all its faults.

Everything that starts from the environment (`run`, `scan`, `check`, `env`) starts here, so that a variable means
the same to each.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from stream import environment
from stream.deliver.instances import Instance, fallback_faults
from stream.deliver.routes import Routes
from stream.errors import ConfigError
from stream.settings import ChannelSettings, Section, Settings
from stream.variables import variables_of

if TYPE_CHECKING:
    from stream.deliver.routes_file import RoutesRead


@dataclass(frozen=True, slots=True)
class Configuration:
    """What the environment says.

    Attributes:
        sections: one instance of each section, `Settings` among them; a channel that is off has one too.
        instances: the channels that are on: those of variables, then those of the file of routes.
        routes: which alert goes to which of them.
    """

    settings: Settings
    sections: dict[type[Section], Section]
    instances: tuple[Instance, ...]
    routes: Routes

    @property
    def channels(self) -> tuple[ChannelSettings, ...]:
        """The settings of the channels that are on."""
        return tuple(instance.settings for instance in self.instances)


def known_sections() -> tuple[type[Section], ...]:
    """Every section there is: the program's own, then each channel's."""
    from stream.deliver.channels import channel_sections

    return (Settings, *channel_sections())


def load_settings() -> Settings:
    """Read the program's own settings, for commands that tell nobody.

    Channels are looked at only if something is set that may be theirs: they take a third of such a command's start.

    Raises:
        ConfigError: as `load`.
    """
    own = {name for name, _ in variables_of(Settings)}
    if environment.our_variables().keys() <= own:
        settings = Settings()
        if settings.routes is None:
            return settings
    return load(need_queue=False, need_channel=False).settings


def load(*, need_queue: bool, need_channel: bool) -> Configuration:
    """Read the environment.

    Args:
        need_queue: `TRAILSTREAM_QUEUE_URL` and `TRAILSTREAM_BUCKETS` have to be set.
        need_channel: at least one channel has to be on.

    Raises:
        ConfigError: one line for each fault; never a secret.
    """
    from stream.deliver.channels import CHANNELS, switched_on

    loaded, faults = environment.read(known_sections())
    settings = loaded.get(Settings)
    # Channels whose variables are at fault may have been meant to be on.
    unreadable = {kind for kind, channel in CHANNELS.items() if channel.section not in loaded}
    on = switched_on(loaded)
    try:
        named = _read_routes(settings, on, unreadable)
    except ConfigError as error:
        named = None
        faults.extend(str(error).splitlines())
    if need_queue:
        faults.extend(_missing_queue(settings))
    instances = (*on, *(named.instances if named else ()))
    if named is not None:
        faults.extend(fallback_faults(instances, unreadable))
    if need_channel and not instances and not unreadable and named is not None:
        faults.append(
            "no channel is on, so nobody would be told. Set one's address: TRAILSTREAM_STDOUT=true writes alerts "
            "to standard output as JSON lines; `trailstream channels` lists all of them."
        )
    if faults or named is None or not isinstance(settings, Settings):
        raise ConfigError("\n".join(faults))
    routes = Routes.of(instances, min_severity=settings.min_severity, routes=named.routes, default=named.default)
    return Configuration(settings, loaded, instances, routes)


def _read_routes(settings: Section | None, on: Sequence[Instance], unreadable: Collection[str]) -> "RoutesRead | None":
    """What the file of routes says, if there is one; `None`: nobody knows which file that is."""
    from stream.deliver.routes_file import VARIABLE, RoutesRead, load_routes

    if not isinstance(settings, Settings):
        return None if VARIABLE in environment.our_variables() else RoutesRead()
    return load_routes(settings.routes, on, unreadable) if settings.routes else RoutesRead()


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
