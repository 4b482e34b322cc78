"""The files of the page, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest
from starlette.routing import Router
from starlette.testclient import TestClient

from empgan_rt.server.page import page_routes


@pytest.fixture
def client(tmp_path: Path) -> TestClient:
    (tmp_path / "page" / "parts").mkdir(parents=True)
    (tmp_path / "secret.txt").write_text("secret")
    files = {
        "index.html": "<!doctype html>",
        "page.js": "1;",
        "parts/style.css": "a{}",
        "a.bin": "",
    }
    for name, text in files.items():
        (tmp_path / "page" / name).write_text(text)
    return TestClient(Router(page_routes(tmp_path / "page")))


@pytest.mark.parametrize(
    ("path", "kind", "text"),
    [
        ("/", "text/html; charset=utf-8", "<!doctype html>"),
        ("/page.js", "text/javascript; charset=utf-8", "1;"),
        ("/parts/style.css", "text/css; charset=utf-8", "a{}"),
        ("/a.bin", "application/octet-stream", ""),
    ],
)
def test_each_file_is_served_as_what_it_is(
    client: TestClient, path: str, kind: str, text: str
) -> None:
    answer = client.get(path)
    assert (answer.status_code, answer.headers["content-type"], answer.text) == (200, kind, text)
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'")
    assert "unsafe-inline" not in policy
    again = client.get(path, headers={"if-none-match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize("path", ["/secret.txt", "/../secret.txt", "/%2e%2e/secret.txt", "/parts/"])
def test_nothing_else_is_served(client: TestClient, path: str) -> None:
    assert client.get(path).status_code == 404


def test_without_an_index_there_is_no_page(tmp_path: Path) -> None:
    (tmp_path / "page.js").write_text("1;")
    assert page_routes(tmp_path) == []
    assert page_routes(tmp_path / "nowhere") == []
