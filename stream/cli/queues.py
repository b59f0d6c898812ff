"""`replay` and `redrive`: what goes onto the queue once more."""

from typing import Any

import click

from stream.cli.options import ACCOUNTS, QUIET, REGIONS, SINCE, UNTIL, check_order
from stream.commands.group import Command


@click.command(cls=Command)
@click.argument("url", metavar="s3://BUCKET/PREFIX")
@SINCE
@UNTIL
@ACCOUNTS
@REGIONS
@click.option(
    "--rate",
    type=click.FloatRange(0),
    default=50.0,
    show_default=True,
    help="Log files a second, so that what happens now is not kept waiting; 0: no limit.",
)
@click.option("--page", is_flag=True, help="Tell people, too, of what is found.")
@click.option("--start-after", "after", default="", metavar="KEY", help="Go on where an earlier replay has stopped.")
@click.option("--dry-run", is_flag=True, help="Only count the log files.")
@QUIET
def replay(
    *,
    url: str,
    since: float,
    until: float,
    accounts: tuple[str, ...],
    regions: tuple[str, ...],
    rate: float,
    page: bool,
    after: str,
    dry_run: bool,
    quiet: bool,
) -> int:
    """Put log files that are there already on the queue, for the replicas that are running to work through.

    Each becomes a notification in S3's own form on TRAILSTREAM_QUEUE_URL, with an attribute by which `run` knows it:
    what is found goes to webhooks, topics, buses and findings, and to no people (Slack, email, PagerDuty, tickets),
    unless --page is given. What a channel was told of before is not told again.

    A narrow prefix (s3://BUCKET/AWSLogs/111122223333/CloudTrail/eu-west-1/2024/05/) is listed sooner. Needs
    s3:ListBucket and sqs:SendMessage. After an interruption it says how to go on.

    Examples:
        trailstream replay s3://acme-cloudtrail/AWSLogs/ --since 7d --dry-run
        trailstream replay s3://acme-cloudtrail/AWSLogs/ --since 2024-05-01 --until 2024-05-03 --region 'eu-*'

    Exit codes:
        0  all of them are on the queue
        1  there is none, or the bucket or the queue could not be used
        2  the command line or the configuration can't be used
    """
    check_order(since, until)

    from stream.commands.replay import Options
    from stream.commands.replay import replay as replay_
    from stream.replay.choice import Choice

    return replay_(
        Options(
            url=url,
            choice=Choice(since, until, accounts, regions),
            rate=rate,
            page=page,
            after=after,
            dry_run=dry_run,
            quiet=quiet,
        )
    )


@click.command(cls=Command)
@click.option("--samples", type=click.IntRange(1), default=200, show_default=True, help="Messages to look at.")
@click.option(
    "--rate",
    type=click.FloatRange(0),
    default=50.0,
    show_default=True,
    help="Messages a second to move back; 0: no limit.",
)
@click.option("--yes", is_flag=True, help="Move without asking.")
@click.option("--look-only", is_flag=True, help="Move nothing, and don't ask.")
@click.option("--format", "format_", type=click.Choice(["text", "json"]), default="text", show_default=True)
def redrive(*, samples: int, rate: float, yes: bool, look_only: bool, format_: Any) -> int:
    """Look at the dead-letter queue, and put its messages back.

    Messages are read as `run` would read them, grouped by why they would fail again, and shown with samples; those
    that would be worked on now are told apart. Then, if you say so, all of them go back to TRAILSTREAM_QUEUE_URL, by
    SQS itself (StartMessageMoveTask) or, where it has no such call, one by one. Nothing is deleted that is not on the
    queue again; what still can't be read comes back to the dead-letter queue.

    Needs sqs:ReceiveMessage, sqs:ChangeMessageVisibility and sqs:StartMessageMoveTask on the dead-letter queue, and
    what `run` needs to read log files.

    Examples:
        trailstream redrive --look-only
        trailstream redrive --yes --rate 20

    Exit codes:
        0  the dead-letter queue was empty, or its messages are back on the queue
        1  some of them are still there, or a queue could not be used
        2  the command line or the configuration can't be used
    """
    if yes and look_only:
        raise click.UsageError("--yes and --look-only: one of them")

    from stream.commands.redrive import Options
    from stream.commands.redrive import redrive as redrive_

    return redrive_(Options(samples, rate, yes, look_only, format_))
