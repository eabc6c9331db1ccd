"""The frame of the `bigdebug` command: quick, complete, and one way to say what went wrong."""

import importlib
import os
import subprocess
import sys
from pathlib import Path

import pytest
import rich_click as click

from bigdebug.cli import main as frame
from bigdebug.cli.main import COMMANDS, main, module_of
from bigdebug.lineage.errors import BigDebugError, UnreachableError

COMMAND = [sys.executable, "-m", "bigdebug"]


def bigdebug(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *arguments], env={**os.environ, **environment}, capture_output=True, text=True
    )


def test_help_names_every_command_and_imports_none() -> None:
    program = (
        "import sys\nfrom bigdebug.cli.main import main\ncode = main(['--help'])\n"
        "loaded = [name for name in sys.modules if name.startswith('bigdebug.')]\n"
        "print(code, loaded, [name for name in ('pyspark', 'pandas', 'networkx') if name in sys.modules],"
        " file=sys.stderr)"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    for name, line in COMMANDS.items():
        assert name in ended.stdout
        assert line.split(" ")[0] in ended.stdout
    assert ended.stderr.startswith("0 ")
    assert ended.stderr.endswith(" []\n")
    for name in COMMANDS:
        assert f"'{module_of(name)}'" not in ended.stderr


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_there_and_explains_itself(name: str) -> None:
    command = importlib.import_module(module_of(name)).command
    assert command.name == name
    assert f"    bigdebug {name}" in command.help or name == "launcher"  # an example
    assert all(getattr(each, "help", "") for each in command.params if isinstance(each, click.Option))


def test_version() -> None:
    ended = bigdebug("--version")
    assert ended.stdout.startswith("bigdebug ")
    assert (ended.stderr, ended.returncode) == ("", 0)


@pytest.mark.parametrize(
    "arguments", [["no-such"], ["--no-such"], ["doctor", "--no-such"], ["doctor", "extra"]]
)
def test_wrong_usage_is_2(arguments: list[str]) -> None:
    ended = bigdebug(*arguments)
    assert ended.returncode == 2
    assert ended.stdout == ""
    error, hint = ended.stderr.splitlines()
    assert error.startswith("error: ")
    assert hint.startswith("hint: bigdebug")
    assert hint.endswith(" --help")


@pytest.mark.parametrize(
    ("raised", "code", "said"),
    [
        (BigDebugError("it broke", hint="mend it"), 1, "error: it broke\nhint: mend it\n"),
        (UnreachableError("far away"), 3, "error: far away\n"),
        (KeyboardInterrupt(), 130, "error: interrupted\n"),
        (click.ClickException("no"), 1, "error: no\n"),
        (ValueError("odd\nmore"), 1, "error: unexpected ValueError: odd\nhint: a fault of bigdebug"),
        (ValueError(), 1, "error: unexpected ValueError\nhint: a fault of bigdebug"),
    ],
)
def test_what_a_command_raises_becomes_a_message_and_a_code(
    raised: BaseException,
    code: int,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fail() -> None:
        raise raised

    monkeypatch.setitem(frame.COMMANDS, "fails", "Fails.")
    module = type(sys)("bigdebug.cli.fails")
    module.command = click.command("fails")(fail)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "bigdebug.cli.fails", module)
    assert main(["fails"]) == code
    out, error = capsys.readouterr()
    assert out == ""
    assert error.lstrip("\n").startswith(said)

    monkeypatch.setenv("BIGDEBUG_TRACEBACK", "1")
    main(["fails"])
    shown = "Traceback" in capsys.readouterr().err
    assert shown == isinstance(raised, ValueError)


def test_a_reader_that_leaves_is_no_fault() -> None:
    words = " ".join(f"'{word}'" for word in COMMAND)
    ended = subprocess.run(
        ["bash", "-c", f"{words} doctor --no-spark --json | true; sleep 0"], capture_output=True, text=True
    )
    assert ended.stderr == ""


def complete(words: str, folder: Path, **environment: str) -> list[str]:
    """What bash offers for the last of the words."""
    ended = subprocess.run(
        COMMAND,
        cwd=folder,
        env={
            **os.environ,
            "_BIGDEBUG_COMPLETE": "bash_complete",
            "COMP_WORDS": words,
            "COMP_CWORD": str(len(words.split(" ")) - 1),
            **environment,
        },
        capture_output=True,
        text=True,
    )
    assert ended.stderr == ""
    return [line.partition(",")[2] for line in ended.stdout.splitlines()]


def test_the_shell_completes_commands_options_and_runs(tmp_path: Path) -> None:
    for run in ("20260101-120000-abc", "20260102-120000-def"):
        (tmp_path / "runs" / run).mkdir(parents=True)
        (tmp_path / "runs" / run / "run.json").write_text("{}")
    (tmp_path / "runs" / "other").mkdir()
    assert complete("bigdebug d", tmp_path) == ["diff", "doctor", "demo"]
    assert complete("bigdebug doctor --no", tmp_path) == ["--no-spark"]
    assert complete("bigdebug run --capture ", tmp_path) == ["recipe", "full"]
    newest_first = ["last", "20260102-120000-def", "20260101-120000-abc"]
    assert complete("bigdebug show ", tmp_path, BIGDEBUG_STORE="runs") == newest_first
    assert complete("bigdebug show --store runs 20260101", tmp_path) == newest_first[2:]
    assert complete("bigdebug show ", tmp_path) == ["last"]
    script = subprocess.run(
        COMMAND, env={**os.environ, "_BIGDEBUG_COMPLETE": "bash_source"}, capture_output=True, text=True
    )
    assert "complete -o nosort -F _bigdebug_completion bigdebug" in script.stdout
