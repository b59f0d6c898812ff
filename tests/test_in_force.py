"""Rules, filters, placeholders and routes of a running program, read again from their files."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import structlog

from stream.aws import Aws
from stream.configuration import load
from stream.deliver.dispatcher import Dispatcher
from stream.detect.detector import Detector
from stream.errors import ConfigError
from stream.in_force import InForce
from stream.intake.objects import Objects
from stream.ledger import MemoryLedger
from stream.metrics import Metrics
from stream.pipeline import Pipeline
from stream.reload import Reloader
from tests.deliver.alerts import make_alert

CT_013 = "c4b112a3-1dbf-4b3f-b88d-b3ab9bdca8fa"
ONE = "0b7c1b5e-3b47-4d3c-9a4a-7a3c9f6b1a01"
TWO = "0b7c1b5e-3b47-4d3c-9a4a-7a3c9f6b1a02"
RULE = """
title: Console sign-in
id: {id}
logsource: {{product: aws, service: cloudtrail}}
detection:
    selection: {{eventName|expand: "%signed%"}}
    condition: selection
"""
BROKEN = RULE.replace("eventName|expand", "eventName|nonsense")
FILTER = """
title: Ours
logsource: {product: aws}
filter: {rules: [c4b112a3-1dbf-4b3f-b88d-b3ab9bdca8fa], selection: {awsRegion: eu-west-1}, condition: not selection}
"""


class Running:
    """A pipeline and a dispatcher that nothing goes through, and what puts rules and routes into them."""

    def __init__(self) -> None:
        configuration = load(need_queue=True, need_channel=True)
        settings = configuration.settings
        self.metrics = Metrics()
        self.in_force = InForce(
            configuration,
            self.metrics,
            Detector,
        )
        self.dispatcher = Dispatcher(
            [], MemoryLedger(), self.metrics, routes=configuration.routes, max_pending_alerts=1
        )
        self.pipeline = Pipeline(
            settings,
            self.metrics,
            objects=Objects(Aws(self.metrics)),
            detection=self.in_force.detection,
            dispatcher=self.dispatcher,
            threads=ThreadPoolExecutor(1),
        )
        self.reloader = Reloader(self.in_force.parts(self.pipeline, self.dispatcher), self.metrics)

    @property
    def rules(self) -> list[str]:
        return [rule.info.id for rule in self.pipeline.detection.rules.rules]

    def count(self, name: str, **labels: str) -> float | None:
        return self.metrics.registry.get_sample_value(f"trailstream_{name}", labels)

    async def look(self) -> list[Any]:
        with structlog.testing.capture_logs() as logged:
            await self.reloader.look()
        return [(line["log_level"], line["event"]) for line in logged]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Rules, filters and values of placeholders, all of them used."""
    rules, filters, values = tmp_path / "rules", tmp_path / "filters", tmp_path / "values.yml"
    rules.mkdir()
    filters.mkdir()
    (rules / "one.yml").write_text(RULE.format(id=ONE))
    (filters / "ours.yml").write_text(FILTER)
    values.write_text("signed: ConsoleLogin")
    for name, value in {
        "QUEUE_URL": "http://127.0.0.1:9/111122223333/q",
        "BUCKETS": "*",
        "STDOUT": "true",
        "PACKS": "ct-013",
        "RULES": str(rules),
        "SUPPRESS": str(filters),
        "PLACEHOLDERS": str(values),
    }.items():
        monkeypatch.setenv(f"TRAILSTREAM_{name}", value)
    return tmp_path


async def test_a_new_set_takes_the_place_of_the_old_one_as_a_whole(folder: Path) -> None:
    running = Running()
    before, hash_before = running.pipeline.detection, running.count("config_hash")
    signs_in = {"eventName": "ConsoleLogin"}
    assert running.rules == [CT_013, ONE]
    assert await running.look() == []
    assert running.pipeline.detection is before

    (folder / "rules" / "two.yml").write_text(RULE.format(id=TWO))
    (folder / "filters" / "ours.yml").write_text(FILTER.replace("Ours", "Theirs"))
    assert ("info", "rules read again") in await running.look()

    detection = running.pipeline.detection
    assert running.rules == [CT_013, ONE, TWO]
    assert [rule.info.id for rule in detection.rules.match(signs_in)] == [ONE, TWO]
    assert [one.id for one in detection.suppressions.all] == ["theirs"]
    assert running.count("records_matched_total", rule=TWO) == 0
    assert running.count("alerts_suppressed_total", filter="theirs") == 0
    assert running.count("rules_loaded", pack="custom") == 2
    assert running.count("config_hash") != hash_before

    (folder / "values.yml").write_text("signed: [SwitchRole]")
    await running.look()
    assert running.pipeline.detection.rules.match(signs_in) == []
    assert running.pipeline.detection.prefilter.search(b'"eventName":"SwitchRole"')
    assert not running.pipeline.detection.prefilter.search(b'"eventName":"ConsoleLogin"')


@pytest.mark.parametrize("strict", ["true", "false"])
async def test_a_broken_new_set_leaves_the_old_one_running(
    folder: Path, strict: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRAILSTREAM_RULES_STRICT", strict)
    running = Running()
    before = running.pipeline.detection

    (folder / "rules" / "one.yml").write_text(BROKEN.format(id=ONE))
    assert await running.look() == [("error", "changed files can't be used, what was in force stays")]
    assert await running.look() == []
    assert running.pipeline.detection is before
    assert running.count("errors_total", stage="rules", reason="reload") == 1

    (folder / "rules" / "one.yml").write_text(RULE.format(id=TWO))
    await running.look()
    assert running.rules == [CT_013, TWO]
    (folder / "filters" / "ours.yml").write_text("title: [")
    await running.look()
    assert running.count("errors_total", stage="rules", reason="reload") == 2


async def test_a_rule_that_was_never_in_force_holds_nothing_up(folder: Path) -> None:
    (folder / "rules" / "broken.yml").write_text(BROKEN.format(id=TWO))
    running = Running()
    with structlog.testing.capture_logs() as logged:
        running.in_force.tell()

    (told,) = (line for line in logged if line["event"] == "rule refused")
    assert (told["source"], told["reason"]) == (str(folder / "rules" / "broken.yml"), "refused")
    assert "nonsense" in told["cause"]
    assert running.count("errors_total", stage="rules", reason="refused") == 1

    (folder / "rules" / "another.yml").write_text(BROKEN.format(id=TWO).replace("nonsense", "rubbish"))
    assert ("warning", "rule refused") in await running.look()
    assert running.count("errors_total", stage="rules", reason="refused") == 2
    (folder / "rules" / "one.yml").unlink()
    await running.look()
    assert running.rules == [CT_013]
    assert running.count("rules_loaded", pack="custom") == 0


async def test_routes_are_read_again_as_long_as_the_channels_stay(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = folder / "routes.yml"
    monkeypatch.setenv("TRAILSTREAM_ROUTES", str(file))
    file.write_text("channels: {a: {type: stdout}}\ndefault: [a]")
    running = Running()
    hash_before = running.count("config_hash")
    assert running.dispatcher.routes.channels(make_alert()) == ("a",)

    file.write_text("# two lines more\n\nchannels: {a: {type: stdout}}\ndefault: [a, stdout]")
    assert ("info", "routes read again") in await running.look()
    assert set(running.dispatcher.routes.channels(make_alert())) == {"a", "stdout"}
    assert running.count("config_hash") != hash_before

    for text in ("channels: {b: {type: stdout}}\ndefault: [b]", "channels: {a: {type: stdout, rate: 1}}", "x: ["):
        file.write_text(text)
        assert await running.look() == [("error", "changed files can't be used, what was in force stays")]
    assert set(running.dispatcher.routes.channels(make_alert())) == {"a", "stdout"}


async def test_without_anything_that_could_be_read_a_start_is_refused(folder: Path) -> None:
    (folder / "filters" / "ours.yml").write_text("title: [")

    with pytest.raises(ConfigError, match="TRAILSTREAM_SUPPRESS"):
        Running()
