"""Traces, as a collector gets them from the real `run`: whole where something was found, and never in the way."""

import asyncio
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from structlog.testing import capture_logs

from stream.demo.emulator import Emulator
from stream.demo.wiring import Wiring, wire
from stream.demo.workload import Workload
from stream.tracing import tracing_of
from tests.receiver import Receiver, Reply
from tests.test_end_to_end import FOLDER, log_file, settings, stop_logging, until


def spans_of(collector: Receiver) -> list[Any]:
    """Every span that has come, by the time it began."""
    found = []
    for request in collector.requests:
        assert request.path == "/v1/traces"
        for resource in ExportTraceServiceRequest.FromString(request.body).resource_spans:
            names = {each.key: each.value.string_value for each in resource.resource.attributes}
            assert names["service.name"] == "trailstream"
            found += [span for scope in resource.scope_spans for span in scope.spans]
    return sorted(found, key=lambda span: span.start_time_unix_nano)


def attributes(span: Any) -> dict[str, Any]:
    return {each.key: getattr(each.value, each.value.WhichOneof("value")) for each in span.attributes}


@asynccontextmanager
async def traced(
    emulator: Emulator, receiver: Receiver, folder: Path, name: str, **variables: str
) -> AsyncIterator[tuple[Wiring, Workload]]:
    async with wire(emulator.endpoint, name, routes=("s3",)) as wiring:
        environ = dict(emulator.environ) | {"OTEL_BSP_SCHEDULE_DELAY": "100"} | variables
        async with Workload(settings(wiring, WEBHOOK_URL=receiver.url), environ, folder, stop_timeout_s=20) as workload:
            yield wiring, workload


async def read(workload: Workload, count: int) -> None:
    """Wait until that many log files were read, well or not."""

    async def enough() -> bool:
        seen = await workload.scrape()
        return seen.total("log_files_total") >= count and seen.total("messages_in_flight") == 0

    await until(enough)


async def test_a_message_with_a_match_is_traced_whole_whatever_the_sampler_says(
    emulator: Emulator, receiver: Receiver, tmp_path: Path
) -> None:
    async with Receiver() as collector:
        variables = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "OTEL_TRACES_SAMPLER": "always_off"}
        async with traced(emulator, receiver, tmp_path, "traced", **variables) as (wiring, workload):
            await wiring.put("s3", f"{FOLDER}harmless.json.gz", log_file(stop_logging("h", eventName="GetTrail")))
            await read(workload, 1)
            await wiring.put("s3", f"{FOLDER}match.json.gz", log_file(stop_logging("m")))
            await receiver.wait_for(1)
            await read(workload, 2)
            broken = f"{FOLDER}broken.json.gz"
            await wiring.put("s3", broken, b"neither gzip nor JSON")
            await read(workload, 3)
        spans = spans_of(collector)

    names = [span.name.partition(" ")[0] for span in spans]
    assert sorted(names[:4]) == ["deliver", "get_object", "process", "receive"]
    by_name = dict(zip(names[:4], spans[:4], strict=True))
    receive, process, got, deliver = (by_name[name] for name in ("receive", "process", "get_object", "deliver"))
    assert len({span.trace_id for span in (receive, process, got, deliver)}) == 1
    assert not receive.parent_span_id
    assert process.parent_span_id == receive.span_id
    assert {got.parent_span_id, deliver.parent_span_id} == {process.span_id}
    assert receive.start_time_unix_nano <= process.start_time_unix_nano <= deliver.end_time_unix_nano
    assert deliver.end_time_unix_nano <= process.end_time_unix_nano <= receive.end_time_unix_nano
    seen = attributes(got)
    assert (seen["aws.s3.key"], seen["trailstream.records"], seen["trailstream.alerts"]) == (
        f"{FOLDER}match.json.gz",
        1,
        1,
    )
    assert attributes(deliver)["trailstream.answer"] == "accepted"
    header = receiver.requests[0].headers["traceparent"]
    assert header.startswith(f"00-{deliver.trace_id.hex()}-{deliver.span_id.hex()}-")
    assert int(header[-2:], 16) & 1, "it is sampled"

    failed = [span for span in spans[4:] if not span.name.startswith("deliver")]
    assert receive.trace_id not in {each.trace_id for each in failed}
    assert {attributes(each).get("aws.s3.key") for each in failed} == {None, broken}
    assert {each.status.message for each in failed} == {"not_gzip"}
    assert not any("harmless" in str(each) for each in spans)


async def test_of_other_messages_the_sampler_decides_and_a_failing_collector_is_in_nobodys_way(
    emulator: Emulator, receiver: Receiver, tmp_path: Path
) -> None:
    async with Receiver() as collector:
        collector.default = Reply(hang=True)
        variables = {
            "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": f"{collector.url}/v1/traces",
            "OTEL_SERVICE_NAME": "trailstream",
            "OTEL_TRACES_SAMPLER": "parentbased_traceidratio",
            "OTEL_TRACES_SAMPLER_ARG": "1.0",
        }
        async with traced(emulator, receiver, tmp_path, "untaken", **variables) as (wiring, workload):
            await wiring.put("s3", f"{FOLDER}harmless.json.gz", log_file(stop_logging("h", eventName="GetTrail")))
            await read(workload, 1)
            await collector.wait_for(1)  # and it never answers
            await wiring.put("s3", f"{FOLDER}match.json.gz", log_file(stop_logging("m")))
            await receiver.wait_for(1)
            await read(workload, 2)
            began = time.monotonic()
        assert time.monotonic() - began < 15
        assert workload.exit_code == 0
        assert {"receive", "process"} <= {span.name.partition(" ")[0] for span in spans_of(collector)}


def test_without_a_variable_that_asks_nothing_of_it_is_loaded() -> None:
    code = "import sys, stream.app; assert stream.app.tracing_of('') is None; print(*sys.modules)"
    done = subprocess.run((sys.executable, "-c", code), capture_output=True, text=True, check=True)
    assert "stream.tracing" in done.stdout
    assert "opentelemetry" not in done.stdout


ASKED = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}


@pytest.mark.parametrize(
    ("environ", "words"),
    [
        ({}, None),
        (ASKED | {"OTEL_SDK_DISABLED": "true"}, None),
        (ASKED | {"OTEL_TRACES_EXPORTER": "none"}, None),
        (ASKED | {"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, "http/protobuf"),
        ({"OTEL_TRACES_EXPORTER": "zipkin"}, "otlp"),
    ],
)
def test_what_can_not_be_had_is_said(environ: dict[str, str], words: str | None) -> None:
    with capture_logs() as logs:
        assert tracing_of("https://sqs.us-east-1.amazonaws.com/1/q", environ) is None
    assert [words in line["event"] for line in logs if words] == ([True] if words else [])
    assert bool(logs) is (words is not None)


async def test_without_the_extra_it_is_said_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "stream.tracing.spans", None)
    with capture_logs() as logs:
        assert await asyncio.to_thread(tracing_of, "", ASKED) is None
    assert "pip install 'trailstream[otel]'" in logs[0]["event"]
