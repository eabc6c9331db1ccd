"""`bigdebug tui --web`: the same app in a browser, for who knows the address alone."""

import asyncio
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest

from bigdebug.lineage.store import Store


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    store = Store(str(tmp_path / "store"))
    store.create_run(name="the run that a browser shows").close("done")
    command = [sys.executable, "-m", "bigdebug", "tui", "--web", "--store", str(tmp_path / "store")]
    server = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert server.stderr is not None
    found = re.search(r"open (http://127\.0\.0\.1:\d+/[\w-]{32}/) ", server.stderr.readline())
    assert found is not None
    yield found[1]
    server.terminate()
    assert server.wait(20) == 0


async def _opened(session: aiohttp.ClientSession, address: str) -> None:
    for _ in range(100):
        try:
            await session.get(address)
            return
        except aiohttp.ClientConnectionError:
            await asyncio.sleep(0.1)


def test_a_browser_that_knows_the_address_sees_the_runs_and_nobody_else_gets_in(address: str) -> None:
    async def look() -> None:
        top = address.rsplit("/", 2)[0]
        elsewhere = {"Origin": "http://elsewhere.example"}
        async with aiohttp.ClientSession() as session:
            await _opened(session, address)
            page = await (await session.get(address)).text()
            assert f"{address}static/js/textual.js" in page
            assert "googleapis" not in page  # nothing is fetched from elsewhere
            for other in (f"{top}/", f"{top}/ws", f"{top}/guessed/", f"{top}/guessed/ws"):
                assert (await session.get(other)).status == 404, other
            assert (await session.get(address, headers=elsewhere)).status == 403
            with pytest.raises(aiohttp.WSServerHandshakeError):
                await session.ws_connect(f"{address}ws", headers=elsewhere)
            seen = b""
            async with session.ws_connect(f"{address}ws?width=100&height=24") as socket:
                while b"the run that a browser" not in seen:
                    message = await socket.receive(timeout=60)
                    assert message.type in (aiohttp.WSMsgType.BINARY, aiohttp.WSMsgType.TEXT), message
                    seen += message.data if isinstance(message.data, bytes) else message.data.encode()

    asyncio.run(look())


def test_another_address_needs_a_flag_and_is_warned_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from textual_serve.server import Server

    from bigdebug.tui.web import serve

    monkeypatch.setattr(Server, "serve", lambda self: None)
    serve(str(tmp_path), None, None, 0)
    assert "warning" not in capsys.readouterr().err
    serve(str(tmp_path), None, "0.0.0.0", 0)
    assert capsys.readouterr().err.startswith("warning: anybody who can reach 0.0.0.0 and knows the address")
