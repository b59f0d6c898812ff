"""`verify`: what CloudTrail's digests prove."""

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
@click.option("--format", "format_", type=click.Choice(["table", "jsonl"]), default="table", show_default=True)
@QUIET
def verify(
    *,
    url: str,
    since: float,
    until: float,
    accounts: tuple[str, ...],
    regions: tuple[str, ...],
    format_: Any,
    quiet: bool,
) -> int:
    """Find log files and digests that were altered, deleted or forged since CloudTrail delivered them.

    Every digest file (one an hour, account and region, if the trail has log file validation) is held against its
    signature, by the public keys that CloudTrail has, and against the one after it, which names it; every log file
    that it lists is read, and its hash compared. Log files of these hours that no digest lists are told too, and so
    are hours without a digest: logging or validation was off then, or somebody deleted it.

    As `aws cloudtrail validate-logs`, for all accounts and regions of a bucket at once, and with what that passes over:
    files that are not listed, digests missing at the end, and how many are missing in between.

    Needs s3:ListBucket, s3:GetObject, kms:Decrypt on the trail's key and cloudtrail:ListPublicKeys.

    Examples:
        trailstream verify s3://acme-cloudtrail/AWSLogs/ --since 7d
        trailstream verify s3://acme-cloudtrail/AWSLogs/ --since 2024-05-01 --until 2024-05-08 --region 'eu-*'
        trailstream verify s3://acme-cloudtrail/ --since 24h --format jsonl | jq .kind

    Exit codes:
        0  all is as CloudTrail delivered it
        1  something was altered, deleted or forged, or is missing
        2  something could not be looked at, or there is no digest; or the command line can't be used
    """
    bucket, _, prefix = url.removeprefix("s3://").partition("/")
    if not url.startswith("s3://") or not bucket:
        raise click.UsageError("s3://BUCKET/PREFIX names what to look at")
    check_order(since, until)

    from stream.commands.verify import Options
    from stream.commands.verify import verify as verify_

    return verify_(Options(bucket, prefix, since, until, accounts, regions, format_, quiet))
