"""`trailstream redrive`: a look at the dead-letter queue, and what is in it back where it came from."""

import asyncio
import sys
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass, replace
from typing import Any, Final, Literal

import click
import orjson
from rich.console import Console
from rich.status import Status

from stream import logs
from stream.aws import Aws, queue_region
from stream.checks.credentials import session_fault
from stream.checks.outcome import AWS_ERRORS, error_code, is_forbidden
from stream.checks.queue import unreachable
from stream.configuration import load
from stream.errors import TrailstreamError
from stream.intake.faults import SqsError
from stream.intake.objects import Objects
from stream.intake.sqs import Sqs, queue_arn
from stream.metrics import Metrics
from stream.redrive.looking import READABLE, Kind, Look
from stream.redrive.moving import Queues, move
from stream.settings import Settings
from stream.status.advice import advice_for
from stream.terminal import inert

_SHOWN: Final = 200


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line says.

    Attributes:
        samples: messages to look at.
        rate: messages a second to move, at most; 0: no limit.
        yes: move without asking.
        look_only: don't move, nor ask.
    """

    samples: int
    rate: float
    yes: bool
    look_only: bool
    format: Literal["text", "json"]


def redrive(options: Options) -> int:
    """Look, and move if that is wanted.

    Returns:
        the exit code: 0 the queue was empty, or its messages are back; 1 they are still there.

    Raises:
        ConfigError: the environment can't be used.
        TrailstreamError: a queue can't be used, or not all of its messages are back.
    """
    settings = load(need_queue=True, need_channel=False).settings
    logs.configure("error", "console")
    try:
        return asyncio.run(_redrive(options, settings))
    except SqsError as error:  # of the queue, whose attributes are asked for first
        raise TrailstreamError(_unusable(error.__cause__ or error, settings.queue_url or "")) from None
    except (*AWS_ERRORS, ValueError) as error:
        fault = session_fault(error)
        told = fault or f"SQS answers {error_code(error)}; `trailstream check` looks at the queues"
        raise TrailstreamError(str(told)) from None


def _unusable(error: BaseException, url: str) -> str:
    """Why the queue can't be used; whom to allow what, `check` says, which knows who we are."""
    region = queue_region(url) or Aws(Metrics()).region
    fault = session_fault(error) or unreachable(error, queue_arn(url, region), region)
    if is_forbidden(error):
        fault = replace(fault, fix="`trailstream check` has the statement that allows it.")
    return str(fault)


async def _redrive(options: Options, settings: Settings) -> int:
    console = Console(stderr=True, highlight=False, markup=False, emoji=False)
    aws = Aws(Metrics())
    source_url = settings.queue_url or ""
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(aws.client("sqs", region=queue_region(source_url)))
        queues = await _queues(client, source_url)
        waiting = await _waiting(client, queues.dead_letter_url)
        objects = await stack.enter_async_context(Objects(aws))
        with _status(console, "looking at the dead-letter queue …") as status:
            kinds = await Look(objects, settings).at(
                client,
                queues.dead_letter_url,
                options.samples,
                lambda seen: status.update(f"{seen:,} of about {waiting:,} messages looked at"),
            )
        looked = sum(kind.count for kind in kinds.values())
        waiting = max(waiting, looked)
        _show(kinds, waiting, looked, options)
        if not waiting:
            return 0
        if options.look_only or not (options.yes or _asked(waiting)):
            return 1
        with _status(console, "moving …") as status:
            moved = await move(
                client,
                queues,
                most=waiting,
                rate=options.rate,
                moved=lambda count: status.update(f"{count:,} of about {waiting:,} messages moved"),
            )
        sys.stderr.write(f"{moved:,} messages are back on {inert(source_url)}\n")
        return 0


def _status(console: Console, text: str) -> Status:
    """What is going on, on a terminal."""
    return console.status(text)


async def _queues(client: Any, source_url: str) -> Queues:
    attributes = await Sqs(source_url, wire=client, request_s=30).attributes()
    if attributes.dead_letter_arn is None:
        raise TrailstreamError("the queue has no redrive policy, and so no dead-letter queue")
    account, name = attributes.dead_letter_arn.split(":")[4:6]
    url = (await client.get_queue_url(QueueName=name, QueueOwnerAWSAccountId=account))["QueueUrl"]
    return Queues(url, attributes.dead_letter_arn, source_url)


async def _waiting(client: Any, url: str) -> int:
    answer = await client.get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"])
    return int(answer.get("Attributes", {}).get("ApproximateNumberOfMessages", 0))


def _show(kinds: dict[str, Kind], waiting: int, looked: int, options: Options) -> None:
    if options.format == "json":
        shown = {"messages": waiting, "looked_at": looked, "kinds": [asdict(kind) for kind in kinds.values()]}
        click.echo(orjson.dumps(shown, option=orjson.OPT_INDENT_2))
        return
    if not waiting:
        click.echo("The dead-letter queue is empty.")
        return
    click.echo(f"About {waiting:,} messages in the dead-letter queue; {looked:,} were looked at:")
    for kind in kinds.values():
        click.echo(f"\n{kind.count:,} {_meaning(kind.reason)}")
        for letter in kind.samples:
            click.echo(f"    {inert(letter.id, 80)}  {inert(letter.about, _SHOWN)}")


def _meaning(reason: str) -> str:
    if reason == READABLE:
        return "would be worked on now: what was wrong with them is over"
    stage = "notification" if reason == "poison" else "log_file"
    return f"would fail again: {reason.replace('_', ' ')}. {advice_for(stage, reason)}"


def _asked(waiting: int) -> bool:
    if not sys.stdin.isatty():
        sys.stderr.write("trailstream: nothing is moved; --yes moves them all\n")
        return False
    return click.confirm(f"\nMove all of about {waiting:,} messages back to the queue?", err=True)
