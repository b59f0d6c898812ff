"""`trailstream check`: the environment in; a line out for each thing that `run` needs, and what to do about it."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Final, Literal

import click
import orjson
from botocore.exceptions import BotoCoreError
from rich.console import Console
from rich.text import Text

from stream import logs
from stream.aws import Aws
from stream.checks.accounts import check_listed_accounts, check_organization
from stream.checks.buckets import check_buckets
from stream.checks.channels import check_channels, check_heartbeat
from stream.checks.credentials import check_credentials, settings_fault
from stream.checks.ledger import check_canary, check_memory, check_own_path, check_silence, check_table
from stream.checks.outcome import Outcome, Status
from stream.checks.queue import check_queue
from stream.checks.routes import check_routes
from stream.checks.suppressions import check_suppressions
from stream.checks.trails import check_digest, check_trails
from stream.configuration import Configuration, load
from stream.detect.detection import rules_of
from stream.errors import ConfigError
from stream.location import Locations
from stream.metrics import Metrics
from stream.settings import Settings
from stream.terminal import inert

_STYLES: Final[dict[Status, str]] = {"ok": "green", "warn": "yellow", "FAIL": "bold red"}


def check(*, config_only: bool, send_test_alert: bool, format_: Literal["text", "json"]) -> int:
    """Look at everything and report.

    Returns:
        the exit code: 0 all is well, warnings aside; 1 something is not; 2 the configuration can't be used.
    """
    logs.configure("error", "console")
    report = _Report(format_)
    try:
        configuration = load(need_queue=True, need_channel=True)
        report.add(_settings(configuration))
        report.add(_rules(configuration.settings))
        for found in check_routes(configuration):
            report.add(found)
        for found in (*check_suppressions(configuration.settings), *check_listed_accounts(configuration.settings)):
            report.add(found)
        for watched in (check_silence, check_canary, check_own_path):
            if outcome := watched(configuration.settings):
                report.add(outcome)
        if configuration.settings.geoip:
            Locations.finder(configuration.settings.geoip)
            report.add(Outcome("geoip", "ok", "the database can be read"))
        if configuration.settings.ledger == "memory" and (outcome := check_memory(configuration.instances)):
            report.add(outcome)
    except ConfigError as error:
        for fault in str(error).splitlines():
            report.add(Outcome("configuration", "FAIL", fault, "`trailstream env` lists every variable."))
        report.end()
        return 2
    if config_only:
        for instance in configuration.instances:
            report.add(Outcome(f"channel {instance.name}", "ok", "configured; not tried"))
    else:
        with _standard_output_kept_for(report):
            asyncio.run(_look(configuration, report, send_test_alert=send_test_alert))
    report.end()
    return 1 if report.failed else 0


async def _look(configuration: Configuration, report: "_Report", *, send_test_alert: bool) -> None:
    async for outcome in _aws_outcomes(configuration.settings):
        report.add(outcome)
    async for outcome in check_channels(configuration.instances, send_test_alert=send_test_alert):
        report.add(outcome)
    async for outcome in check_heartbeat(configuration.settings, call_it=send_test_alert):
        report.add(outcome)


async def _aws_outcomes(settings: Settings) -> AsyncIterator[Outcome]:
    try:
        aws = Aws(Metrics())
        credentials = await check_credentials(aws)
        yield credentials
        if credentials.status == "FAIL":
            yield Outcome("queue", "FAIL", "not looked at without credentials", "See above.")
            return
        async for outcome in check_queue(aws, settings):
            yield outcome
        async for outcome in check_buckets(aws, settings):
            yield outcome
        async for outcome in check_organization(aws, settings):
            yield outcome
        async for outcome in check_trails(aws, settings):
            yield outcome
        async for outcome in check_digest(aws, settings):
            yield outcome
        if settings.ledger != "memory":
            async for outcome in check_table(aws, settings):
                yield outcome
    except (ValueError, BotoCoreError) as error:
        yield settings_fault(error)


def _settings(configuration: Configuration) -> Outcome:
    channels = ", ".join(instance.name for instance in configuration.instances)
    buckets = ", ".join(configuration.settings.buckets)
    return Outcome(
        "settings", "ok", f"queue {configuration.settings.queue_url}; buckets {buckets}; channels {channels}"
    )


def _rules(settings: Settings) -> Outcome:
    found = rules_of(settings)
    rules = found.rules
    packs = ", ".join(dict.fromkeys(rule.pack for rule in rules))
    evidence = f"{len(rules)} of {packs}"
    fixes = []
    if found.refused:
        evidence += f"; refused: {'; '.join(f'{each.source}: {each.reason}' for each in found.refused)}"
        fixes.append("`trailstream rules lint` says more; TRAILSTREAM_RULES_STRICT=true refuses to start with them.")
    unindexed = [rule.info.title for rule in rules if rule.literals is None]
    if unindexed:
        evidence += f"; not indexed, so that every record has to be parsed: {', '.join(unindexed)}"
        fixes.append("Make those that are not indexed ask for the text of a field: an eventName, for instance.")
    return Outcome("rules", "warn" if fixes else "ok", evidence, "\n".join(fixes) or None)


class _Report:
    """Prints outcomes as they come, or all of them together as JSON."""

    def __init__(self, format_: Literal["text", "json"]) -> None:
        self.json = format_ == "json"
        self.failed = False
        self._outcomes: list[Outcome] = []
        self._console = Console(highlight=False, markup=False, emoji=False)

    def add(self, outcome: Outcome) -> None:
        self._outcomes.append(outcome)
        self.failed = self.failed or outcome.status == "FAIL"
        if self.json:
            return
        line = Text(f"{outcome.status:<4}", _STYLES[outcome.status])
        line.append(f"  {inert(outcome.check)}: {inert(outcome.evidence)}", "default")
        self._console.print(line, soft_wrap=True)
        for text in (outcome.fix or "").splitlines():
            self._console.print(Text(f"      {inert(text)}"), soft_wrap=True)

    def end(self) -> None:
        if self.json:
            click.echo(orjson.dumps([asdict(outcome) for outcome in self._outcomes], option=orjson.OPT_INDENT_2))


@contextmanager
def _standard_output_kept_for(report: _Report) -> Iterator[None]:
    """Where the report is JSON, a test alert of the channel `stdout` goes to standard error instead."""
    if not report.json:
        yield
        return
    sys.stdout.flush()
    kept = os.dup(1)
    os.dup2(2, 1)
    try:
        yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)
