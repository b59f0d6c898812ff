"""A model of SQS and N replicas: how many pods an organisation needs, how old its messages get, what a month costs.

Assumed: an account's active region has one log file in each five minutes, and four fifths of a wave arrive within its
first ten seconds (a guess at the worst), the rest evenly. A file has 1 to 400 records, 20 in the median, of 1.26 KB;
one in a hundred, a busy account's, has 2,000. A pod has the quarter of a vCPU that deploy/kubernetes requests, and
works on what it receives one after the other; its time for a file is a constant and a part by size, both as measured
on this machine. A receive brings what is there, ten at most, a delete takes as many, and S3's own send is paid for. A
pod that waits asks every twenty seconds, twice. There are two pods at least, and as many more as keep the age at p99
below ten seconds. Two alerts a day come of an account.

Not in it: KEDA's delay, SNS and EventBridge in front of the queue, KMS, traffic between zones, CloudTrail itself.
Prices are those of us-east-1, on demand, of 2026, without any free tier.
"""

import heapq
from dataclasses import dataclass
from math import ceil, exp, log
from random import Random
from typing import Final

from stream.sources.hearing import MOST_SOURCES
from tests.benchmarks.throughput import Speed

SQS_REQUEST: Final = 0.40e-6  # https://aws.amazon.com/sqs/pricing/
S3_GET: Final = 0.40e-6  # https://aws.amazon.com/s3/pricing/
DYNAMODB_WRITE: Final = 0.625e-6  # a write request unit: https://aws.amazon.com/dynamodb/pricing/on-demand/
VCPU_HOUR: Final = 0.04048  # Linux on x86: https://aws.amazon.com/fargate/pricing/
GB_HOUR: Final = 0.004445  # the same page

MONTH_S: Final = 730 * 3600.0
WAVE_S: Final = 300.0
POD_VCPU: Final = 0.25
POD_GB: Final = 0.25
MOST_AGE_S: Final = 10.0
FEWEST_PODS: Final = 2

_BURST: Final = 0.8
_BURST_S: Final = 10.0
_RECORD_BYTES: Final = 1260.0
_BUSY: Final = 0.01
_BUSY_RECORDS: Final = 2000
_BATCH: Final = 10
_POLLS_A_SECOND: Final = 2 / 20  # TRAILSTREAM_RECEIVERS long polls of twenty seconds
_ALERTS_A_DAY: Final = 2.0  # of an account
_WRITES_AN_ALERT: Final = 3.0  # claimed, accepted, and what its trail was like
_NOTES_A_MINUTE: Final = 2.0  # of a replica: what it has heard, and who judges
_BYTES_A_SOURCE: Final = 6.0  # in such a note, compressed
_WAVES: Final = 6
ORGANISATIONS: Final = tuple((accounts, regions) for accounts in (10, 500, 5000) for regions in (4, 17))


@dataclass(frozen=True, slots=True)
class Service:
    """CPU-seconds of a file: `each`, and `a_byte` of its JSON."""

    each: float
    a_byte: float

    @classmethod
    def measured(cls, small: Speed, large: Speed) -> "Service":
        """The line through two sizes."""
        a_byte = (large.seconds - small.seconds) / (large.json_bytes - small.json_bytes)
        return cls(each=small.seconds - a_byte * small.json_bytes, a_byte=a_byte)

    def seconds(self, json_bytes: float) -> float:
        """CPU-seconds of a file of this size."""
        return self.each + self.a_byte * json_bytes


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the queue was like: the age of messages when they are received, and requests and CPU-seconds a file."""

    age_p99_s: float
    requests: float
    cpu_s: float


@dataclass(frozen=True, slots=True)
class Fleet:
    """What an organisation needs, and what it pays for it in a month, in dollars."""

    accounts: int
    regions: int
    pods: int
    outcome: Outcome

    @property
    def files(self) -> float:
        """Log files a month."""
        return self.accounts * self.regions * MONTH_S / WAVE_S

    @property
    def sqs(self) -> float:
        return (self.files * self.outcome.requests + self.pods * _POLLS_A_SECOND * MONTH_S) * SQS_REQUEST

    @property
    def s3(self) -> float:
        return self.files * S3_GET

    @property
    def dynamodb(self) -> float:
        sources = min(self.accounts * self.regions, MOST_SOURCES)
        units = ceil(sources * _BYTES_A_SOURCE / 1024)
        notes = self.pods * _NOTES_A_MINUTE * units * MONTH_S / 60
        alerts = self.accounts * _ALERTS_A_DAY * _WRITES_AN_ALERT * MONTH_S / 86_400
        return (notes + alerts) * DYNAMODB_WRITE

    @property
    def pods_cost(self) -> float:
        return self.pods * (POD_VCPU * VCPU_HOUR + POD_GB * GB_HOUR) * MONTH_S / 3600

    @property
    def total(self) -> float:
        return self.sqs + self.s3 + self.dynamodb + self.pods_cost


def simulate(files: int, service: Service, pods: int, *, waves: int = _WAVES, seed: int = 1) -> Outcome:
    """Some waves of so many files each, worked on by so many pods: first come, first served."""
    arrivals = _arrivals(files, service, waves, Random(seed))
    free = [0.0] * pods  # a heap: when each pod asks for more
    ages: list[float] = []
    batches, position = 0, 0
    while position < len(arrivals):
        now = max(heapq.heappop(free), arrivals[position][0])
        end = position
        work_s = 0.0
        while end < len(arrivals) and end - position < _BATCH and arrivals[end][0] <= now:
            ages.append(now - arrivals[end][0])
            work_s += arrivals[end][1] / POD_VCPU
            end += 1
        position = end
        batches += 1
        heapq.heappush(free, now + work_s)
    ages.sort()
    return Outcome(
        age_p99_s=ages[int(0.99 * (len(ages) - 1))],
        requests=1 + 2 * batches / len(ages),
        cpu_s=sum(cpu_s for _, cpu_s in arrivals) / len(arrivals),
    )


def fleet(accounts: int, regions: int, service: Service) -> Fleet:
    """The smallest that keeps the age of messages within bounds."""
    fewest, enough = FEWEST_PODS - 1, FEWEST_PODS
    outcome = simulate(accounts * regions, service, enough)
    while outcome.age_p99_s > MOST_AGE_S:
        fewest, enough = enough, enough * 2
        outcome = simulate(accounts * regions, service, enough)
    while enough - fewest > 1 and enough > FEWEST_PODS:
        pods = (fewest + enough) // 2
        tried = simulate(accounts * regions, service, pods)
        if tried.age_p99_s > MOST_AGE_S:
            fewest = pods
        else:
            enough, outcome = pods, tried
    return Fleet(accounts, regions, enough, outcome)


def render(service: Service) -> str:
    """The Markdown table of some organisations."""
    titles = ["accounts", "active regions of each", "log files a month", "pods", "queue's age, p99"]
    titles += ["SQS", "S3", "DynamoDB", "pods' vCPU and memory", "a month", "a million files"]
    lines = ["| " + " | ".join(titles) + " |", "|" + "--:|" * len(titles)]
    for accounts, regions in ORGANISATIONS:
        one = fleet(accounts, regions, service)
        costs = (one.sqs, one.s3, one.dynamodb, one.pods_cost, one.total, one.total / one.files * 1e6)
        lines.append(
            f"| {accounts:,} | {regions} | {one.files / 1e6:,.2f} M | {one.pods} | {one.outcome.age_p99_s:.2f} s | "
            + " | ".join(f"${cost:,.2f}" for cost in costs)
            + " |"
        )
    mean_ms = simulate(1000, service, FEWEST_PODS).cpu_s * 1e3
    return "\n".join(
        [*lines, "", f"A log file takes {mean_ms:.2f} ms of a vCPU in the mean; a pod has {POD_VCPU} of one."]
    )


def _arrivals(files: int, service: Service, waves: int, rng: Random) -> list[tuple[float, float]]:
    """When each file comes, and its CPU-seconds; in order of time."""
    found = []
    for wave in range(waves):
        for _ in range(files):
            at = wave * WAVE_S + rng.uniform(0, _BURST_S if rng.random() < _BURST else WAVE_S)
            usual = max(1, min(400, round(exp(rng.gauss(log(20), 1.2)))))
            records = _BUSY_RECORDS if rng.random() < _BUSY else usual
            found.append((at, service.seconds(records * _RECORD_BYTES)))
    found.sort()
    return found
