"""The dashboard: every expression is one, of metrics that there are, and nothing lies upon another."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any, Final

import yaml

from tests.deploy.dashboard import FILE, dashboard
from tests.deploy.reference import metric_names
from tests.deploy.test_prometheus import program, rules

SHOWN: Final[dict[str, Any]] = json.loads(FILE.read_text())
PANELS: Final[list[dict[str, Any]]] = SHOWN["panels"]


def expressions() -> list[str]:
    """As Prometheus would get them."""
    return [
        target["expr"].replace("$__rate_interval", "2m").replace("$__all", ".*")
        for panel in PANELS
        for target in panel.get("targets", ())
    ]


def test_it_is_made_of_its_rows() -> None:
    assert dashboard() == SHOWN, "run: python -m tests.deploy.dashboard"
    rows = [panel["title"] for panel in PANELS if panel["type"] == "row"]
    assert rows == ["Service level objectives", "Flow", "Work", "People", "Resources"]


def test_every_expression_is_one(tmp_path: Path) -> None:
    group = {"name": "x", "rules": [{"record": f"x{at}", "expr": each} for at, each in enumerate(expressions())]}
    file = tmp_path / "rules.yaml"
    file.write_text(yaml.safe_dump({"groups": [group]}))
    done = subprocess.run([program("promtool"), "check", "rules", file], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr
    assert len(group["rules"]) > 40


def test_every_metric_is_one_of_ours_or_recorded() -> None:
    known = metric_names() | {rule["record"] for rule in rules() if "record" in rule}
    texts = [*expressions(), *(each["definition"] for each in SHOWN["templating"]["list"] if "definition" in each)]
    for text in texts:
        names = set(re.findall(r"(?:\w+:)?(?:trailstream|process)_\w+(?::\w+)?", text))
        assert names, text
        assert names <= known, text


def test_every_panel_says_what_it_shows_and_has_a_place_of_its_own() -> None:
    taken: set[tuple[int, int]] = set()
    assert len({panel["id"] for panel in PANELS}) == len(PANELS)
    for panel in PANELS:
        grid = panel["gridPos"]
        cells = {
            (x, y) for x in range(grid["x"], grid["x"] + grid["w"]) for y in range(grid["y"], grid["y"] + grid["h"])
        }
        assert not cells & taken, panel["title"]
        assert grid["x"] + grid["w"] <= 24
        taken |= cells
        if panel["type"] != "row":
            assert panel["description"].endswith(".")
            assert panel["fieldConfig"]["defaults"]["unit"]
            assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"])


def test_what_is_chosen_above_is_what_expressions_ask_for() -> None:
    names = {each["name"] for each in SHOWN["templating"]["list"]}
    used = set(re.findall(r"\$(?!__)(\w+)", " ".join(expressions())))

    assert names == {"datasource", "namespace", "pod", "channel"}
    assert used == names - {"datasource"}
    assert all(panel["datasource"]["uid"] == "${datasource}" for panel in PANELS if panel["type"] != "row")
