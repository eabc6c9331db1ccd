"""Compares what sdist and wheel hold with what is tracked: nothing may be missing, nothing else be in them.

    python .ci/compare_contents.py TRACKED DIST

TRACKED is a file with the tracked paths, a line each; DIST the folder with one sdist and one wheel.
"""

import sys
import tarfile
import zipfile
from pathlib import Path

ROOMS = ("lineage", "breakpoints", "tui")
BESIDE = {"pyproject.toml", "README.md", "LICENSE", "MANIFEST.in"}
WRITTEN_BY_THE_BUILD = {"PKG-INFO", "setup.cfg"}


def main(tracked_list: str, dist: str) -> int:
    tracked = set(Path(tracked_list).read_text().splitlines())
    expected = {name for name in map(installed_name, tracked) if name}
    wheel = wheel_names(next(Path(dist).glob("*.whl")))
    sdist = sdist_names(next(Path(dist).glob("*.tar.gz")))
    problems = [
        *differences("wheel", expected, wheel),
        *differences("sdist", expected | BESIDE, sdist),
    ]
    print("\n".join(problems) or f"{len(expected)} files of the package, in the wheel and in the sdist")
    return bool(problems)


def installed_name(path: str) -> str | None:
    """Where a tracked file of the package is installed; None for one that isn't."""
    room, _, rest = path.partition("/")
    if room in ROOMS:
        return f"bigdebug/{room}/{rest}"
    if room == "bigdebug" and rest not in ROOMS:  # those are the links to the rooms
        return path
    return None


def wheel_names(path: Path) -> set[str]:
    with zipfile.ZipFile(path) as wheel:
        entries = [entry for entry in wheel.infolist() if not entry.is_dir()]
    links = [entry.filename for entry in entries if entry.external_attr >> 28 == 0o12]
    if links:
        raise SystemExit(f"the wheel holds links: {links}")
    return {entry.filename for entry in entries if ".dist-info/" not in entry.filename}


def sdist_names(path: Path) -> set[str]:
    with tarfile.open(path) as sdist:
        entries = [entry for entry in sdist.getmembers() if not entry.isdir()]
    links = [entry.name for entry in entries if not entry.isfile()]
    if links:
        raise SystemExit(f"the sdist holds links: {links}")
    names = {entry.name.partition("/")[2] for entry in entries}
    return {name for name in names if name not in WRITTEN_BY_THE_BUILD and ".egg-info/" not in name}


def differences(kind: str, expected: set[str], found: set[str]) -> list[str]:
    missing = [f"missing in the {kind}: {name}" for name in sorted(expected - found)]
    extra = [f"in the {kind}, but not tracked: {name}" for name in sorted(found - expected)]
    return missing + extra


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
