"""The chat page in Chromium, with a server and without: said, heard, chosen, kept, in silence."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from empgan_rt import AsyncResponder, Emotion, Responder, Turn, WordGuard
from empgan_rt.server.application import app
from empgan_rt.server.settings import ServerSettings
from empgan_rt.web.folder import WORKER
from support.browser import PATIENCE_MS, Console, static_host, violations
from support.loopback import served

pytestmark = pytest.mark.slow

SAID = "My sister is getting married!"
KEY = "a-key-of-some-length"
KEPT = """
async () => {
  const names = await caches.keys();
  const found = names.map(async name => [name, (await (await caches.open(name)).keys()).length]);
  return Promise.all(found);
}
"""


@pytest.fixture
def server() -> Iterator[str]:
    """A server's page."""
    with served(app(AsyncResponder.load("tiny", guard=WordGuard()))) as (host, port):
        yield f"http://{host}:{port}/"


@pytest.fixture(params=["alone", "served"])
def address(request: pytest.FixtureRequest) -> str:
    """Where a page is, without a server behind it and with one."""
    if request.param == "served":
        return str(request.getfixturevalue("server"))
    return str(request.getfixturevalue("site")("tiny"))


@pytest.fixture
def visit(browser: Any) -> Iterator[Callable[..., tuple[Any, Console]]]:
    """Opens a page as nobody knows it; returns it once it is ready, and what it says."""
    contexts = []

    def opened(address: str, *, is_ready: bool = True, **options: Any) -> tuple[Any, Console]:
        contexts.append(browser.new_context(**options))
        page = contexts[-1].new_page()
        page.set_default_timeout(PATIENCE_MS)
        console = Console(page)
        page.goto(address)
        if is_ready:
            page.wait_for_selector("#send:enabled")
        return page, console

    yield opened
    for context in contexts:
        context.close()


def say(page: Any, text: str) -> str:
    """Send a message by the keyboard; return the reply."""
    there = page.locator("#turns > li").count()
    page.fill("#message", text)
    page.press("#message", "Enter")
    return reply_at(page, there + 2)


def reply_at(page: Any, place: int) -> str:
    """Return the text of a turn, once it is whole."""
    page.wait_for_selector(f"#turns > li:nth-child({place}) .below")
    page.wait_for_selector("#log[aria-busy=false]")
    text = page.locator(f"#turns > li:nth-child({place}) .said").text_content()
    return str(text).partition(": ")[2]


def test_a_dialogue(address: str, visit: Callable[..., tuple[Any, Console]], axe: str) -> None:
    page, console = visit(address)
    assert violations(page, axe) == []
    with Responder.load("tiny", guard=WordGuard()) as responder:
        first = responder.reply([SAID])
        assert say(page, SAID) == first.text
        heard = first.emotions[0]
        share = round(heard.probabilities[heard.label] * 100)
        chosen = page.locator("#turns > li:first-child option:checked").text_content()
        assert chosen == f"{heard.label.name.lower()} {share} %"
        assert violations(page, axe) == []

        # Another reply is one click away, and then it is what was said.
        search = replace(responder.search, num_hypotheses=responder.search.beam_size)
        allowed = responder.reply([SAID], search).alternatives
        page.click(f"text={len(allowed)} other replies")
        page.locator(".others button").nth(1).click()
        other = reply_at(page, 2)
        assert other != first.text
        told = [SAID, other, "Thank you."]
        assert say(page, "Thank you.") == responder.reply(told).text

        # An emotion set by hand makes the reply anew.
        page.locator("#turns > li:nth-child(3) select").select_option("sadness")
        page.wait_for_selector("#turns > li:nth-child(3) .emotion[data-emotion=sadness]")
        turns = [SAID, other, Turn("Thank you.", Emotion.SADNESS)]
        assert reply_at(page, 4) == responder.reply(turns).text
        page.select_option("#feeling", "anger")
        turns += [reply_at(page, 4), Turn("Why?", Emotion.ANGER)]
        assert say(page, "Why?") == responder.reply(turns).text
        page.emulate_media(color_scheme="dark")
        assert violations(page, axe) == []

    page.click("#reset")
    page.wait_for_selector("#intro", state="visible")
    assert page.locator("#turns > li").count() == 0
    assert console.said == []
    assert console.others(address) == set()


def test_the_guard_speaks(
    address: str, visit: Callable[..., tuple[Any, Console]], axe: str
) -> None:
    page, _ = visit(address)
    guard = WordGuard()
    assert say(page, "I want to die.") == guard.check_input([Turn("I want to die.")]).text
    assert "not the model" in page.locator(".by-guard .below").text_content()
    page.click("#reset")
    say(page, "fuck you")  # which the model is never told of
    assert "not told" in page.locator(".forgotten .below").text_content()
    with Responder.load("tiny") as responder:
        assert say(page, "Hello!") == responder.reply(["Hello!"]).text
    assert violations(page, axe) == []


def test_a_phone(address: str, visit: Callable[..., tuple[Any, Console]], axe: str) -> None:
    page, console = visit(address, viewport={"width": 360, "height": 640}, has_touch=True)
    page.locator("#starters button").first.tap()
    reply_at(page, 2)
    say(page, "supercalifragilistic" * 12)
    wide = page.evaluate("() => [document.documentElement.scrollWidth, innerWidth]")
    assert wide[0] <= wide[1]
    box = page.locator("#send").bounding_box()
    assert box["x"] + box["width"] <= 360
    assert box["y"] + box["height"] <= 640
    assert violations(page, axe) == []
    assert console.said == []


def test_colours_are_remembered(server: str, visit: Callable[..., tuple[Any, Console]]) -> None:
    page, _ = visit(server, color_scheme="light")
    colour = "() => getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(colour)
    for _ in range(2):
        page.click("#theme")
    dark = page.evaluate(colour)
    assert light != dark
    page.reload()
    assert page.evaluate(colour) == dark


def test_escape_stops_a_reply(server: str, visit: Callable[..., tuple[Any, Console]]) -> None:
    page, _ = visit(server)
    page.route("**/v1/reply", lambda route: None)  # never answered
    page.fill("#message", SAID)
    page.press("#message", "Enter")
    page.wait_for_selector("#log[aria-busy=true]")
    page.press("#message", "Escape")
    page.wait_for_selector("text=Stopped.")
    assert page.input_value("#message") == SAID
    assert page.locator("#turns > li").count() == 0
    page.unroute("**/v1/reply")
    page.press("#message", "Enter")
    assert reply_at(page, 2)


def test_what_the_server_refuses_is_shown(
    server: str, visit: Callable[..., tuple[Any, Console]]
) -> None:
    page, _ = visit(server)
    body = json.dumps({"error": {"message": "too many wait", "code": "overloaded"}})
    page.route("**/v1/reply", lambda route: route.fulfill(status=429, body=body))
    page.fill("#message", SAID)
    page.press("#message", "Enter")
    page.wait_for_selector("#status.wrong")
    assert page.locator("#status").text_content() == "too many wait"
    assert page.input_value("#message") == SAID


def test_a_stream_is_shown_as_it_comes(
    server: str, visit: Callable[..., tuple[Any, Console]]
) -> None:
    page, _ = visit(server)
    half = 'data: {"text": "Hello"}\n\n'
    page.route("**/v1/reply", lambda route: route.fulfill(status=200, body=half))
    page.fill("#message", SAID)
    page.press("#message", "Enter")
    page.wait_for_selector("text=The server broke off.")  # without a whole reply


def test_a_server_that_wants_a_key(visit: Callable[..., tuple[Any, Console]], axe: str) -> None:
    settings = ServerSettings(api_keys=(KEY,))
    with served(app(AsyncResponder.load("tiny"), settings=settings)) as (host, port):
        page, _ = visit(f"http://{host}:{port}/", is_ready=False)
        page.wait_for_selector("#key", state="visible")
        assert violations(page, axe) == []
        page.fill("#key", KEY)
        page.press("#key", "Enter")
        page.wait_for_selector("#send:enabled")
        assert say(page, SAID)


def test_offline_after_the_first_visit(
    written: Callable[..., Path], visit: Callable[..., tuple[Any, Console]]
) -> None:
    with static_host(written("tiny", "int8")) as address:
        page, console = visit(address)
        online = say(page, SAID)
        assert "works offline" in page.locator("#where").text_content()
    again = page.context.new_page()  # nobody serves it any more
    console = Console(again)
    again.goto(address)
    again.wait_for_selector("#send:enabled", timeout=PATIENCE_MS)
    assert say(again, SAID) == online
    assert console.said == []


def test_a_newer_version_takes_over_once_the_page_is_closed(
    written: Callable[..., Path], visit: Callable[..., tuple[Any, Console]]
) -> None:
    folder = written("tiny")
    with static_host(folder) as address:
        page, _ = visit(address)
        before = dict(page.evaluate(KEPT))
        worker = (folder / WORKER).read_text("utf-8")
        assert len(before) == 3  # page, model and ONNX Runtime
        (name,) = (name for name in before if " page " in name)
        cache = name.removeprefix(f"empgan-rt {address} ")
        (folder / WORKER).write_text(worker.replace(cache, "page newer"), "utf-8")
        page.reload()  # which finds it, and goes on with the old one
        page.wait_for_selector("#send:enabled")
        context = page.context
        page.close()
        for _ in range(20):
            page = context.new_page()
            page.goto(address)
            page.wait_for_selector("#send:enabled", timeout=PATIENCE_MS)
            after = dict(page.evaluate(KEPT))
            if name not in after:
                break
            page.close()
        assert after.keys() - before.keys() == {f"empgan-rt {address} page newer"}
        assert before.keys() - after.keys() == {name}


def test_a_file_that_was_altered_is_not_kept(
    written: Callable[..., Path], visit: Callable[..., tuple[Any, Console]]
) -> None:
    folder = written("tiny")
    weights = folder / "model" / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\x00")
    with static_host(folder) as address:
        page, _ = visit(address)
        assert "offline" not in page.locator("#where").text_content()
        kept = page.evaluate(
            "async () => (await caches.match('model/weights.safetensors')) === undefined"
        )
        assert kept
