"""What was sent to whom: a channel's name and an alert's id go in, and whether to send it comes out.

At least once, and once where it can be. A claim is taken before sending and holds for a short time, longer than the
sending may take; an acceptance holds for as long as CloudTrail may deliver the same event again. `memory` is of one
process; `dynamodb://table` is shared by all replicas, and its table is made by whoever deploys it:

    partition key   id          String, `<channel>#<alert id>`; no sort key
    TTL attribute   expires_at  Number, Unix time in seconds
    billing         on demand

An item also has `state` (`claimed` or `accepted`) and, while it is a claim, `owner` (a random id of one process). Each
alert and channel costs two writes, and one read at most. Besides, each trail that was stopped or started has an item
`trail#<id>` with `note` (when, as far as any replica has seen) and `version`, which each such event reads and writes;
likewise `trail#<id>-data`, which data events it records, and `trail#<id>-state`, its other settings.

What at-least-once leaves, also with a shared ledger: a replica that dies after the service has accepted an alert and
before that is written down (milliseconds, as a rule) leaves a claim behind. When it lapses, another replica tells the
alert again. So it is while DynamoDB can't be reached: each replica then knows only what it has delivered itself, and
writes that down when the table answers again.
"""

from stream.ledger.interface import Claim, Ledger, Notes
from stream.ledger.memory import MemoryLedger
from stream.ledger.opening import open_ledger

__all__ = ["Claim", "Ledger", "MemoryLedger", "Notes", "open_ledger"]
