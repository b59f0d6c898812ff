"""Which channels tell people an alert twice where nobody keeps them from it; and what to do about it."""

from typing import Final

from stream.deliver.channel import Channel, PeopleChannel

SHARE_THE_LEDGER: Final = (
    "With more than one replica, or after a restart, the same alert may be told again. "
    "TRAILSTREAM_LEDGER=dynamodb://<table> lets all replicas remember together what was sent."
)


def may_repeat(channel: type[Channel]) -> bool:
    """Whether people read this kind of channel, and its service would tell them the same alert again."""
    return issubclass(channel, PeopleChannel) and not channel.deduplicates
