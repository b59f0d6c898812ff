"""`scan`: log files that are there already."""

import gc
from typing import Any

import click

from stream.commands.group import Command
from stream.commands.group import since as read_since
from stream.severity import SEVERITIES


@click.command(cls=Command)
@click.argument("paths", metavar="PATH...", nargs=-1, required=True)
@click.option(
    "--format",
    "format_",
    type=click.Choice(["table", "jsonl", "csv"]),
    default="table",
    show_default=True,
    help="table for people; jsonl: the whole alert, a line each; csv: flat, safe to open in a spreadsheet.",
)
@click.option(
    "-j", "--jobs", type=click.IntRange(1, 256), metavar="N", help="Processes; as many as there are cores by default."
)
@click.option("--since", callback=read_since, metavar="TIME", help="Leave earlier events out: 24h, 7d, 2024-05-01, ...")
@click.option(
    "--min-severity", type=click.Choice(SEVERITIES), help="Leave milder alerts out; unset: TRAILSTREAM_MIN_SEVERITY."
)
@click.option("--exit-zero", is_flag=True, help="Exit 0, not 1, when something was found.")
@click.option("-q", "--quiet", is_flag=True, help="No progress bar and no summary; faults are still told.")
def scan(
    *,
    paths: tuple[str, ...],
    format_: Any,
    jobs: int | None,
    since: float,
    min_severity: Any,
    exit_zero: bool,
    quiet: bool,
) -> int:
    """Look through CloudTrail log files that are there already.

    PATH is a file, a folder (everything below it that ends in .json.gz, .json or .gz; digests and insights are
    skipped), a glob, s3://bucket/prefix, or - for standard input, gzip or plain JSON. The same decoding and rules
    as in `run`, on every core. Alerts go to standard output in the order of the paths, each once; faults and the
    summary go to standard error. Rules, limits and names are those of the environment: TRAILSTREAM_RULES, _PACKS,
    _SUPPRESS, _PLACEHOLDERS, _ACCOUNTS, _LOG_BUCKETS, _MAX_RECORD_BYTES, _MAX_LOG_BYTES.

    Examples:
        trailstream scan ./AWSLogs
        trailstream scan --since 7d --format jsonl s3://acme-cloudtrail/AWSLogs/ | jq -r .title
        zcat old.json.gz | trailstream scan -

    Exit codes:
        0  nothing found
        1  something found
        2  something could not be read, whatever was found in the rest; or the command line or the
           configuration can't be used
    """
    gc.disable()  # until all is loaded: looking for garbage in that takes a fifth of the time
    from stream.commands.scan import Options
    from stream.commands.scan import scan as scan_

    return scan_(
        Options(
            paths=paths,
            format=format_,
            jobs=jobs,
            since=since,
            min_severity=min_severity,
            exit_zero=exit_zero,
            quiet=quiet,
        )
    )
