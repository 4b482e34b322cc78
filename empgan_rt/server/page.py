"""The files of the chat page, read once: what is not among them cannot be asked for."""

from __future__ import annotations

import hashlib
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ..web.folder import PAGE

INDEX = "index.html"
POLICY = (
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; "
    "connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
_KINDS = {  # not the system's, which may know them otherwise
    ".css": "text/css",
    ".html": "text/html",
    ".js": "text/javascript",
    ".json": "application/json",
    ".mjs": "text/javascript",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".txt": "text/plain",
    ".wasm": "application/wasm",
    ".webmanifest": "application/manifest+json",
}


def page_routes(folder: Path = PAGE) -> list[Route]:
    """Return a route for each file of a folder, its index at "/"; none without an index."""
    if not (folder / INDEX).is_file():
        return []
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return [_route(folder, path) for path in files]


def _route(folder: Path, path: Path) -> Route:
    name = path.relative_to(folder).as_posix()
    data = path.read_bytes()
    kind = _KINDS.get(path.suffix, "application/octet-stream")
    tag = f'"{hashlib.sha256(data).hexdigest()[:32]}"'
    headers = {
        "etag": tag,
        "cache-control": "no-cache",  # ask each time whether it is still the same
        "content-security-policy": POLICY,
        "referrer-policy": "no-referrer",
    }

    async def answer(request: Request) -> Response:
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers=headers)
        return Response(data, media_type=kind, headers=headers)

    return Route("/" if name == INDEX else f"/{name}", answer)
