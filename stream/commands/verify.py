"""`trailstream verify`: a bucket and two times in; what is not as CloudTrail left it out."""

import asyncio
import sys
from collections.abc import Callable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, Literal

import click
import orjson
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from stream import logs
from stream.aws import Aws
from stream.checks.buckets import unlistable
from stream.checks.outcome import AWS_ERRORS
from stream.digest.digest import Place
from stream.digest.finding import TITLES, Finding
from stream.digest.listing import roots
from stream.digest.verifying import PublicKeys, Tally, Verifier
from stream.metrics import Metrics
from stream.terminal import inert

_SHOWN_KEY = 60


@dataclass(frozen=True, slots=True)
class Options:
    """What to look at.

    Attributes:
        bucket: whose objects.
        prefix: where to begin.
        since: Unix time.
        until: likewise.
        accounts: globs of account ids; none: any.
        regions: globs; none: any.
        format: `table`, or `jsonl`, an object a finding.
        quiet: show no progress.
    """

    bucket: str
    prefix: str
    since: float
    until: float
    accounts: tuple[str, ...]
    regions: tuple[str, ...]
    format: Literal["table", "jsonl"]
    quiet: bool


def verify(options: Options) -> int:
    """Look, and print what is found.

    Returns:
        the exit code: 0 all is as it was delivered; 1 something is not; 2 something could not be looked at.
    """
    logs.configure("error", "console")
    run = _Run(options)
    try:
        asyncio.run(run.run())
    except (*AWS_ERRORS, ValueError) as error:
        told = f"s3://{options.bucket} can't be listed: {unlistable(error, options.bucket)}"
        for line in told.splitlines():
            click.echo(f"trailstream: {inert(line)}", err=True)
        return 2
    run.sum_up()
    return run.exit_code


class _Run:
    """One look at a bucket."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._tally = Tally()
        self._counts: dict[str, int] = {}
        self._folders = 0

    @property
    def exit_code(self) -> int:
        """By what was found so far."""
        if self._counts.get("unreadable") or not self._folders or not (self._tally.digests or self._counts):
            return 2
        return 1 if self._counts else 0

    async def run(self) -> None:
        """Look at one account and region after the other."""
        options, aws = self._options, Aws(Metrics())
        progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.fields[digests]} digests, {task.fields[logs]} log files, {task.fields[found]} findings"),
            TextColumn("{task.fields[key]}", style="dim"),
            TimeElapsedColumn(),
            console=Console(stderr=True),
            transient=True,
            disable=options.quiet or not sys.stderr.isatty(),
        )
        with progress:
            task = progress.add_task("", total=None, digests="0", logs="0", found="0", key="")

            def advance(key: str) -> None:
                progress.update(
                    task,
                    digests=f"{self._tally.digests:,}",
                    logs=f"{self._tally.logs:,}",
                    found=f"{sum(self._counts.values()):,}",
                    key=inert(key[-_SHOWN_KEY:]),
                )

            async with aws.client("s3", connections=32) as s3:
                await self._look(aws, s3, advance)

    async def _look(self, aws: Aws, s3: Any, advance: Callable[[str], None]) -> None:
        options = self._options
        verifier = Verifier(
            s3,
            options.bucket,
            PublicKeys(aws),
            since=options.since,
            until=options.until,
            tally=self._tally,
            advance=advance,
        )
        async for root in roots(s3, options.bucket, options.prefix):
            if self._wanted(root):
                self._folders += 1
                async for finding in verifier.look(root):
                    self._print(finding)

    def _wanted(self, root: str) -> bool:
        account, _, region = root.rstrip("/").rsplit("/", 2)
        options = self._options
        account = account.rpartition("/")[2]
        return (not options.accounts or any(fnmatchcase(account, glob) for glob in options.accounts)) and (
            not options.regions or any(fnmatchcase(region, glob) for glob in options.regions)
        )

    def _print(self, finding: Finding) -> None:
        self._counts[finding.kind] = self._counts.get(finding.kind, 0) + 1
        if self._options.format == "jsonl":
            place = Place.of(finding.key)
            where = {"account_id": place.account, "region": place.region} if place else {}
            told = {"kind": finding.kind, "bucket": finding.bucket, "key": finding.key, "detail": finding.detail}
            click.echo(orjson.dumps(told | where))
        else:
            click.echo(
                f"{TITLES[finding.kind]:<21}  s3://{inert(finding.bucket)}/{inert(finding.key)}\n"
                f"{'':<21}  {inert(finding.detail)}"
            )

    def sum_up(self) -> None:
        """Say what was looked at, on standard error."""
        options, tally = self._options, self._tally
        if not self._folders:
            click.echo(
                f"trailstream: there are no digest files below s3://{inert(options.bucket)}/{inert(options.prefix)}: "
                "does the trail validate its log files (EnableLogFileValidation)?",
                err=True,
            )
            return
        if not tally.digests and not self._counts:
            click.echo("trailstream: there is no digest file in that time", err=True)
            return
        found = ", ".join(
            f"{count:,} {TITLES[kind]}"
            for kind, title in TITLES.items()
            if (count := self._counts.get(kind, 0)) and title
        )
        click.echo(
            f"{tally.digests:,} digests and {tally.logs:,} log files are as CloudTrail delivered them, in "
            f"{self._folders:,} account region{'s' if self._folders > 1 else ''}; {found or 'nothing is wrong'}",
            err=True,
        )
