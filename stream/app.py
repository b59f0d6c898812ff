"""The workload: builds the parts from the settings, runs them until told to stop, and takes them down in order."""

import asyncio
import time
from collections.abc import Coroutine, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, contextmanager
from functools import partial
from typing import Any, Final

import structlog
from botocore.exceptions import BotoCoreError

from stream import __version__, logs
from stream.accounts.book import AccountBook
from stream.aws import Aws
from stream.canary.mark import Heard
from stream.cgroup import usable_cores
from stream.configuration import Configuration, load
from stream.deliver.channels import make
from stream.deliver.dispatcher import Dispatcher
from stream.deliver.recent import Recent
from stream.deliver.repeats import SHARE_THE_LEDGER, may_repeat
from stream.detect.detector import Detector
from stream.detect.links import Portal
from stream.errors import ConfigError
from stream.in_force import InForce
from stream.intake.objects import Objects
from stream.intake.queue import Queue
from stream.learning import Learning
from stream.ledger import open_ledger
from stream.ledger.dynamodb import DynamoLedger
from stream.location import Locations
from stream.metrics import Metrics
from stream.notice import PACK
from stream.pipeline import Pipeline
from stream.process import reloading_on_sighup, share_one_heap, spare_the_collector, stopping_on_signals, tidy
from stream.reload import Reloader
from stream.server import serving, watch_event_loop
from stream.settings import Settings
from stream.sources.hearing import Hearing
from stream.status.page import showing
from stream.status.snapshot import Status
from stream.tracing import tracing_of
from stream.watches import canary_watch, digest_watch, heartbeat_of, silence_watch

log = structlog.get_logger()

_NAMES_S: Final = 10.0
"""How long the first alerts may have to wait for the names of accounts."""


def run() -> int:
    """Run the workload until SIGTERM or SIGINT; the exit code.

    Raises:
        ConfigError: the environment is not enough, or what it names can't be used.
    """
    configuration = load(need_queue=True, need_channel=True)
    logs.configure(configuration.settings.log_level, configuration.settings.log_format)
    share_one_heap()
    try:
        asyncio.run(_run(configuration))
    except ConfigError:
        raise
    except Exception:
        log.exception("ended by an unexpected error")
        return 1
    return 0


async def _run(configuration: Configuration) -> None:
    settings = configuration.settings
    metrics = Metrics()
    accounts = AccountBook(settings.accounts)
    learning = Learning(settings)
    location = Locations.finder(settings.geoip, metrics)
    with _aws_configured():
        aws = Aws(metrics)
        queue = Queue(aws, settings, metrics)
    async with AsyncExitStack() as parts:
        tracing = tracing_of(settings.queue_url)
        if tracing is not None:
            parts.push_async_callback(tracing.close)
        threads = parts.enter_context(ThreadPoolExecutor(usable_cores(), thread_name_prefix="decode"))
        # Compiling rules leaves the GIL: meanwhile, the rest is opened.
        compiled = threads.submit(
            InForce,
            configuration,
            metrics,
            lambda rules: Detector(
                rules,
                learning.known,
                account_name=accounts.name,
                location=location,
                portal=Portal.of(settings),
            ),
        )
        host, port = await parts.enter_async_context(
            serving(metrics, lambda: queue.last_success, host=settings.http_host, port=settings.http_port)
        )
        channels = make(configuration.instances, aws)
        recent = Recent()
        if settings.ledger == "memory" and (repeating := [each.name for each in channels if may_repeat(type(each))]):
            log.warning("replicas may tell people one alert twice", channels=repeating, advice=SHARE_THE_LEDGER)
        longest_timeout_s = max((channel.settings.timeout for channel in channels), default=0.0)
        with _aws_configured():
            ledger = await parts.enter_async_context(
                open_ledger(settings, aws, metrics, longest_timeout_s=longest_timeout_s)
            )
        dispatcher = await parts.enter_async_context(
            Dispatcher(
                channels,
                ledger,
                metrics,
                routes=configuration.routes,
                max_pending_alerts=settings.max_pending_alerts,
                max_event_age_s=settings.max_event_age,
                account=accounts.get,
                recent=recent,
                tracing=tracing,
            )
        )
        hearing = Hearing(lambda: queue.last_receive)
        watch = silence_watch(hearing, settings, metrics, dispatcher, ledger, accounts)
        heard = Heard() if settings.canary and PACK in settings.packs else None
        canary = canary_watch(heard, hearing, aws, metrics, dispatcher, ledger)
        status = Status(
            metrics.registry,
            recent,
            buckets=settings.buckets,
            channels=lambda: dispatcher.channels,
            quiet=watch.quiet if watch else tuple,
            unix_time=time.time,
        )
        status_port = await _show(parts, status, settings)
        with _aws_configured():
            objects = await parts.enter_async_context(Objects(aws))
        in_force = await asyncio.wrap_future(compiled)  # before the queue is open, which says that we are ready
        with _aws_configured():
            await parts.enter_async_context(queue)
            digests = digest_watch(settings, aws, metrics, ledger, accounts, hearing)
            if digests is not None:
                await parts.enter_async_context(digests)
        learning.learn_queue(queue.attributes)
        pipeline = Pipeline(
            settings,
            metrics,
            objects=objects,
            detection=in_force.detection,
            dispatcher=dispatcher,
            threads=threads,
            notes=ledger if isinstance(ledger, DynamoLedger) else None,
            account_name=accounts.name,
            hearing=hearing if watch or canary or digests else None,
            canary=heard,
            digests=digests,
            tracing=tracing,
            look_around=partial(learning.learn_trails, aws) if learning.known().learns_trails else None,
        )
        log.info(
            "started",
            version=__version__,
            queue_url=settings.queue_url,
            buckets=list(settings.buckets),
            channels=[channel.name for channel in channels],
            routes=len(configuration.routes.routes),
            rules=len(in_force.detection.rules.rules),
            suppressions=len(in_force.detection.suppressions.all),
            accounts=len(accounts),
            http_host=host,
            http_port=port,
            status_port=status_port,
        )
        in_force.tell()
        spare_the_collector()
        reloader = Reloader(in_force.parts(pipeline, dispatcher), metrics)
        heartbeat = heartbeat_of(settings, metrics, status, queue)
        with stopping_on_signals(queue, dispatcher), reloading_on_sighup(reloader):
            await _work(
                queue,
                pipeline,
                dispatcher,
                accounts,
                beside=[
                    watch_event_loop(metrics),
                    tidy(lambda: queue.in_flight > 0),
                    accounts.keep_fresh(aws, metrics),
                    reloader.run(),
                    learning.learn_role(aws),
                    learning.keep_trails(aws),
                    *(each.run() for each in (watch, canary, heartbeat, digests) if each is not None),
                ],
            )
    log.info("stopped")


async def _work(
    queue: Queue,
    pipeline: Pipeline,
    dispatcher: Dispatcher,
    accounts: AccountBook,
    *,
    beside: Iterable[Coroutine[Any, Any, None]],
) -> None:
    """Read the queue until told to stop, and do what else is to be done meanwhile."""
    async with asyncio.TaskGroup() as tasks:
        others = [tasks.create_task(each) for each in beside]
        await accounts.wait(_NAMES_S)
        await queue.run(pipeline.process, room=dispatcher.room)
        for task in others:
            task.cancel()


async def _show(parts: AsyncExitStack, status: Status, settings: Settings) -> int | None:
    """Serve the page for people, if it is wanted; the port.

    A second process on one machine does without it, unless it was told which port to take.
    """
    if settings.status_port is None:
        return None
    try:
        return await parts.enter_async_context(showing(status.snapshot, port=settings.status_port))
    except ConfigError as error:
        if "status_port" in settings.model_fields_set:
            raise
        log.warning("no status page", reason="port_in_use", cause=str(error))
        return None


@contextmanager
def _aws_configured() -> Iterator[None]:
    """What botocore makes of AWS's own variables and files, as an error of the configuration."""
    try:
        yield
    except (BotoCoreError, ValueError) as error:
        raise ConfigError(
            f"AWS's own settings can't be used ({type(error).__name__}). Look at AWS_PROFILE, AWS_CONFIG_FILE, "
            "AWS_ENDPOINT_URL and the like; `trailstream check` says which identity is found."
        ) from error
