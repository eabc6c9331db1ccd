"""The same app in a browser."""

from __future__ import annotations


def serve(store: str, run: str | None, host: str | None, port: int) -> None:
    raise NotImplementedError
