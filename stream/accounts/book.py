"""The accounts as they are known now, and what keeps them so: a file that changes, AWS Organizations once a day.

What can't be read again leaves what was known before, and is counted and logged.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import structlog

from stream.accounts import listed, organizations
from stream.accounts.account import Account
from stream.accounts.listed import ORGANIZATIONS
from stream.accounts.organizations import Sleep
from stream.aws import Aws
from stream.errors import ConfigError
from stream.metrics import Metrics

log = structlog.get_logger()

_FILE_S: Final = 30.0
_DAY_S: Final = 86_400.0
_HOUR_S: Final = 3600.0  # until Organizations is asked again after an error

_Stamp = tuple[str, int, int, int] | None
"""The path that links lead to, the inode, the time of the last change and the size; `None`: there is no such file."""


class AccountBook:
    """What is known of accounts; what `TRAILSTREAM_ACCOUNTS` says in, names out.

    Raises:
        ConfigError: it can't be used.
    """

    def __init__(self, setting: str) -> None:
        self.setting = setting.strip()
        self._stamp: _Stamp = None
        self._accounts: Mapping[str, Account] = {}
        self._asked = asyncio.Event()
        if self.setting and self.setting != ORGANIZATIONS:
            self._read()
        if self.setting != ORGANIZATIONS:
            self._asked.set()

    def __len__(self) -> int:
        return len(self._accounts)

    def get(self, account_id: str) -> Account | None:
        """What is known of an account."""
        return self._accounts.get(account_id)

    def name(self, account_id: str) -> str | None:
        """The name of an account, if it is known."""
        account = self._accounts.get(account_id)
        return account.name if account else None

    async def wait(self, seconds: float) -> None:
        """Return when names are there, or could not be had, or after so many seconds."""
        try:
            async with asyncio.timeout(seconds):
                await self._asked.wait()
        except TimeoutError:
            log.warning("account names are still on their way", waited_seconds=seconds)

    async def keep_fresh(self, aws: Aws, metrics: Metrics, *, sleep: Sleep = asyncio.sleep) -> None:
        """Follow what the names come from, for ever; returns only if it can't change."""
        if self.setting == ORGANIZATIONS:
            await self._follow_organizations(aws, metrics, sleep)
        elif self.setting and not listed.is_inline(self.setting):
            await self._follow_file(metrics, sleep)

    def _read(self) -> None:
        self._stamp = self._file_stamp()  # first, so that a change while it is read is seen the next time
        self._accounts = listed.load(self.setting)

    def _file_stamp(self) -> _Stamp:
        try:
            file = Path(self.setting).expanduser().resolve(strict=True)
            found = file.stat()
        except (OSError, RuntimeError, ValueError):
            return None
        return str(file), found.st_ino, found.st_mtime_ns, found.st_size

    def _read_if_changed(self) -> bool:
        if self._file_stamp() == self._stamp:
            return False
        self._read()
        return True

    async def _follow_file(self, metrics: Metrics, sleep: Sleep) -> None:
        while True:
            await sleep(_FILE_S)
            try:
                changed = await asyncio.to_thread(self._read_if_changed)
            except ConfigError as error:  # told once: it is not tried again until the file changes again
                metrics.errors.labels("accounts", "unreadable").inc()
                log.error("account names not read again, the old ones are kept", reason="unreadable", cause=str(error))
            else:
                if changed:
                    log.info("account names read again", accounts=len(self))

    async def _follow_organizations(self, aws: Aws, metrics: Metrics, sleep: Sleep) -> None:
        while True:
            whole = False
            try:
                async with aws.client(ORGANIZATIONS, attempts=5) as client:
                    whole = await self._ask(client, metrics, sleep)
            except organizations.ERRORS as error:
                _failed(metrics, "names", organizations.reason(error), organizations.error_code(error))
            except Exception as error:  # noqa: BLE001 - names are an ornament: no fault of theirs may stop the alerts
                _failed(metrics, "names", "other", type(error).__name__)
            self._asked.set()
            await sleep(_DAY_S if whole else _HOUR_S)

    async def _ask(self, client: Any, metrics: Metrics, sleep: Sleep) -> bool:
        """Learn the names, then units, then tags, each put to use at once; whether all that may be had was had."""
        found = await organizations.accounts(client)
        self._accounts = {
            id_: replace(account, ou=old.ou, tags=old.tags) if (old := self.get(id_)) else account
            for id_, account in found.items()
        }
        self._asked.set()
        log.info("account names read", accounts=len(found))
        whole = True
        try:
            units = await organizations.units(client)
            self._accounts = {id_: replace(one, ou=units.get(id_)) for id_, one in self._accounts.items()}
        except organizations.ERRORS as error:
            whole = _failed(metrics, "units", organizations.reason(error), organizations.error_code(error))
        try:
            tags = await organizations.tags(client, self._accounts, sleep=sleep)
            self._accounts = {id_: replace(one, tags=tags.get(id_, {})) for id_, one in self._accounts.items()}
        except organizations.ERRORS as error:
            whole = _failed(metrics, "tags", organizations.reason(error), organizations.error_code(error)) and whole
        return whole


def _failed(metrics: Metrics, what: str, reason: str, code: str) -> bool:
    """Count and log; whether it is no use to ask again soon."""
    metrics.errors.labels("accounts", reason).inc()
    log.warning("AWS Organizations not read, what was known is kept", what=what, reason=reason, code=code)
    return reason == "forbidden"
