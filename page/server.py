"""Serves the page: to whom, and with which limits."""

import asyncio
import dataclasses
import hmac
import os
import socket
import sys
import time
from collections.abc import Callable
from typing import Any

from console import offline
from console.errors import InputError
from console.progress import say
from console.settings import Settings, option
from page import viewer
from page.sessions import Sessions

# Hugging Face runs app.py without flags, in a container that others reach.
_ON_SPACE = "SPACE_ID" in os.environ
_SECONDS_BETWEEN_SWEEPS = 60.0
# How long a wrong password takes.
_SECONDS_OF_DOUBT = 1.0

# The page needs nothing from elsewhere, and the browser refuses what is.
_POLICY = (
    "default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:; object-src 'none'; "
    "base-uri 'self'; form-action 'self'"
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}
# Gradio's ways to any file of its folder, and to addresses elsewhere.
_CLOSED = ("/file=", "/file/", "/proxy=")


@dataclasses.dataclass(frozen=True)
class ServerSettings(Settings):
    """The page's address, and who may use it."""

    host: str = option(
        "0.0.0.0" if _ON_SPACE else "127.0.0.1",
        "Address to listen on; at 0.0.0.0 other machines reach the page. Needs "
        "--password or --public unless only this machine reaches it.",
    )
    port: int | None = option(
        None, "Port to listen on; if not given, the first free from 7860.", most=65535
    )
    password: str | None = option(
        None, "Ask for this password; a --flagfile keeps it off the command line."
    )
    public: bool = option(_ON_SPACE, "Let anyone who reaches the page use it.")
    share: bool = option(
        False,
        "Also open a public address by Gradio's servers, as for Colab. Needs "
        "--password or --public.",
    )
    max_upload: float = option(200.0, "Largest file to accept, in MB.", least=0.001)
    open_browser: bool = option(True, "Open the page in the browser.")

    def check(self) -> None:
        """See `Settings.check`."""
        if self.password == "":
            raise InputError("--password=: expected at least one character.")
        reaches = self.share or not offline.is_local(self.host)
        if reaches and not (self.password or self.public):
            given = "--share" if self.share else f"--host={self.host}"
            raise InputError(
                f"{given}: others could use this machine. Give --password=SECRET, or "
                "--public to let anyone do so."
            )

    def serve(self, build: Callable[[], Any], sessions: Sessions) -> None:
        """Serves the `gradio.Blocks` that `build` makes, until Ctrl-C."""
        self.check_address()
        if not (self.share or _ON_SPACE):
            offline.stay(self.host)
        blocks = self.prepare(build, sessions)
        say(f"The page is at {self.launch(blocks, sessions)} and ends with Ctrl-C.")
        try:
            while True:
                time.sleep(_SECONDS_BETWEEN_SWEEPS)
                sessions.sweep()
        finally:
            blocks.close(verbose=False)

    def prepare(self, build: Callable[[], Any], sessions: Sessions) -> Any:
        """Builds the page, once the environment is ready for Gradio."""
        os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
        os.environ["GRADIO_TEMP_DIR"] = str(sessions.uploads)
        # Gradio asks itself whether it has started, which no proxy could.
        old = os.environ.get("no_proxy") or os.environ.get("NO_PROXY", "")
        os.environ["no_proxy"] = f"localhost,127.0.0.1,{self.host},{old}"
        return build()

    def check_address(self) -> None:
        """Refuses an address that the page cannot listen on, before long work."""
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        try:
            socket.create_server((self.host, self.port or 0), family=family).close()
        except OSError:
            port = "" if self.port is None else f" --port={self.port}"
            raise InputError(
                f"--host={self.host}{port}: the page cannot listen there. Give another "
                "--port, or an address of this machine."
            ) from None

    def launch(self, blocks: Any, sessions: Sessions) -> str:
        """Starts the server in a thread, and returns the page's address."""
        import gradio
        from starlette.middleware import Middleware

        _, local, shared = blocks.queue(max_size=1000).launch(
            server_name=f"[{self.host}]" if ":" in self.host else self.host,
            server_port=self.port,
            share=self.share,
            auth=self._check_password if self.password else None,
            auth_message="Any name, and the password.",
            max_file_size=int(self.max_upload * 1e6),
            app_kwargs={
                "routes": _make_routes(sessions),
                "middleware": [Middleware(Guard)],
            },
            # System fonts: the page looks as others do, and fetches nothing.
            theme=gradio.themes.Default(font="system-ui", font_mono="monospace"),
            head=viewer.make_head(),
            inbrowser=self.open_browser and _has_screen(),
            prevent_thread_lock=True,
            footer_links=[],
            quiet=True,
            **dict.fromkeys(
                ("ssr_mode", "pwa", "mcp_server", "enable_monitoring"), False
            ),
        )
        return shared or local

    async def _check_password(self, name: str, password: str) -> bool:
        is_right = hmac.compare_digest(password.encode(), self.password.encode())
        if not is_right:
            await asyncio.sleep(_SECONDS_OF_DOUBT)
        return is_right


def _has_screen():
    """Whether a browser has a window; else it would take over the terminal."""
    names = ("DISPLAY", "WAYLAND_DISPLAY")
    return sys.platform != "linux" or any(name in os.environ for name in names)


class Guard:
    """A layer around a server: closes some of its addresses, and adds headers."""

    def __init__(self, app: Any):
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answers a request."""
        from starlette.datastructures import MutableHeaders
        from starlette.responses import PlainTextResponse

        async def send_guarded(message):
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(_HEADERS)
            await send(message)

        app = self.app
        if scope["type"] == "http" and any(each in scope["path"] for each in _CLOSED):
            app = PlainTextResponse("Not found.", 404)
        await app(scope, receive, send_guarded)


def _make_routes(sessions):
    """Makes the addresses of offered files: `results/KEY/NUMBER` and `.../all.zip`."""
    from starlette.responses import FileResponse, PlainTextResponse
    from starlette.routing import Route

    def send(request):
        key, number = (request.path_params[each] for each in ("key", "number"))
        path, name, session = None, "", sessions.find(key)
        if session is not None and number == "all.zip":
            path, name = session.zip(), "pictures.zip"
        elif session is not None:
            path, name = session.find(number)
        if path is None:
            return PlainTextResponse(
                "Not there: results are kept for an hour, and until the next are made.",
                404,
            )
        kind = "application/octet-stream" if name else "image/png"
        headers = {"Cache-Control": "private, max-age=3600"}
        return FileResponse(path, 200, headers, kind, filename=name or None)

    return [Route("/results/{key}/{number}", send)]
