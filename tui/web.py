"""The same app in a browser: on the loopback interface alone, at an address that holds a random token."""

from __future__ import annotations

import ipaddress
import secrets
import shlex
import socket
import sys
from typing import Any
from urllib.parse import urlsplit

from bigdebug.lineage.errors import BigDebugError
from bigdebug.lineage.store import Store

_LOOPBACK = "127.0.0.1"
_TOKEN_BYTES = 24


def serve(store: str, run: str | None, host: str | None, port: int) -> None:
    """Serve the app until Ctrl-C. Each browser window has a process of its own.

    Args:
        store: the store.
        run: the run to open at once, if any.
        host: the address to listen at; None for the loopback interface.
        port: 0 for any that is free.

    Raises:
        BigDebugError: textual-serve isn't installed, or nothing can listen there.
        UnknownNameError, UnreachableError: there is no such store or run.
    """
    if run is not None:
        Store(store).find(run)
    server = make_server(store, run, host or _LOOPBACK, port or _free_port(host or _LOOPBACK))
    if not _is_loopback(host or _LOOPBACK):
        print(
            f"warning: anybody who can reach {host} and knows the address can run code as you; it isn't encrypted",
            file=sys.stderr,
        )
    print(f"bigdebug: open {server.address} (Ctrl-C ends it)", file=sys.stderr, flush=True)
    server.serve()


def make_server(store: str, run: str | None, host: str, port: int) -> Any:
    """The server, which `serve()` runs; its `address` is what a browser opens.

    Raises:
        BigDebugError: textual-serve isn't installed.
    """
    try:
        from aiohttp import web
        from textual_serve.server import Server
    except ImportError:
        raise BigDebugError(
            "a browser needs textual-serve, which isn't installed", hint="pip install 'bigdebug[web]'"
        ) from None

    token = secrets.token_urlsafe(_TOKEN_BYTES)
    words = [sys.executable, "-m", "bigdebug", "tui", *([run] if run else []), "--store", store]

    class Guarded(Server):
        """Textual's server, below a path that nobody guesses."""

        address = f"http://{_in_address(host)}:{port}/{token}/"

        def initialize_logging(self) -> None:
            """Its log has the address in it, and nobody reads it."""

        async def on_startup(self, app: web.Application) -> None:
            """Textual's own greets with its logo."""

        async def _make_app(self) -> web.Application:
            inner = await super()._make_app()
            outer = web.Application(middlewares=[_same_origin])
            outer.add_subapp(f"/{token}/", inner)
            return outer

        async def handle_index(self, request: web.Request) -> web.StreamResponse:
            """Textual's page, less the font that it fetches from elsewhere."""
            page: Any = await super().handle_index(request)
            text = "".join(part for part in _parts(page.text or "") if "fonts.googleapis.com" not in part)
            return web.Response(
                text=text,
                content_type="text/html",
                headers={"Referrer-Policy": "no-referrer", "Cache-Control": "no-store"},
            )

    @web.middleware
    async def _same_origin(request: web.Request, handler: Any) -> Any:
        """A page of another site mustn't speak to it, whatever it has found out."""
        origin = request.headers.get("Origin")
        if origin is not None and urlsplit(origin).netloc != request.host:
            raise web.HTTPForbidden(text="another site's page asks")
        return await handler(request)

    return Guarded(
        shlex.join(words),
        host=host,
        port=port,
        title="bigdebug",
        public_url=f"http://{_in_address(host)}:{port}",
    )


def _parts(page: str) -> list[str]:
    """The tags of a page, each with what stands before it."""
    return [f"{part}>" for part in page.split(">")[:-1]] + page.split(">")[-1:]


def _free_port(host: str) -> int:
    try:
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
            probe.bind((host, 0))
            return int(probe.getsockname()[1])
    except OSError as error:
        raise BigDebugError(
            f"nothing can listen at {host}: {error.strerror or error}", hint="another --host"
        ) from None


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _in_address(host: str) -> str:
    return f"[{host}]" if ":" in host else host
