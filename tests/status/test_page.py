"""The page over HTTP and in a real browser: nothing that an attacker typed does anything there."""

import asyncio
import json
import os
import shutil
from pathlib import Path

import aiohttp
import pytest

from stream.errors import ConfigError
from stream.status.page import showing
from stream.status.snapshot import Status

BROWSER = Path(__file__).with_name("browser.cjs")


async def get(port: int, path: str, host: str = "localhost") -> tuple[int, str, str]:
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"http://127.0.0.1:{port}{path}", headers={"Host": host}) as answer,
    ):
        return answer.status, answer.headers["Content-Security-Policy"], await answer.text()


async def test_whatever_was_typed_is_text_and_no_script_may_run(busy: Status) -> None:
    async with showing(busy.snapshot, port=0) as port:
        status, policy, html = await get(port, "/")

    assert status == 200
    assert policy.startswith("default-src 'none'; style-src 'self'")
    assert html.count("<script") == 0
    assert html.count("<img") == 0
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html
    assert "\\u202eevil\\x1b[2J" in html
    assert "12 messages received = 9 acknowledged + 1 failed and given back" in html


async def test_its_data_is_there_too(busy: Status) -> None:
    async with showing(busy.snapshot, port=0) as port:
        status, _, text = await get(port, "/status.json", host=f"127.0.0.1:{port}")

    assert status == 200
    assert json.loads(text) == busy.snapshot()


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example", "10.0.0.1", ""])
async def test_a_name_that_leads_here_by_trickery_is_turned_away(quiet: Status, host: str) -> None:
    async with showing(quiet.snapshot, port=0) as port:
        status, _, text = await get(port, "/status.json", host=host)

    assert status == 421
    assert "acme" not in text


async def test_nothing_else_is_there(quiet: Status) -> None:
    async with showing(quiet.snapshot, port=0) as port:
        assert (await get(port, "/metrics"))[0] == 404
        assert (await get(port, "/../page.html.j2"))[0] == 404


async def test_a_port_in_use_is_an_error_that_names_the_variable(quiet: Status) -> None:
    async with showing(quiet.snapshot, port=0) as port:
        with pytest.raises(ConfigError, match="TRAILSTREAM_STATUS_PORT"):
            async with showing(quiet.snapshot, port=port):
                pass


@pytest.mark.parametrize("state", ["busy", "quiet"])
async def test_in_a_browser_it_is_accessible_fits_a_telephone_and_runs_nothing(
    state: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    chromium, node, modules = shutil.which("chromium"), shutil.which("node"), os.environ.get("NODE_PATH", "")
    if not chromium or not node or not (Path(modules) / "playwright-core").is_dir():
        pytest.skip("needs chromium, node, and playwright-core and axe-core on NODE_PATH")
    status: Status = request.getfixturevalue(state)
    async with showing(status.snapshot, port=0) as port:
        process = await asyncio.create_subprocess_exec(
            *(node, str(BROWSER), f"http://127.0.0.1:{port}/", chromium, str(tmp_path)),
            stdout=asyncio.subprocess.PIPE,
        )
        async with asyncio.timeout(120):
            printed, _ = await process.communicate()
    *seen, policy = json.loads(printed)

    assert policy == {"policy": True}
    assert [each["width"] for each in seen] == [360, 360, 1280, 1280]
    for each in seen:
        assert (each["violations"], each["faults"], each["overflow"], each["elements"]) == ([], [], False, 0)
        assert each["heading"] == status.snapshot()["summary"]
