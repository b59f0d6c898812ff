"""What matches and many rules cost: the speed of log files without either, and of the same with them.

The public Sigma collection is not in this repository: for it stand all of our own packs (which its CloudTrail rules
overlap with) and a thousand synthetic rules, each of one operation's name and one more condition.
"""

import gc
import gzip
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from time import process_time

import orjson
from isal import isal_zlib

from stream.decode import LogDecoder, Prefilter
from stream.demo.emulator import Emulator
from stream.demo.generator import Generator, LogFile
from stream.demo.principals import ACCOUNTS, REGIONS
from stream.detect.rules import RuleSet
from stream.intake.download import WHOLE_BYTES
from stream.process import spare_the_collector
from stream.settings import Settings
from tests.benchmarks.running import Process, put, queue, running
from tests.benchmarks.subject import Target, say

TARGETS = (
    Target("One record in fifty matches, each alert delivered", "≥ 60 % of the speed without a match"),
    Target("Every record matches", "≥ 80 % of orjson parsing them all"),
    Target("All packs on, nothing to alert on", "≥ 70 % of the speed with the default packs"),
    Target("All packs and 1,000 synthetic rules on, nothing to alert on", "≥ 45 % of the speed with the default packs"),
)

_RECORDS = 1100
_ROUNDS = 3
_UNROUTED = {"STDOUT_RULES": "no-such-rule"}
_ALL_PACKS = {"PACKS": "ct-013,audit-trail,own-path,cis"}
_OBJECTS = 20
_RULE = """\
title: {verb}{noun} by {user}
id: {id}
logsource: {{product: aws, service: cloudtrail}}
detection:
    selection:
        eventSource: {service}.amazonaws.com
        eventName: {verb}{noun}
        userIdentity.userName|startswith: {user}
    condition: selection
level: medium
"""
_VERBS = ("Create", "Delete", "Put", "Update", "Attach", "Detach", "Modify", "Disable", "Reset", "Import")
_NOUNS = ("Gateway", "Cluster", "Policy", "Secret", "Volume", "Domain", "Stack", "Pipeline", "Vault", "Route")
_KINDS = ("", "Version", "Attachment", "Permission", "Group", "Set", "Config", "Alias", "Schedule", "Template")
_SERVICES = ("ec2", "iam", "kms", "s3", "rds", "eks", "ssm", "lambda", "route53", "organizations")


async def measure() -> Sequence[str]:
    thresholds = gc.get_threshold()
    with Emulator() as emulator, TemporaryDirectory(prefix="trailstream-bench-") as folder:
        write_rules(Path(folder), 1000)
        ordinary = _generated(0.0)
        quiet = [_without(file, RuleSet.load(_ALL_PACKS["PACKS"].split(","), [folder])) for file in ordinary]
        plain = await _ordinary(emulator, "nothing", {}, quiet, messages=400)
        alike = await _ordinary(emulator, "look-alikes", {}, _generated(0.02))
        packs = await _ordinary(emulator, "all packs", _ALL_PACKS, quiet, messages=400)
        rules = await _ordinary(emulator, "1,000 rules", {**_ALL_PACKS, "RULES": folder}, quiet, messages=400)
        denied = await _ordinary(emulator, "all packs, denied calls", _ALL_PACKS, ordinary)
        some = await _matching(emulator, "one in fifty", 50, {})
        some_unrouted = await _matching(emulator, "one in fifty, unrouted", 50, _UNROUTED)
        every = await _matching(emulator, "every", 1, {})
        every_unrouted = await _matching(emulator, "every, unrouted", 1, _UNROUTED)
    spare_the_collector()  # as `run` does, for us and for what we are held against
    parse_s = min(_parse(1) for _ in range(3))
    say(f"  isal and orjson.loads alone: {parse_s * 1e3:.3f} ms of CPU a file of which every record matches")
    default = RuleSet.load(Settings().packs, ())
    prefilter = Prefilter(default.literals, default.named)
    clean_s, some_s, every_s = (min(_decode(bodies, prefilter) for _ in range(3)) for bodies in _alone(ordinary))
    gc.unfreeze()
    gc.set_threshold(*thresholds)
    say(f"  decoding alone: {clean_s * 1e3:.3f}, {some_s * 1e3:.3f}, {every_s * 1e3:.3f} ms of CPU a file")
    unrouted = [f"{share:.0%} if no channel wants them" for share in (plain / some_unrouted, parse_s / every_unrouted)]
    return (
        (
            f"{plain / some:.0%}; {unrouted[0]}; {clean_s / some_s:.0%} decoded alone; "
            f"{plain / alike:.0%} if they only look as if"
        ),
        (
            f"{parse_s / every:.0%}, {_RECORDS / every:,.0f} alerts a CPU-second; {unrouted[1]}; "
            f"{parse_s / every_s:.0%} decoded alone"
        ),
        f"{plain / packs:.0%}; {plain / denied:.0%} where 0.7 % of records are denied calls, each an alert",
        f"{plain / rules:.0%}",
    )


def write_rules(folder: Path, count: int) -> None:
    """So many Sigma rules, each of another operation."""
    rng = Random(1)
    names = [(verb, noun + kind) for verb in _VERBS for noun in _NOUNS for kind in _KINDS]
    for number, (verb, noun) in enumerate(islice(names, count)):
        rule = _RULE.format(
            verb=verb,
            noun=noun,
            id=f"00000000-0000-4000-8000-{number:012}",
            service=rng.choice(_SERVICES),
            user=f"contractor-{number}",
        )
        (folder / f"{number}.yml").write_text(rule)


def _generated(look_alikes: float) -> list[LogFile]:
    """Log files of ordinary traffic."""
    generator = Generator(seed=1, look_alikes=look_alikes)
    return [generator.log_file(_RECORDS) for _ in range(_OBJECTS)]


def _without(file: LogFile, rules: RuleSet) -> LogFile:
    """The same log file without what these rules match; as many records, some of them twice."""
    records = [each for each in orjson.loads(isal_zlib.decompress(file.body, 31))["Records"] if not rules.match(each)]
    text = orjson.dumps({"Records": (records * 2)[:_RECORDS]})
    return replace(file, body=gzip.compress(text, 6), json_bytes=len(text))


async def _ordinary(
    emulator: Emulator, name: str, settings: Mapping[str, str], files: Sequence[LogFile], *, messages: int = 100
) -> float:
    """CPU-seconds a log file."""
    keys = [file.key for file in files]
    async with queue(emulator, _queue_name(name)) as wiring:
        await put(wiring, {file.key: file.body for file in files})
        async with running(emulator, wiring, settings) as process:
            await process.work(keys * 2)
            rounds = [await process.work(keys * (messages // _OBJECTS)) for _ in range(_ROUNDS)]
    return _best(name, rounds, messages)


async def _matching(emulator: Emulator, name: str, every: int, settings: Mapping[str, str]) -> float:
    """The same where each so manieth record is a StopLogging; no event comes twice, so that each is an alert."""
    count = 20 if every > 1 else 4
    async with queue(emulator, _queue_name(name)) as wiring, running(emulator, wiring, settings) as process:
        rounds = [await _round(process, seed, count, every) for seed in range(_ROUNDS)]
        found = (await process.scrape()).total("alerts_total")
    expected = count * _ROUNDS * (_RECORDS // every)
    if found != expected:
        raise RuntimeError(f"{found:.0f} alerts instead of {expected}")
    return _best(name, rounds, count)


def _queue_name(name: str) -> str:
    return "matching-" + name.translate({ord(" "): "-", ord(","): None})


async def _round(process: Process, seed: int, count: int, every: int) -> float:
    objects = {_key(seed, number): body for number, body in enumerate(_bodies(seed, count, every))}
    await put(process.wiring, objects)
    return await process.work(objects)


def _bodies(seed: int, count: int, every: int) -> list[bytes]:
    generator = Generator(seed=seed, look_alikes=0.0)
    return [b"".join(generator.stream(_RECORDS, planted_every=every)) for _ in range(count)]


def _key(seed: int, number: int) -> str:
    account, region = ACCOUNTS[0], REGIONS[0]
    name = f"{account}_CloudTrail_{region}_20260115T0900Z_{seed:04}{number:012}.json.gz"
    return f"AWSLogs/{account}/CloudTrail/{region}/2026/01/15/{name}"


def _best(name: str, rounds: Sequence[float], files: int) -> float:
    say(f"  {name}: " + ", ".join(f"{each / files * 1e3:.3f}" for each in rounds) + " ms of CPU a file")
    return min(rounds) / files


def _alone(ordinary: Sequence[LogFile]) -> Sequence[Sequence[bytes]]:
    """Log files of which no record matches, one in fifty, every one."""
    return [file.body for file in ordinary[:10]], _bodies(0, 10, 50), _bodies(0, 3, 1)


def _decode(bodies: Sequence[bytes], prefilter: Prefilter) -> float:
    """CPU-seconds a log file of finding and parsing the records that could match, by the default rules."""
    settings = Settings()
    began = process_time()
    for body in bodies:
        decoder = LogDecoder(
            prefilter,
            max_record_bytes=settings.max_record_bytes,
            max_log_bytes=settings.max_log_bytes,
            stored_bytes=len(body),
        )
        for start in range(0, len(body), WHOLE_BYTES):
            decoder.feed(body[start : start + WHOLE_BYTES])
        decoder.finish()
    return (process_time() - began) / len(bodies)


def _parse(every: int) -> float:
    """CPU-seconds a log file of inflating and parsing it whole, and nothing else."""
    bodies = _bodies(0, 10, every)
    began = process_time()
    for body in bodies:
        if len(orjson.loads(isal_zlib.decompress(body, 31))["Records"]) != _RECORDS:
            raise RuntimeError("records are missing")
    return (process_time() - began) / len(bodies)
