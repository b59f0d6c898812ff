"""What to do about what went wrong: the stage and reason of a count in, a sentence out."""

from collections.abc import Mapping
from typing import Final

_BY_REASON: Final[Mapping[tuple[str, str], str]] = {
    ("messages", "unaccounted"): "Messages were received and neither settled nor in hand: please report this.",
    ("queue", "dead_letters"): "`trailstream redrive` groups them by reason and brings them back, after a look.",
    ("queue", "paused"): "Too many alerts wait for a channel: repair the channel that is out of order.",
    ("notification", "poison"): "Somebody else sends to this queue: the log line has the message's id.",
    (
        "notification",
        "inline_disabled",
    ): "TRAILSTREAM_INLINE_EVENTS=true alerts on them; or remove that rule.",
    ("log_file", "foreign_bucket"): "TRAILSTREAM_BUCKETS does not name a bucket that was announced.",
    (
        "log_file",
        "log_too_large",
    ): "Padding hides what is behind it: look at the file, and at _MAX_LOG_BYTES.",
    ("log_file", "record_too_large"): "A record of that size hides what is in it: look at the file, and at "
    "_MAX_RECORD_BYTES.",
    ("log_file", "forbidden"): "Allow s3:GetObject (and kms:Decrypt with the trail's key) for this role.",
    ("log_file", "not_found"): "A log file was gone before it was read: find out who deletes there.",
    ("record", "account_mismatch"): "Somebody else than CloudTrail may write to the bucket: look who.",
    ("deliver", "template"): "The template could not be used and ours was: `trailstream channels show NAME --example`.",
    ("deliver", "minimal_payload"): "A channel refused an alert and took a shorter one: nothing is lost.",
    ("deliver", "rejected"): "A channel refuses an alert for good: its message goes to the dead-letter queue.",
    ("digest", "unannounced"): "They were read late: look who changed the bucket's notifications or reads this queue.",
    ("digest", "unchecked"): "Read that time again by `trailstream replay`: the queue was late for hours.",
    ("receive", "throttled"): "SQS throttles: it is tried again, more slowly.",
    ("rules", "refused"): "`trailstream rules lint` says what is wrong with the rule.",
    ("rules", "reload"): "The changed rules can't be used and the old ones are in force: `trailstream rules lint`.",
}
_BY_STAGE: Final[Mapping[str, str]] = {
    "receive": "`trailstream check` looks at the queue and at what this role may do.",
    "settle": "The message comes again and is worked on again; if it goes on, `trailstream check`.",
    "log_file": "The message goes to the dead-letter queue after its last try; the log line names bucket and key.",
    "record": "The log line names bucket and key; the records beside it were read.",
    "deliver": "`trailstream channels test NAME` says what the channel answers.",
    "accounts": "Alerts go without the accounts' names meanwhile: `trailstream check`.",
    "ledger": "Replicas may tell an alert twice meanwhile: `trailstream check` looks at the table.",
    "context": "Alerts went without what else the caller did.",
    "canary": "The call of TRAILSTREAM_CANARY could not be made: allow traffic to STS in this region.",
    "heartbeat": "Somebody will be paged for want of a call: look at TRAILSTREAM_HEARTBEAT_URL and at the way out.",
    "geoip": "Alerts go without the place of an address: look at TRAILSTREAM_GEOIP.",
    "process": "An unexpected fault: the log has its traceback. Please report it.",
}
_ANY: Final = "The log has a line of it."


def advice_for(stage: str, reason: str) -> str:
    """What to do, in a sentence."""
    return _BY_REASON.get((stage, reason)) or _BY_STAGE.get(stage, _ANY)
