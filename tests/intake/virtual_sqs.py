"""SQS in memory, in time that passes only when told to; it fails as told, and objects to what must never be asked.

The requests of `stream.intake.sqs.Sqs` come in by its `wire`, so that everything above the wire is the real thing.
"""

import asyncio
import selectors
from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, Final, Literal

from botocore.exceptions import ClientError

VISIBILITY_S: Final = 30
Fault = Literal["refused", "hangs", "slow", "lost", "partly", "passed over"]
"""`lost` is carried out all the same, and so is all that follows the first entry of what fails `partly`."""

_LATENCY_S: Final = 0.05
_TAKES_S: Final[dict[Fault | None, float]] = {"slow": 2.0, "hangs": 3600.0}


class _Selector(selectors.SelectSelector):
    """Lets the time pass instead of waiting."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1000.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        assert timeout is not None, "everything waits, and for nothing that will ever come"
        self.now += max(timeout, 0.0)
        return super().select(0)


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop whose time is its own: a sleep takes none of ours."""

    def __init__(self) -> None:
        self._time = _Selector()
        super().__init__(self._time)

    def time(self) -> float:
        return self._time.now

    def advance(self, seconds: float) -> None:
        """Let so much time pass, and everything happen that is due in it."""
        self.run_until_complete(asyncio.sleep(seconds))


@dataclass
class Stored:
    """A message in the queue.

    Attributes:
        troubled: something was made to fail since it was handed out, so that it may come back without being given back.
    """

    id: str
    visible_at: float = 0.0
    receives: int = 0
    handle: str = ""
    troubled: bool = False


class VirtualSqs:
    """One queue, as `Sqs` sees it through its wire and its client.

    Attributes:
        faults: for each operation, what befalls its next requests.
        handed_out: receipts that reached the client.
        extensions: of messages; whatever hides one for no time, or for longer than the queue does, gives it back.
        dead: handles of which the client was told that they are.
        over: handles of which the client was told that the message is deleted or given back.
        violations: what should never have been asked.

    Args:
        deleting: called with a message's id and receipt when a delete of it comes; says what is wrong with that.
        extending: the same for an extension.
        step: called whenever a request comes.
    """

    def __init__(
        self,
        loop: VirtualLoop,
        *,
        deleting: Callable[[str, int], str | None],
        extending: Callable[[str, int], str | None],
        step: Callable[[], None],
    ) -> None:
        self.messages: dict[str, Stored] = {}
        self.faults: defaultdict[str, deque[Fault]] = defaultdict(deque)
        self.handed_out = 0
        self.extensions = 0
        self.dead: set[str] = set()
        self.over: set[str] = set()
        self.violations: list[str] = []
        self.wire = SimpleNamespace(
            receive_message=self._receive,
            delete_message_batch=self._delete,
            change_message_visibility_batch=self._change,
            get_queue_attributes=self._attributes,
        )
        self._loop = loop
        self._deleting = deleting
        self._extending = extending
        self._step = step
        self._changed = asyncio.Event()

    def send(self, id_: str) -> None:
        self.messages[id_] = Stored(id_)
        self._changed.set()

    def redeliver(self, id_: str) -> None:
        """Let it be handed out again, hidden or not."""
        self.messages[id_].visible_at = 0.0
        self.messages[id_].troubled = True
        self._changed.set()

    def kill_handle(self, id_: str) -> None:
        """No handle of the message is good any more; it stays hidden."""
        self.messages[id_].handle = ""
        self.messages[id_].troubled = True

    async def _receive(self, *, MaxNumberOfMessages: int, WaitTimeSeconds: int, **_: Any) -> dict[str, Any]:  # noqa: N803 - SQS's names
        self._step()
        fault = self._next_fault("receive")
        if fault in ("refused", "hangs"):
            raise _refusal()
        deadline = self._loop.time() + WaitTimeSeconds
        while not (found := self._visible()[:MaxNumberOfMessages]):
            left_s = min([deadline, *(one.visible_at for one in self.messages.values())]) - self._loop.time()
            if self._loop.time() >= deadline:
                return {}
            self._changed.clear()
            try:
                async with asyncio.timeout(left_s):
                    await self._changed.wait()
            except TimeoutError:
                continue
        answer = [self._hand_out(one) for one in found]
        if fault == "lost":
            self._trouble()
            raise _refusal()
        self.handed_out += len(answer)
        return {"Messages": answer}

    def _visible(self) -> list[Stored]:
        now = self._loop.time()
        return [one for one in self.messages.values() if one.visible_at <= now]

    def _hand_out(self, one: Stored) -> dict[str, Any]:
        if one.handle and not one.troubled and one.handle not in self.over:
            self.violations.append("became visible while in hand")
        one.troubled = False
        one.receives += 1
        one.handle = f"{one.id}:{one.receives}"
        one.visible_at = self._loop.time() + VISIBILITY_S
        attributes = {"ApproximateReceiveCount": str(one.receives)}
        return {"MessageId": one.id, "ReceiptHandle": one.handle, "Body": "", "Attributes": attributes}

    async def _delete(self, *, Entries: list[dict[str, Any]], **_: Any) -> dict[str, Any]:  # noqa: N803 - SQS's names
        for entry in Entries:
            self._settled_once(entry)
            self._object(self._deleting(*_receipt(entry)))

        def delete(_: dict[str, Any], one: Stored) -> None:
            del self.messages[one.id]

        return await self._batch("delete", Entries, delete, settles=True)

    async def _change(self, *, Entries: list[dict[str, Any]], **_: Any) -> dict[str, Any]:  # noqa: N803 - SQS's names
        kept = [0 < entry["VisibilityTimeout"] <= VISIBILITY_S for entry in Entries]
        for entry, extended in zip(Entries, kept, strict=True):
            self._settled_once(entry)
            if extended:
                self.extensions += 1
                if entry["ReceiptHandle"] in self.dead:
                    self.violations.append("extended by a handle known to be dead")
                self._object(self._extending(*_receipt(entry)))

        def change(entry: dict[str, Any], one: Stored) -> None:
            if entry["ReceiptHandle"] in self.over:
                self.violations.append("hidden anew after it was given back")
            one.visible_at = self._loop.time() + entry["VisibilityTimeout"]
            self._changed.set()

        return await self._batch("change", Entries, change, settles=not any(kept))

    def _settled_once(self, entry: dict[str, Any]) -> None:
        if entry["ReceiptHandle"] in self.over:
            self.violations.append("asked for once more after SQS had confirmed that it is settled")

    def _object(self, objection: str | None) -> None:
        if objection:
            self.violations.append(objection)

    async def _batch(
        self,
        operation: str,
        entries: list[dict[str, Any]],
        carry_out: Callable[[dict[str, Any], Stored], None],
        *,
        settles: bool,
    ) -> dict[str, Any]:
        self._step()
        if not 1 <= len({entry["Id"] for entry in entries}) == len(entries) <= 10:
            self.violations.append("a batch that SQS would refuse")
        fault = self._next_fault(operation)
        await asyncio.sleep(_TAKES_S.get(fault, _LATENCY_S))
        if fault == "refused":
            raise _refusal()
        done, dead = [], []
        for entry in entries[1:] if fault == "partly" else entries:
            one = self.messages.get(_receipt(entry)[0])
            if one and one.handle == entry["ReceiptHandle"] and one.visible_at > self._loop.time():
                carry_out(entry, one)
                done.append(entry)
            else:
                dead.append(entry)
        if fault == "passed over":
            return {}
        if fault == "lost":
            raise _refusal()
        self.dead.update(entry["ReceiptHandle"] for entry in dead)
        if settles:
            self.over.update(entry["ReceiptHandle"] for entry in done)
        failed = [{"Id": entry["Id"], "Code": "ReceiptHandleIsInvalid"} for entry in dead]
        if fault == "partly":
            failed.append({"Id": entries[0]["Id"], "Code": "InternalError"})
        return {"Successful": [{"Id": entry["Id"]} for entry in done], "Failed": failed}

    def _next_fault(self, operation: str) -> Fault | None:
        if not self.faults[operation]:
            return None
        self._trouble()
        return self.faults[operation].popleft()

    def _trouble(self) -> None:
        for one in self.messages.values():
            one.troubled = True

    async def _attributes(self, **_: Any) -> dict[str, Any]:
        return {"Attributes": {"VisibilityTimeout": str(VISIBILITY_S), "RedrivePolicy": "{}"}}


def _receipt(entry: dict[str, Any]) -> tuple[str, int]:
    id_, _, number = entry["ReceiptHandle"].rpartition(":")
    return id_, int(number)


def _refusal() -> ClientError:
    return ClientError({"Error": {"Code": "InternalFailure", "Message": ""}}, "any")
