"""What written tests of DataFrames and of RDDs share: their heads, the session they run in, where they import from."""

from __future__ import annotations

import keyword
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pyspark.sql import SparkSession

from bigdebug.isolation.builders import Builder
from bigdebug.isolation.literals import source_of

LONGEST_LINE = 100
_FAR = 3
"""Folders up."""
_SETTINGS = ("spark.sql.session.timeZone", "spark.sql.ansi.enabled")


@dataclass(frozen=True)
class Origin:
    """Where what was asked about is recorded.

    Attributes:
        store: where runs are kept.
        run: the run's id.
        output: the output's number; None for a frame that no action was about.
        redact: columns whose values must not be written.
    """

    store: str
    run: str
    output: int | None
    redact: tuple[str, ...] = ()


def constant_for(name: str, taken: set[str]) -> str:
    """What a source's records are called in a test; no other's are called so."""
    constant = re.sub(r"\W+", "_", re.split(r"[.:]", name)[0]).strip("_").upper() or "RECORDS"
    if constant[0].isdigit() or keyword.iskeyword(constant.lower()):
        constant = f"RECORDS_{constant}"
    while constant in taken:
        constant += "_2"
    taken.add(constant)
    return constant


def settings_of(spark: SparkSession) -> dict[str, str]:
    """The session's settings that results hang on."""
    found = {name: spark.conf.get(name, None) for name in _SETTINGS}
    return {name: value for name, value in found.items() if value is not None}


def recorded(origin: Origin, reason: str) -> str:
    """Lines that name the recorded output, for want of a function to call."""
    store = os.path.abspath(origin.store) if is_local(origin.store) else origin.store
    return (
        f"# No function of the program could be called here: {reason}.\n"
        "# So this runs what was recorded, not the program's code: a change to that code doesn't change it.\n"
        f"STORE, RUN, OUTPUT = {source_of(store)}, {source_of(origin.run)}, {origin.output}"
    )


def imported(builder: Builder, target: Path) -> list[str]:
    """Lines that import the function that builds the data."""
    folder, module = module_of(builder.file)
    return [
        f"sys.path.insert(0, {folder_source(folder, target)})",
        f"from {module} import {builder.name}  # noqa: E402",
        "",
        "# Spark's workers need not find the module: they are sent what it holds.",
        f"cloudpickle.register_pickle_by_value(sys.modules[{builder.name}.__module__])",
    ]


def called(builder: Builder, data: Mapping[str, str], everything: bool) -> str:
    """The source of the call of a function that builds the data.

    Args:
        builder: the function.
        data: by source the source of an expression for its records.
        everything: whether the records of all its sources are there: then files are only named.
    """

    def argument(kind: str, value: str) -> str:
        if kind == "path":
            return source_of(Path(value).name if everything else os.path.abspath(value))
        return value if kind == "spark" else data[value]

    arguments = [argument(kind, value) for kind, value in builder.arguments]
    call = f"{builder.name}({', '.join(arguments)})"
    if len(call) > LONGEST_LINE - 20:
        inner = "".join(f"        {each},\n" for each in arguments)
        call = f"{builder.name}(\n{inner}    )"
    return call


def spark_fixture(settings: Mapping[str, str]) -> str:
    configs = "".join(
        f"        .config({source_of(key)}, {source_of(value)})\n" for key, value in settings.items()
    )
    return (
        '@pytest.fixture(scope="module")\n'
        "def spark():\n"
        "    there = SparkSession.getActiveSession()\n"
        "    session = (\n"
        '        SparkSession.builder.master("local[2]")\n'
        '        .config("spark.ui.enabled", "false")\n'
        '        .config("spark.sql.shuffle.partitions", "2")\n'
        f"{configs}"
        "        .getOrCreate()\n"
        "    )\n"
        "    yield session\n"
        "    if there is None:\n"
        "        session.stop()"
    )


def module_of(file: str) -> tuple[str, str]:
    """The folder to import from, and the module's name."""
    place = Path(file)
    parts = [] if place.stem == "__init__" else [place.stem]
    folder = place.parent
    while (folder / "__init__.py").is_file():
        parts.insert(0, folder.name)
        folder = folder.parent
    return str(folder), ".".join(parts)


def folder_source(folder: str, target: Path) -> str:
    """The source of an expression for the folder, which goes with the test where that isn't far away."""
    way = os.path.relpath(folder, target.absolute().parent)
    if way.count("..") > _FAR:
        return source_of(folder)
    return "str(Path(__file__).parent)" if way == "." else f"str(Path(__file__).parent / {source_of(way)})"


def has_spark_fixture(target: Path) -> bool:
    """Whether a conftest above the test has a fixture `spark`."""
    for folder in target.absolute().parents:
        conftest = folder / "conftest.py"
        if conftest.is_file() and re.search(r"^def spark\(", conftest.read_text(), re.MULTILINE):
            return True
        if (folder / ".git").exists() or (folder / "pyproject.toml").is_file():
            return False
    return False


def is_local(store: str) -> bool:
    return "://" not in store


def one_line(text: str) -> str:
    """A text that a docstring can hold."""
    return " ".join(text.split()).replace("\\", "\\\\").replace('"', "'")
