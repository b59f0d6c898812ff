"""Which trail an account can do without."""

from dataclasses import replace

import pytest

from stream.detect.detector import Detector
from stream.detect.known_trails import KnownTrail, KnownTrails
from stream.detect.rules import RuleSet
from stream.detect.surroundings import Surroundings
from tests.detect.records import TRAIL, record

MAIN = KnownTrail(
    TRAIL,
    "us-east-1",
    organization=False,
    multi_region=True,
    global_services=True,
    selective=False,
    logging=True,
)
OTHER = replace(MAIN, arn=TRAIL.replace("main", "other"))


@pytest.mark.parametrize(
    ("other", "needed"),
    [
        (OTHER, False),
        (replace(OTHER, logging=False), True),
        (replace(OTHER, selective=True), True),
        (replace(OTHER, multi_region=False), True),
        (replace(OTHER, global_services=False), True),
        (replace(OTHER, organization=True), False),
        (MAIN, True),
    ],
)
def test_a_trail_is_needed_unless_another_records_all_that_it_does(other: KnownTrail, needed: bool) -> None:
    assert (KnownTrails((MAIN, other)).stand_in(TRAIL) is None) == needed


def test_a_trail_of_one_region_is_stood_in_for_by_another_of_that_region() -> None:
    here, there = (replace(MAIN, multi_region=False, home_region=region) for region in ("us-east-1", "eu-west-1"))
    assert KnownTrails((here, replace(OTHER, multi_region=False))).stand_in(TRAIL)
    assert not KnownTrails((there, replace(OTHER, multi_region=False))).stand_in(TRAIL)


def test_an_organisations_trail_is_always_needed_and_so_is_one_that_nobody_knows() -> None:
    assert KnownTrails((replace(MAIN, organization=True), OTHER)).stand_in(TRAIL) is None
    assert KnownTrails((OTHER,)).stand_in(TRAIL) is None


def test_a_trail_that_is_gone_is_remembered_as_one_that_records_nothing() -> None:
    known = KnownTrails((MAIN, OTHER)).updated([OTHER])
    assert known.stand_in(TRAIL) == OTHER
    assert KnownTrails((MAIN, OTHER)).updated([]).stand_in(TRAIL) is None


@pytest.mark.parametrize("operation", ["StopLogging", "DeleteTrail"])
@pytest.mark.parametrize(
    ("around", "severity", "words"),
    [
        (Surroundings(learns_trails=True), "critical", "if it "),
        (Surroundings(learns_trails=True, trails=KnownTrails((MAIN, OTHER))), "medium", "trail other still records"),
        (Surroundings(learns_trails=True, trails=KnownTrails((MAIN,))), "critical", "if it "),
        (
            Surroundings(learns_trails=True, trails=KnownTrails((replace(MAIN, organization=True), OTHER))),
            "critical",
            "every account of the organisation",
        ),
        (
            Surroundings(protected=("ma*",), learns_trails=True, trails=KnownTrails((MAIN, OTHER))),
            "critical",
            "trail other still records",
        ),
    ],
)
def test_what_losing_a_trail_means_depends_on_the_others(
    operation: str, around: Surroundings, severity: str, words: str
) -> None:
    detector = Detector(RuleSet.load(["ct-013"], []), lambda: around)
    (alert,) = detector.alerts(record(operation, {"name": "main"}), provenance="inline", log_file=None)

    assert alert.severity == severity
    assert words in alert.summary
