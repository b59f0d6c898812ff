"""Where an address is: an IP address in, `Berlin, Germany` out, by a database in MaxMind's format.

The file is looked at again every minute: one that has changed takes the old one's place, if it can be read. It is
mapped into memory, so that a new one has to be moved to its place (as `geoipupdate` does) and not written over it.
"""

import ipaddress
import os
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from stream.errors import ConfigError
from stream.json_value import shown, text_at
from stream.logger import logger

if TYPE_CHECKING:
    from maxminddb import Reader

    from stream.metrics import Metrics

_CHECKED_EVERY_S: Final = 60.0
_PART_CHARACTERS: Final = 60

_Stamp = tuple[int, int, int]


def nowhere(_: str | None) -> str | None:
    """Of no address it is known where it is."""
    return None


class Locations:
    """Knows where addresses are; may be used from several threads.

    Args:
        path: of a City or Country database (.mmdb).
        metrics: where a file that can't be read is counted.
        now: tells the time in seconds.

    Raises:
        ConfigError: the package for it is not installed, or the file can't be read.
    """

    def __init__(
        self, path: str, metrics: "Metrics | None" = None, *, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._path = path
        self._metrics = metrics
        self._now = now
        self._checking = threading.Lock()
        self._checked_at = now()
        self._stamp: _Stamp | None = None
        try:
            self._stamp = _stamp(path)
            self._reader = _open(path)
        except ImportError as error:
            raise ConfigError("TRAILSTREAM_GEOIP needs a package: pip install 'trailstream[geoip]'") from error
        except (OSError, ValueError) as error:
            raise ConfigError(f"TRAILSTREAM_GEOIP: can't read {shown(path, 200)}: {_fault(error)}") from error

    @classmethod
    def finder(cls, path: str | None, metrics: "Metrics | None" = None) -> Callable[[str | None], str | None]:
        """What tells where addresses are: of no file, of none.

        Raises:
            ConfigError: as the class.
        """
        return cls(path, metrics).of if path else nowhere

    def of(self, address: str | None) -> str | None:
        """City and country, or the country alone; `None` of a private address, a service's name, one not found."""
        if not address or len(address) > _PART_CHARACTERS:
            return None
        try:
            ip = ipaddress.ip_address(address)
        except ValueError:
            return None
        ip = getattr(ip, "ipv4_mapped", None) or ip
        if not ip.is_global:
            return None
        self._check()
        try:
            found = self._reader.get(ip)
        except ValueError:  # IPv6 in a database of IPv4, or damage: InvalidDatabaseError is a RuntimeError
            return None
        except RuntimeError:
            self._failed("damaged")
            return None
        return _words(found)

    def _check(self) -> None:
        """Open the file anew, if it is another than before; one that can't be read leaves the old one in use."""
        if self._now() - self._checked_at < _CHECKED_EVERY_S or not self._checking.acquire(blocking=False):
            return
        try:
            self._checked_at = self._now()
            stamp = _stamp(self._path)
            if stamp != self._stamp:
                self._stamp = stamp  # a broken one is not tried again
                self._reader = _open(self._path)
                logger().info("locations read again", path=self._path)
        except (OSError, ValueError) as error:
            self._failed("unreadable", cause=_fault(error))
        finally:
            self._checking.release()

    def _failed(self, reason: str, **more: str) -> None:
        if self._metrics is not None:
            self._metrics.errors.labels("geoip", reason).inc()
        logger().warning("locations can't be read", path=self._path, reason=reason, **more)


def _stamp(path: str) -> _Stamp:
    found = os.stat(path)  # noqa: PTH116 - of what a symbolic link, as in a mounted volume, leads to
    return found.st_mtime_ns, found.st_ino, found.st_size


def _open(path: str) -> "Reader":
    import maxminddb

    try:
        return maxminddb.open_database(path, maxminddb.MODE_AUTO)
    except maxminddb.InvalidDatabaseError as error:
        raise ValueError("it is no database in MaxMind's format") from error


def _fault(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else str(error)) or type(error).__name__


def _words(found: Any) -> str | None:
    """Of an entry of GeoIP2 or GeoLite2: https://dev.maxmind.com/geoip/docs/databases/city-and-country/."""
    country = _name(found, "country") or _name(found, "registered_country")
    parts = [part for part in (_name(found, "city"), country) if part]
    return ", ".join(parts) or None


def _name(found: Any, kind: str) -> str | None:
    name = text_at(found, kind, "names", "en") or text_at(found, kind, "iso_code")
    return (shown(name, _PART_CHARACTERS) or None) if name else None
