"""The rules: each alert fires and stays silent as it should, and a real Prometheus has nothing against them."""

import asyncio
import json
import re
import shutil
import subprocess
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, Final

import aiohttp
import pytest
import yaml

from stream.demo.emulator import Emulator
from stream.demo.wiring import wire
from stream.demo.workload import Workload
from tests.deploy.prometheus_cases import CASES
from tests.deploy.reference import metric_names
from tests.test_end_to_end import settings

FOLDER: Final = Path(__file__).parents[2] / "deploy/prometheus"
RULES: Final = sorted((FOLDER / "rules").glob("*.yaml"))
_EVERY: Final = "4m"  # what was recorded is out of sight after five
_WORD: Final = re.compile(r"\b(?:trailstream|process)_[a-z0-9_]+\b")


def program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is missing; Debian's package prometheus has it")
    return found


def rules() -> Iterator[dict[str, Any]]:
    for file in RULES:
        for group in yaml.safe_load(file.read_text())["groups"]:
            yield from group["rules"]


def alerts() -> dict[str, dict[str, Any]]:
    return {rule["alert"]: rule for rule in rules() if "alert" in rule}


def test_every_alert_has_a_case_in_which_it_fires_and_one_in_which_it_does_not(tmp_path: Path) -> None:
    promtool = program("promtool")
    assert CASES.keys() == alerts().keys()
    tests = []
    for name, case in CASES.items():
        for series, fires in ((case.firing, True), (case.silent, False)):
            tests.append(
                {
                    "name": f"{name} {'fires' if fires else 'is silent'}",
                    "interval": "1m",
                    "input_series": [{"series": key, "values": values} for key, values in series.items()],
                    "promql_expr_test": [
                        {
                            "expr": f'count(ALERTS{{alertname="{name}", alertstate="firing"}}) > bool 0',
                            "eval_time": f"{case.minutes}m",
                            "exp_samples": [{"labels": "{}", "value": 1}] if fires else [],
                        }
                    ],
                }
            )
    files = copied(tmp_path, {"interval": _EVERY})
    cases = tmp_path / "cases.yaml"
    cases.write_text(yaml.safe_dump({"rule_files": files, "evaluation_interval": _EVERY, "tests": tests}))
    done = subprocess.run([promtool, "test", "rules", cases], capture_output=True, text=True, timeout=120, check=False)

    assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_says_how_bad_it_is_and_what_to_do() -> None:
    for name, rule in alerts().items():
        assert name.startswith("Trailstream")
        assert rule["labels"] == {"severity": rule["labels"]["severity"]}
        assert rule["labels"]["severity"] in ("critical", "warning")
        assert set(rule["annotations"]) == {"summary", "description", "runbook_url"}
        assert rule["annotations"]["runbook_url"].rpartition("#")[2] == name.lower()


def test_every_metric_of_the_rules_is_one_of_ours() -> None:
    ours, recorded = metric_names(), {rule["record"] for rule in rules() if "record" in rule}
    assert len(recorded) == 13
    for rule in rules():
        expression = re.sub(r"\b(?:namespace|pod|channel):\w+:\w+", "", rule["expr"])
        assert set(re.findall(r"\b(?:namespace|pod|channel):\w+:\w+", rule["expr"])) <= recorded, rule
        assert set(_WORD.findall(expression)) <= ours, rule


def copied(folder: Path, values: Mapping[str, str]) -> list[str]:
    """The rules with other values of some keys."""
    files = []
    for file in RULES:
        text = file.read_text()
        for key, value in values.items():
            text = re.sub(rf"^( *{key}): .*", rf"\1: {value}", text, flags=re.MULTILINE)
        (folder / file.name).write_text(text)
        files.append(str(folder / file.name))
    return files


@asynccontextmanager
async def prometheus(folder: Path, target: str) -> AsyncIterator[aiohttp.ClientSession]:
    """A real one, that scrapes a target and evaluates the rules every second."""
    config = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": copied(folder, {"for": "1s", "interval": "1s"}),
        "scrape_configs": [
            {
                "job_name": "trailstream",
                "static_configs": [{"targets": [target], "labels": {"namespace": "t", "pod": "a"}}],
            }
        ],
    }
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
    process = await asyncio.create_subprocess_exec(
        program("prometheus"),
        f"--config.file={folder}/prometheus.yml",
        f"--storage.tsdb.path={folder}/data",
        "--web.listen-address=127.0.0.1:0",
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stderr is not None
        address = ""
        async with asyncio.timeout(60):
            while not address:
                line = (await process.stderr.readline()).decode()
                assert line, "prometheus has ended"
                found = re.search(r"Listening on.*address=(127\.0\.0\.1:\d+)", line)
                address = found[1] if found else ""
        drain = asyncio.create_task(process.stderr.read())
        async with aiohttp.ClientSession(f"http://{address}") as client:
            yield client
        drain.cancel()
    finally:
        process.terminate()
        await process.wait()


async def scraped(client: aiohttp.ClientSession) -> bool:
    """Whether there are samples of ours."""
    async with client.get("/api/v1/query", params={"query": "trailstream_config_hash"}) as answer:
        return bool((await answer.json())["data"]["result"])


async def test_a_real_prometheus_scrapes_a_real_run_and_evaluates_every_rule(
    emulator: Emulator, tmp_path: Path
) -> None:
    program("prometheus")
    async with AsyncExitStack() as stack:
        wiring = await stack.enter_async_context(wire(emulator.endpoint, "scraped", routes=("s3",)))
        workload = await stack.enter_async_context(
            Workload(settings(wiring, STDOUT="true"), emulator.environ, tmp_path)
        )
        client = await stack.enter_async_context(prometheus(tmp_path, workload.address.removeprefix("http://")))
        await stack.enter_async_context(asyncio.timeout(60))
        poisoned = False
        while True:
            async with client.get("/api/v1/rules") as answer:
                groups = json.loads(await answer.text())["data"]["groups"] if answer.status == 200 else []
            found = {rule["name"]: rule for group in groups for rule in group["rules"]}
            if found and all(rule["health"] != "unknown" for rule in found.values()):
                firing = {name for name, rule in found.items() if rule.get("state") == "firing"}
                if "TrailstreamPoison" in firing:
                    break
                if not poisoned and (poisoned := await scraped(client)):  # an increase takes a scrape before it
                    await wiring.sqs.send_message(QueueUrl=wiring.queue_url, MessageBody="nothing that is known")
            await asyncio.sleep(0.2)
        async with client.get("/api/v1/targets") as answer:
            (target,) = json.loads(await answer.text())["data"]["activeTargets"]

    assert {name: rule.get("lastError") for name, rule in found.items() if rule["health"] != "ok"} == {}
    assert len(found) == len(list(rules()))
    assert "TrailstreamDown" not in firing
    assert target["health"] == "up"


def test_the_operator_s_manifest_has_the_same_rules() -> None:
    from tests.deploy.rules import MANIFEST, made  # which takes the rules from here

    assert MANIFEST.read_text() == made(), "run: python -m tests.deploy.rules"
    groups = yaml.safe_load(made())["spec"]["groups"]
    assert [rule for group in groups for rule in group["rules"]] == list(rules())
