import asyncio

from stream.ledger import MemoryLedger


class _Time:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


async def test_a_claim_is_granted_once_until_it_is_released() -> None:
    ledger = MemoryLedger()
    assert await ledger.claim("slack", "a") == "granted"
    assert await ledger.claim("slack", "a") == "held"
    await ledger.release("slack", "a")
    assert await ledger.claim("slack", "a") == "granted"


async def test_of_many_claims_at_once_one_is_granted() -> None:
    ledger = MemoryLedger()
    claims = await asyncio.gather(*(ledger.claim("slack", "a") for _ in range(10)))
    assert sorted(claims) == ["granted"] + ["held"] * 9


async def test_what_was_accepted_is_not_sent_again() -> None:
    ledger = MemoryLedger()
    assert not await ledger.sent("slack", "a")
    await ledger.claim("slack", "a")
    await ledger.accepted("slack", "a")
    assert await ledger.claim("slack", "a") == "sent"
    assert await ledger.sent("slack", "a")


async def test_channels_and_alerts_have_nothing_to_do_with_each_other() -> None:
    ledger = MemoryLedger()
    await ledger.accepted("slack", "a")
    assert await ledger.claim("webhook", "a") == "granted"
    assert await ledger.claim("slack", "b") == "granted"


async def test_a_claim_that_nobody_came_back_for_lapses() -> None:
    time = _Time()
    ledger = MemoryLedger(claim_s=60, now=time)
    await ledger.claim("slack", "a")
    time.now = 59
    assert await ledger.claim("slack", "a") == "held"
    time.now = 60
    assert await ledger.claim("slack", "a") == "granted"


async def test_an_acceptance_is_forgotten_after_its_time() -> None:
    time = _Time()
    ledger = MemoryLedger(ttl_s=100, now=time)
    await ledger.accepted("slack", "a")
    time.now = 99
    assert await ledger.sent("slack", "a")
    time.now = 100
    assert await ledger.claim("slack", "a") == "granted"
    await ledger.accepted("slack", "b")
    assert ledger.entries == 1


async def test_it_remembers_no_more_than_it_may_and_forgets_the_oldest() -> None:
    ledger = MemoryLedger(max_entries=3)
    for alert_id in ("a", "b", "c", "a", "d"):
        await ledger.accepted("slack", alert_id)
    assert ledger.entries == 3
    assert not await ledger.sent("slack", "b")
    assert await ledger.sent("slack", "a")


async def test_an_acceptance_ends_the_claim_too() -> None:
    time = _Time()
    ledger = MemoryLedger(ttl_s=10, claim_s=1000, now=time)
    await ledger.claim("slack", "a")
    await ledger.accepted("slack", "a")
    time.now = 11
    assert await ledger.claim("slack", "a") == "granted"
