"""The workload: builds the parts from the settings, runs them until told to stop, and takes them down in order."""

import asyncio
import ctypes
import gc
import os
import signal
import time
from collections.abc import Coroutine, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, contextmanager, suppress
from functools import partial
from typing import Any, Final

import structlog
from botocore.exceptions import BotoCoreError

from stream import __version__, logs
from stream.accounts.book import AccountBook
from stream.aws import Aws
from stream.canary.call import call
from stream.canary.mark import Heard
from stream.canary.watch import Canary
from stream.configuration import Configuration, load
from stream.cores import usable_cores
from stream.deliver.channels import make
from stream.deliver.clock import SystemClock
from stream.deliver.dispatcher import Dispatcher
from stream.deliver.notices import tell
from stream.deliver.recent import Recent
from stream.deliver.repeats import SHARE_THE_LEDGER, may_repeat
from stream.detect.detector import Detector
from stream.detect.links import Portal
from stream.digest.watching import DigestWatch
from stream.errors import ConfigError
from stream.heartbeat import Heartbeat
from stream.in_force import InForce
from stream.intake.objects import Objects
from stream.intake.queue import Queue
from stream.learning import Learning
from stream.ledger import Ledger, open_ledger
from stream.ledger.dynamodb import DynamoLedger
from stream.location import Locations
from stream.metrics import Metrics
from stream.notice import PACK
from stream.pipeline import Pipeline
from stream.reload import Reloader
from stream.server import READY_S, serving, watch_event_loop
from stream.settings import Settings
from stream.sources.hearing import Hearing
from stream.sources.watch import Watch
from stream.status.page import showing
from stream.status.snapshot import Status

log = structlog.get_logger()

_COLLECTED_AFTER: Final = 10_000  # objects more than before; 700 is Python's own

_M_ARENA_MAX: Final = -8  # of glibc's malloc.h

_NAMES_S: Final = 10.0
"""How long the first alerts may have to wait for the names of accounts."""


def run() -> int:
    """Run the workload until SIGTERM or SIGINT; the exit code.

    Raises:
        ConfigError: the environment is not enough, or what it names can't be used.
    """
    configuration = load(need_queue=True, need_channel=True)
    logs.configure(configuration.settings.log_level, configuration.settings.log_format)
    _share_one_heap()
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
    in_force = InForce(
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
    with _aws_configured():
        aws = Aws(metrics)
        queue = Queue(aws, settings, metrics)
    async with AsyncExitStack() as parts:
        threads = parts.enter_context(ThreadPoolExecutor(usable_cores(), thread_name_prefix="decode"))
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
            )
        )
        hearing = Hearing(lambda: queue.last_receive)
        watch = _watch(hearing, settings, metrics, dispatcher, ledger, accounts)
        heard = Heard() if settings.canary else None
        canary = _canary(heard, hearing, aws, metrics, dispatcher, ledger)
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
            await parts.enter_async_context(queue)
            digests = None
            if settings.digest and PACK in settings.packs:
                notes = ledger if isinstance(ledger, DynamoLedger) else None
                watching = DigestWatch(aws, metrics, account_name=accounts.name, notes=notes)
                digests = await parts.enter_async_context(watching)
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
            hearing=hearing if watch or canary else None,
            canary=heard,
            digests=digests,
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
        _spare_the_collector()
        reloader = Reloader(in_force.parts(pipeline, dispatcher), metrics)
        heartbeat = _heartbeat(settings, metrics, status, queue)
        with _stopping_on_signals(queue, dispatcher), _reloading_on_sighup(reloader):
            await _work(
                queue,
                pipeline,
                dispatcher,
                accounts,
                beside=[
                    watch_event_loop(metrics),
                    accounts.keep_fresh(aws, metrics),
                    reloader.run(),
                    learning.learn_role(aws),
                    learning.keep_trails(aws),
                    *(each.run() for each in (watch, canary, heartbeat) if each is not None),
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


def _watch(
    hearing: Hearing,
    settings: Settings,
    metrics: Metrics,
    dispatcher: Dispatcher,
    ledger: Ledger,
    accounts: AccountBook,
) -> Watch | None:
    """The watch for silence, if it is wanted."""
    shared = isinstance(ledger, DynamoLedger)
    if PACK not in settings.packs or not (shared if settings.silence is None else settings.silence):
        return None
    return Watch(
        hearing,
        lambda notice: tell(notice, dispatcher, metrics),
        metrics,
        clock=SystemClock(),
        notes=ledger if isinstance(ledger, DynamoLedger) else None,
        account_name=accounts.name,
        by_source=settings.source_metrics,
    )


def _canary(
    heard: Heard | None, hearing: Hearing, aws: Aws, metrics: Metrics, dispatcher: Dispatcher, ledger: Ledger
) -> Canary | None:
    """The calls that have to come back in a log file, if they are wanted."""
    if heard is None:
        return None
    return Canary(
        partial(call, aws),
        heard,
        hearing.settled,
        lambda notice: tell(notice, dispatcher, metrics),
        metrics,
        clock=SystemClock(),
        notes=ledger if isinstance(ledger, DynamoLedger) else None,
    )


def _heartbeat(settings: Settings, metrics: Metrics, status: Status, queue: Queue) -> Heartbeat | None:
    """The calls that say that all is well, if they are wanted."""
    if settings.heartbeat_url is None:
        return None

    def wrong() -> set[str]:
        return status.wrong() | ({"queue"} if time.monotonic() - queue.last_success > READY_S else set())

    return Heartbeat(lambda: Settings().heartbeat_url, wrong, metrics, clock=SystemClock())


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


def _spare_the_collector() -> None:
    """Leave what is there for good (modules, rules, service models) out of every collection, and collect less often.

    What a message leaves behind is freed by reference counts; cycles are few.
    """
    gc.collect()
    gc.freeze()
    import ctypes

    ctypes.CDLL(None).malloc_trim(0)
    gc.set_threshold(_COLLECTED_AFTER)


def _share_one_heap() -> None:
    """Let all threads allocate from one heap, which keeps 5 MB less: what one of them frees is of use to another.

    Only glibc has a heap for each thread, and this to say about it (mallopt(3)).
    """
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 1)


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


@contextmanager
def _stopping_on_signals(queue: Queue, dispatcher: Dispatcher) -> Iterator[None]:
    """SIGTERM and SIGINT begin the shutdown; a second one ends the process at once."""
    loop = asyncio.get_running_loop()
    told = False

    def stop(number: int) -> None:
        nonlocal told
        if told:
            os._exit(128 + number)
        told = True
        log.info("stopping", signal=signal.Signals(number).name, in_flight=queue.in_flight)
        queue.stop()
        dispatcher.flush(for_good=True)

    numbers = (signal.SIGTERM, signal.SIGINT)
    for number in numbers:
        loop.add_signal_handler(number, stop, number)
    try:
        yield
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)


@contextmanager
def _reloading_on_sighup(reloader: Reloader) -> Iterator[None]:
    """SIGHUP has files read again at once, changed or not."""
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGHUP, reloader.ask)
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGHUP)
