"""The benchmarks themselves are no part of the suite; that their table, inputs and model hold together is."""

import gzip
from pathlib import Path

import orjson
import pytest

from stream.detect.rules import RuleSet
from tests.benchmarks import fleet, matching, memory, table
from tests.benchmarks.subject import Target
from tests.benchmarks.subjects import SUBJECTS

SERVICE = fleet.Service(each=0.0007, a_byte=1.5e-9)


def test_the_readme_has_the_rows_that_are_measured() -> None:
    assert table.written() == [(row.what, row.target) for subject in SUBJECTS.values() for row in subject.TARGETS]


def test_a_written_table_is_found_again_and_the_rest_of_the_file_stays(tmp_path: Path) -> None:
    readme = tmp_path / "README.md"
    before, *_, after = table.section([]).splitlines()
    readme.write_text(f"# Head\n\n{before}\nold\n{after}\n\n## Foot\n")

    table.write([(Target("the `zcat \\| jq` of it", "≤ 2"), "1 x"), (Target("another", "≥ 3"), "4")], readme)

    assert table.written(readme) == [("the `zcat \\| jq` of it", "≤ 2"), ("another", "≥ 3")]
    text = readme.read_text()
    assert "| another | 4 | ≥ 3 |" in text
    assert "old" not in text
    assert text.startswith("# Head\n\n<!--")
    assert text.endswith("-->\n\n## Foot\n")


def test_a_readme_without_the_comments_is_left_alone(tmp_path: Path) -> None:
    readme = tmp_path / "README.md"
    readme.write_text("# Head\n")

    with pytest.raises(ValueError, match="lacks"):
        table.write([], readme)

    assert readme.read_text() == "# Head\n"


@pytest.mark.parametrize("json_bytes", [2_000, 1_000_000])
def test_a_giant_is_one_log_file_of_about_the_size_that_was_asked_for(json_bytes: int) -> None:
    text = gzip.decompress(memory.giant(json_bytes, block_records=50))

    assert json_bytes / 2 < len(text) < json_bytes * 1.1
    assert len(orjson.loads(text)["Records"]) == pytest.approx(json_bytes / 1000, rel=0.5)


def test_the_synthetic_rules_are_rules_each_of_another_operation(tmp_path: Path) -> None:
    matching.write_rules(tmp_path, 1000)

    names = {line for path in tmp_path.iterdir() for line in path.read_text().splitlines() if "eventName" in line}
    assert len(names) == 1000
    (few := tmp_path / "few").mkdir()
    matching.write_rules(few, 5)
    rules = RuleSet.load((), [str(few)])
    assert len(rules.rules) == 5
    assert rules.literals


def test_the_fleet_is_the_same_at_every_run() -> None:
    assert fleet.fleet(300, 4, SERVICE) == fleet.fleet(300, 4, SERVICE)


def test_more_pods_keep_messages_younger() -> None:
    slow = fleet.Service(each=0.02, a_byte=0.0)

    ages = [fleet.simulate(2000, slow, pods, waves=2).age_p99_s for pods in (2, 4, 8)]

    assert ages[0] > ages[1] > ages[2] > 0


def test_a_fleet_is_the_smallest_whose_messages_are_young_enough() -> None:
    slow = fleet.Service(each=0.02, a_byte=0.0)

    found = fleet.fleet(500, 4, slow)

    assert found.pods > fleet.FEWEST_PODS
    assert found.outcome.age_p99_s <= fleet.MOST_AGE_S
    assert fleet.simulate(2000, slow, found.pods - 1).age_p99_s > fleet.MOST_AGE_S


def test_a_message_costs_no_more_in_a_larger_organisation() -> None:
    small, large = fleet.fleet(10, 4, SERVICE), fleet.fleet(500, 4, SERVICE)

    assert large.total > small.total
    assert large.total / large.files < small.total / small.files
    assert large.s3 / large.files == pytest.approx(small.s3 / small.files)
