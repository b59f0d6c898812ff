"""What the process finds out about itself: its queue's relations, its role, the trails. AWS in, surroundings out.

What can't be found out stays unknown, and is logged once; nothing fails by it.
"""

import asyncio
import time
from dataclasses import replace
from typing import Final

import structlog

from stream.aws import Aws, queue_region
from stream.caller import caller
from stream.detect.surroundings import Surroundings, role_of_session
from stream.intake.sqs import QueueAttributes
from stream.settings import Settings
from stream.trails import ERRORS, list_trails

log = structlog.get_logger()

_HOUR_S: Final = 3600.0
_FRESH_S: Final = 30.0  # for so long the list of trails is taken for the present state
_ASKED_S: Final = 10.0


class Learning:
    """The surroundings as they are known by now."""

    def __init__(self, settings: Settings) -> None:
        self._known = Surroundings.of(settings)
        self._region = queue_region(settings.queue_url) if settings.queue_url else None
        self._asked_at = float("-inf")
        self._asking = asyncio.Lock()
        self._told_of_trails = False

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
            arn = (await caller(aws)).arn
        except ERRORS as error:
            log.warning(
                "own role unknown",
                reason=type(error).__name__,
                effect="changes to it are told only if TRAILSTREAM_PROTECTED names it",
            )
            return
        self._known = replace(self._known, roles=_more(self._known.roles, role_of_session(arn)))

    async def keep_trails(self, aws: Aws) -> None:
        """Look at the trails now and every hour, if it was asked for; for ever."""
        while self._known.learns_trails:
            await self.learn_trails(aws)
            await asyncio.sleep(_HOUR_S)

    async def learn_trails(self, aws: Aws) -> None:
        """Look at the trails, unless that was done a moment ago; asked before a change to a trail is judged.

        What is known from before is worth nothing then: whoever stops one trail may have stopped the other just now.
        If it can't be found out, every trail is taken for one that is needed.
        """
        if not self._known.learns_trails:
            return
        async with self._asking:
            if time.monotonic() - self._asked_at < _FRESH_S:
                return
            try:
                async with asyncio.timeout(_ASKED_S):
                    trails = await list_trails(aws, self._region or aws.region, self._known.trails)
            except ERRORS as error:
                self._known = replace(self._known, trails=None)
                if not self._told_of_trails:
                    log.warning(
                        "trails unknown",
                        reason=type(error).__name__,
                        effect="every trail is protected: a secondary one that is stopped is told as critical",
                    )
                self._told_of_trails = True
            else:
                self._known = replace(self._known, trails=trails)
                self._told_of_trails = False
            self._asked_at = time.monotonic()


def _more(known: tuple[str, ...], *found: str | None) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*known, *filter(None, found))))
