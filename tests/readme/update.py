"""Writes the console blocks of our Markdown files again, as they really print.

    python tests/readme/update.py [FILE ...]

Only blocks that print something else than before, ids and times aside, are touched.
"""

import sys
import tempfile
from pathlib import Path

from documents import DOCUMENTS, steady


def main(names: list[str]) -> None:
    for name in names or DOCUMENTS:
        document = DOCUMENTS[name]
        with tempfile.TemporaryDirectory() as folder:
            place = Path(folder, "here")
            place.mkdir()
            now = document.rerun(place)
        if steady(now) == steady(document.path.read_text()):
            print(f"{name}: as it prints")
        else:
            document.path.write_text(now)
            print(f"{name}: written again; look at the difference")


if __name__ == "__main__":
    main(sys.argv[1:])
