"""Alerts as JSON lines on standard output: one line an alert, whole, and written before it counts as accepted."""

import asyncio
import errno
import os
import select
from typing import TYPE_CHECKING, Final

from pydantic import Field

from stream.alert import Alert
from stream.deliver.channel import Accepted, Answer, Channel, Down, Retry
from stream.deliver.minimal import minimal_json
from stream.settings import ChannelSettings
from stream.terminal import inert

if TYPE_CHECKING:
    from stream.aws import Aws

_STDOUT: Final = 1
_POLL_S: Final = 0.02
# A pipe that is ready for writing takes that much without blocking, and in one piece (POSIX PIPE_BUF, 4096 on Linux).
_PIECE_BYTES: Final = select.PIPE_BUF


class StdoutSettings(ChannelSettings):
    """Variables of the channel `stdout`."""

    env_prefix = "TRAILSTREAM_STDOUT_"

    switch: bool = Field(
        False, alias="TRAILSTREAM_STDOUT", description="Write alerts to standard output, as JSON lines."
    )

    @property
    def enabled(self) -> bool:
        """Whether `TRAILSTREAM_STDOUT` is true."""
        return self.switch


class StdoutChannel(Channel):
    """Writes to a file descriptor.

    It writes only what the descriptor will take at once, so that a reader who has fallen asleep holds up this channel
    and not the event loop; and past Python's own buffer, so that a line that was accepted has left the process.
    """

    kind = "stdout"
    section = StdoutSettings
    example = (("switch", True),)
    concurrency = 1
    settings: StdoutSettings

    def __init__(
        self,
        settings: StdoutSettings,
        *,
        name: str | None = None,
        aws: "Aws | None" = None,
        descriptor: int = _STDOUT,
    ) -> None:
        super().__init__(settings, name=name, aws=aws)
        self._descriptor = descriptor
        self._lock = asyncio.Lock()
        self._rest = memoryview(b"")  # of a line that was begun and not finished: nothing may come between

    async def send(self, alert: Alert, *, minimal: bool = False) -> Answer:
        """Write one line; see `Channel.send`."""
        line = (minimal_json(alert) if minimal else alert.to_json()) + b"\n"
        if self.rehearsal is not None:
            self.rehearsal(inert(line.decode().rstrip("\n")))
            return Accepted()
        try:
            async with self._lock, asyncio.timeout(self.settings.timeout):
                if self._rest:
                    await self._write(self._rest)
                await self._write(memoryview(line))
        except TimeoutError:
            return Retry("timeout")
        except OSError as error:
            # Whoever read it has left, or it was never open. Else: a full disk, say.
            return Down("gone") if error.errno in (errno.EPIPE, errno.EBADF, errno.ECONNRESET) else Retry("other")
        return Accepted()

    async def _write(self, rest: memoryview) -> None:
        poll = select.poll()
        poll.register(self._descriptor, select.POLLOUT)
        while rest:
            if not poll.poll(0):
                await asyncio.sleep(_POLL_S)
                continue
            rest = self._rest = rest[os.write(self._descriptor, rest[:_PIECE_BYTES]) :]
            if rest:
                await asyncio.sleep(0)
