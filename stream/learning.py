"""What the process finds out about itself when it starts: its queue's relations, its role. AWS in, surroundings out.

What can't be found out stays unknown, and is logged once; nothing fails by it.
"""

from dataclasses import replace
from typing import Final

import structlog
from botocore.exceptions import BotoCoreError, ClientError

from stream.aws import Aws
from stream.detect.surroundings import Surroundings, role_of_session
from stream.intake.sqs import QueueAttributes
from stream.settings import Settings

log = structlog.get_logger()

_ERRORS: Final = (BotoCoreError, ClientError, OSError, TimeoutError, KeyError)


class Learning:
    """The surroundings as they are known by now."""

    def __init__(self, settings: Settings) -> None:
        self._known = Surroundings.of(settings)

    def known(self) -> Surroundings:
        """What is known now; it becomes more, and never less."""
        return self._known

    def learn_queue(self, attributes: QueueAttributes | None) -> None:
        """Take in what the queue says of itself: its ARN, its dead-letter queue, its key."""
        if attributes is None:
            return
        queues = (attributes.arn, attributes.dead_letter_arn)
        self._known = replace(
            self._known,
            queues=_more(self._known.queues, *queues),
            keys=_more(self._known.keys, attributes.kms_key),
        )

    async def learn_role(self, aws: Aws) -> None:
        """Ask STS, which every identity may ask, for the role that the process has."""
        try:
            async with aws.client("sts", attempts=1) as sts:
                arn = (await sts.get_caller_identity())["Arn"]
        except _ERRORS as error:
            log.warning(
                "own role unknown",
                reason=type(error).__name__,
                effect="changes to it are told only if TRAILSTREAM_PROTECTED names it",
            )
            return
        self._known = replace(self._known, roles=_more(self._known.roles, role_of_session(arn)))


def _more(known: tuple[str, ...], *found: str | None) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*known, *filter(None, found))))
