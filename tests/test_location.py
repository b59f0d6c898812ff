"""Where an address is, by a small database made here."""

import builtins
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import structlog
from mmdb_writer import MMDBWriter
from netaddr import IPSet

from stream.detect.detector import Detector
from stream.errors import ConfigError
from stream.location import Locations, nowhere
from stream.metrics import Metrics
from tests.detect.records import CT_013, record


def place(city: str | None, country: str | None, code: str = "XX") -> dict[str, Any]:
    entry: dict[str, Any] = {"country": {"iso_code": code, "names": {"en": country} if country else {}}}
    return entry | ({"city": {"names": {"en": city, "de": "anders"}}} if city else {})


PLACES = {
    "8.8.8.0/24": place("Mountain View", "United States"),
    "1.1.1.0/24": place(None, "Australia"),
    "9.9.9.0/24": place(None, None, "CH"),
    "2a01::/32": place("Berlin", "Germany"),
    "4.4.4.0/24": place("x\n\u202e" + "y" * 500, "z" * 500),
    "5.5.5.0/24": {"city": ["odd"], "country": {"names": "odd"}},
    "10.0.0.0/8": place("Home", "Here"),
}


def write(path: Path, places: dict[str, dict[str, Any]] = PLACES) -> None:
    """Put a database in the place of another, as geoipupdate does."""
    writer = MMDBWriter(6, "GeoLite2-City", languages=["en"], ipv4_compatible=True)
    for network, entry in places.items():
        writer.insert_network(IPSet([network]), entry)
    new = path.with_suffix(".new")
    writer.to_db_file(str(new))
    new.replace(path)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    write(tmp_path / "city.mmdb")
    return tmp_path / "city.mmdb"


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("8.8.8.8", "Mountain View, United States"),
        ("1.1.1.1", "Australia"),
        ("9.9.9.9", "CH"),
        ("2a01::1", "Berlin, Germany"),
        ("::ffff:8.8.8.8", "Mountain View, United States"),
        ("5.5.5.5", None),
        ("7.7.7.7", None),
        ("10.0.0.1", None),
        ("192.0.2.1", None),
        ("fe80::1%eth0", None),
        ("cloudtrail.amazonaws.com", None),
        ("AWS Internal", None),
        ("8.8.8.8 ", None),
        ("8" * 10_000, None),
        ("", None),
        (None, None),
    ],
)
def test_an_address_is_in_a_city_or_a_country_or_nobody_knows(
    path: Path, address: str | None, words: str | None
) -> None:
    assert Locations(str(path)).of(address) == words


def test_names_are_shown_in_one_short_line(path: Path) -> None:
    words = Locations(str(path)).of("4.4.4.4") or ""

    assert words.startswith("x y")
    assert words.isprintable()
    assert len(words) <= 130


def test_an_alert_says_where_its_address_is(path: Path) -> None:
    detector = Detector(CT_013, location=Locations.finder(str(path)))
    (alert,) = detector.alerts(record("StopLogging", sourceIPAddress="8.8.8.8"), provenance="inline", log_file=None)

    assert alert.actor.location == "Mountain View, United States"
    assert Locations.finder(None) is nowhere


class _Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_file_that_has_changed_is_read_again_within_a_minute_and_a_broken_one_is_not_used(path: Path) -> None:
    clock, metrics = _Clock(), Metrics()
    locations = Locations(str(path), metrics, now=clock)
    assert locations.of("8.8.8.8") == "Mountain View, United States"

    def failures() -> float | None:
        return metrics.registry.get_sample_value("trailstream_errors_total", {"stage": "geoip", "reason": "unreadable"})

    write(path, {"8.8.8.0/24": place("Elsewhere", None)})
    clock.now = 59
    assert locations.of("8.8.8.8") == "Mountain View, United States"
    clock.now = 60
    assert locations.of("8.8.8.8") == "Elsewhere, XX"

    path.with_suffix(".new").write_bytes(b"not a database")
    path.with_suffix(".new").replace(path)
    with structlog.testing.capture_logs() as logs:
        for clock.now in (120, 180, 240):
            assert locations.of("8.8.8.8") == "Elsewhere, XX"
    assert [line["event"] for line in logs] == ["locations can't be read"]
    assert failures() == 1

    path.unlink()
    clock.now = 300
    assert locations.of("8.8.8.8") == "Elsewhere, XX"
    assert failures() == 2

    write(path)
    clock.now = 360
    assert locations.of("8.8.8.8") == "Mountain View, United States"


def absent(path: Path) -> None:
    path.unlink()


def damaged(path: Path) -> None:
    path.write_bytes(b"not a database")


def a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize("spoil", [absent, damaged, a_folder])
def test_a_file_that_can_not_be_read_is_an_error_of_the_configuration(
    path: Path, spoil: Callable[[Path], None]
) -> None:
    spoil(path)

    with pytest.raises(ConfigError, match=r"TRAILSTREAM_GEOIP: .+") as caught:
        Locations(str(path))
    assert str(caught.value).startswith(f"TRAILSTREAM_GEOIP: can't read {path}: ")


def test_without_the_package_it_is_said_how_to_get_it(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *more: Any) -> Any:
        if name == "maxminddb":
            raise ImportError
        return real(name, *more)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ConfigError, match=r"pip install 'trailstream\[geoip\]'"):
        Locations(str(path))
