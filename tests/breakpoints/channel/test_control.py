"""A second terminal's way into a live session."""

import json
import os
import socket
import stat
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bigdebug.breakpoints.channel.control import ELSEWHERE, SOCKET, Control, ask
from bigdebug.lineage.errors import BigDebugError, UnreachableError


@pytest.fixture
def control(tmp_path: Path) -> Iterator[Control]:
    found = Control(tmp_path)
    found.on("double", lambda request: request["n"] * 2)
    assert found.open()
    yield found
    found.close()


def test_it_answers_and_only_its_owner_can_ask(control: Control, tmp_path: Path) -> None:
    assert ask(tmp_path, "double", n=21) == 42
    assert stat.S_IMODE(os.stat(tmp_path / SOCKET).st_mode) == 0o600


def test_what_it_cannot_do_it_says(control: Control, tmp_path: Path) -> None:
    def refuse(request: object) -> None:
        raise BigDebugError("no such thing", hint="another")

    control.on("refuse", refuse)
    control.on("break", lambda request: 1 // 0)
    with pytest.raises(BigDebugError, match="no such thing") as caught:
        ask(tmp_path, "refuse")
    assert caught.value.hint == "another"
    with pytest.raises(BigDebugError, match="ZeroDivisionError"):
        ask(tmp_path, "break")
    with pytest.raises(BigDebugError, match="doesn't know the command"):
        ask(tmp_path, "fly")


def test_a_run_that_has_ended_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UnreachableError, match="no session"):
        ask(tmp_path, "double", n=1)
    control = Control(tmp_path)
    control.open()
    control.close()
    assert not (tmp_path / SOCKET).exists()
    left_by_a_killed_process = socket.socket(socket.AF_UNIX)
    left_by_a_killed_process.bind(str(tmp_path / SOCKET))
    with pytest.raises(UnreachableError, match="isn't there to be asked"):
        ask(tmp_path, "double", n=1)


def test_a_folder_too_deep_for_a_socket_will_do(tmp_path: Path) -> None:
    folder = tmp_path / ("deep" * 20) / ("deeper" * 20)
    folder.mkdir(parents=True)
    control = Control(folder)
    control.on("double", lambda request: request["n"] * 2)
    assert control.open()
    elsewhere = Path(json.loads((folder / ELSEWHERE).read_text())["socket"])
    assert stat.S_IMODE(elsewhere.parent.stat().st_mode) == 0o700
    assert ask(folder, "double", n=4) == 8
    control.close()
    assert not elsewhere.parent.exists()
    assert not (folder / ELSEWHERE).exists()


def test_who_asks_nothing_holds_nobody_up(control: Control, tmp_path: Path) -> None:
    silent = socket.socket(socket.AF_UNIX)
    silent.connect(str(tmp_path / SOCKET))
    rubbish = socket.socket(socket.AF_UNIX)
    rubbish.connect(str(tmp_path / SOCKET))
    rubbish.sendall(b"rubbish\n")
    assert b"can't be read" in rubbish.recv(1000)
    began = time.monotonic()
    assert ask(tmp_path, "double", n=1) == 2
    assert time.monotonic() - began < 4, "it waited for the silent one, which has 5 s"
    silent.close()
    rubbish.close()


def test_an_answer_that_takes_too_long_is_not_waited_for(control: Control, tmp_path: Path) -> None:
    control.on("sleep", lambda request: time.sleep(2))
    with pytest.raises(UnreachableError, match="didn't answer"):
        ask(tmp_path, "sleep", seconds=0.2)
