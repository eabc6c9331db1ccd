"""Where in a store a text stands, whatever it is packed in."""

import gzip
import io
import zipfile
from collections.abc import Iterator
from pathlib import Path


def contents(store: Path) -> Iterator[tuple[str, bytes]]:
    """Every file of a store, and every file inside of one that is packed."""
    for path in store.rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            yield str(path), data
            if zipfile.is_zipfile(path):
                with zipfile.ZipFile(io.BytesIO(data)) as archive:
                    yield from ((f"{path}/{name}", archive.read(name)) for name in archive.namelist())
            if data.startswith(b"\x1f\x8b"):
                yield f"{path}/unzipped", gzip.decompress(data)


def places_of(secret: str, store: Path) -> list[str]:
    forms = [secret.encode(encoding) for encoding in ("utf-8", "utf-16-le", "utf-16-be")]
    return [name for name, data in contents(store) if any(form in data for form in forms)]
