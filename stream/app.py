"""The workload: builds the parts from the settings, runs them until told to stop, and takes them down in order."""

import asyncio
import hashlib
import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, contextmanager

import structlog
from botocore.exceptions import BotoCoreError

from stream import __version__, logs
from stream.aws import Aws
from stream.configuration import Configuration, load
from stream.cores import usable_cores
from stream.decode import Prefilter
from stream.deliver.channels import build
from stream.deliver.dispatcher import Dispatcher
from stream.deliver.repeats import SHARE_THE_LEDGER, may_repeat
from stream.detect.detector import Detector
from stream.detect.rules import RuleSet
from stream.errors import ConfigError
from stream.intake.objects import Objects
from stream.intake.queue import Queue
from stream.ledger import open_ledger
from stream.metrics import Metrics
from stream.pipeline import Pipeline
from stream.server import serving, watch_event_loop

log = structlog.get_logger()


def run() -> int:
    """Run the workload until SIGTERM or SIGINT; the exit code.

    Raises:
        ConfigError: the environment is not enough, or what it names can't be used.
    """
    configuration = load(need_queue=True, need_channel=True)
    logs.configure(configuration.settings.log_level, configuration.settings.log_format)
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
    metrics.config_hash.set(_hash(configuration))
    rules = RuleSet.load(settings.packs, settings.rules)
    metrics.declare_rules((rule.info.id, rule.pack) for rule in rules.rules)
    with _aws_configured():
        aws = Aws(metrics)
        queue = Queue(aws, settings, metrics)
    async with AsyncExitStack() as parts:
        threads = parts.enter_context(ThreadPoolExecutor(usable_cores(), thread_name_prefix="decode"))
        host, port = await parts.enter_async_context(
            serving(metrics, lambda: queue.last_success, host=settings.http_host, port=settings.http_port)
        )
        channels = build(configuration.sections, aws)
        if settings.ledger == "memory" and (repeating := [each.name for each in channels if may_repeat(type(each))]):
            log.warning("replicas may tell people one alert twice", channels=repeating, advice=SHARE_THE_LEDGER)
        longest_timeout_s = max(channel.settings.timeout for channel in channels)
        with _aws_configured():
            ledger = await parts.enter_async_context(
                open_ledger(settings, aws, metrics, longest_timeout_s=longest_timeout_s)
            )
        dispatcher = await parts.enter_async_context(
            Dispatcher(
                channels,
                ledger,
                metrics,
                min_severity=settings.min_severity,
                max_pending_alerts=settings.max_pending_alerts,
            )
        )
        with _aws_configured():
            objects = await parts.enter_async_context(Objects(aws))
            await parts.enter_async_context(queue)
        pipeline = Pipeline(
            settings,
            metrics,
            objects=objects,
            prefilter=Prefilter(rules.literals),
            detector=Detector(rules, buckets=settings.buckets, log_buckets=settings.log_buckets),
            dispatcher=dispatcher,
            threads=threads,
        )
        log.info(
            "started",
            version=__version__,
            queue_url=settings.queue_url,
            buckets=list(settings.buckets),
            channels=[channel.name for channel in channels],
            rules=len(rules.rules),
            http_host=host,
            http_port=port,
        )
        with _stopping_on_signals(queue):
            await _work(queue, pipeline, dispatcher, metrics)
    log.info("stopped")


async def _work(queue: Queue, pipeline: Pipeline, dispatcher: Dispatcher, metrics: Metrics) -> None:
    async with asyncio.TaskGroup() as tasks:
        watch = tasks.create_task(watch_event_loop(metrics))
        await queue.run(pipeline.process, room=dispatcher.room)
        watch.cancel()


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
def _stopping_on_signals(queue: Queue) -> Iterator[None]:
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

    numbers = (signal.SIGTERM, signal.SIGINT)
    for number in numbers:
        loop.add_signal_handler(number, stop, number)
    try:
        yield
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)


def _hash(configuration: Configuration) -> int:
    """48 bits (what a metric's float holds exactly) of a hash of all settings; secrets count by being set or not."""
    text = "\n".join(
        f"{section.__name__} {values.model_dump_json()}"
        for section, values in sorted(configuration.sections.items(), key=lambda item: item[0].__name__)
    )
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:6], "big")
