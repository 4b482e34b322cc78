"""A session remembers both speakers, forgets on request, and keeps nothing of what failed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from empgan_rt import (
    Chunk,
    DeadlineError,
    Emotion,
    InputError,
    Responder,
    SearchConfig,
    Session,
    Turn,
)
from empgan_rt.backends.onnxruntime.backend import OrtBackend
from empgan_rt.bundle.bundle import Bundle
from empgan_rt.sessions.session import Window
from support.counting_backend import counting
from support.replies import reply_saying
from support.toy_bundle import WORDS


@pytest.fixture
def session(toy_folder: Path) -> Session:
    return Responder.load(toy_folder, search=SearchConfig(beam_size=2, min_length=3)).session()


@pytest.fixture
def unhurried(toy_folder: Path) -> Session:
    """A session whose replies do not come to their end before somebody looks at their beginning."""
    responder, _ = counting(Bundle.open(toy_folder), pause_s=0.1)
    return responder.session(SearchConfig(beam_size=2, min_length=3))


def test_history_holds_both_speakers(session: Session) -> None:
    assert session.turns == ()
    first = session.say("I am happy.", emotion=Emotion.HAPPINESS)
    second = session.say("what a day")
    assert session.turns == (
        Turn("I am happy.", Emotion.HAPPINESS),
        Turn(first.text),
        Turn("what a day"),
        Turn(second.text),
    )
    assert [emotion.given for emotion in second.emotions] == [True, False, False]


def test_a_session_says_what_the_responder_says(toy_folder: Path, session: Session) -> None:
    responder = Responder.load(toy_folder, search=SearchConfig(beam_size=2, min_length=3))
    replies = [session.say(text).text for text in ("I am happy.", "what a day")]
    assert replies[0] == responder.reply(["I am happy."]).text
    assert replies[1] == responder.reply(["I am happy.", replies[0], "what a day"]).text


@pytest.mark.parametrize(("turn_cache", "read"), [(8, 3), (0, 4)])
def test_what_was_said_before_is_not_read_again(
    toy_folder: Path, monkeypatch: pytest.MonkeyPatch, turn_cache: int, read: int
) -> None:
    turns = []

    def counted(backend: OrtBackend, feeds: dict[str, np.ndarray]) -> np.ndarray:
        turns.extend(feeds["utterances"])
        return encode(backend, feeds)

    encode = OrtBackend._encode_turns
    monkeypatch.setattr(OrtBackend, "_encode_turns", counted)
    search = SearchConfig(beam_size=2, min_length=3)
    session = Responder.load(toy_folder, search=search, turn_cache=turn_cache).session()
    session.say("I am happy.")
    session.say("what a day")
    assert len(turns) == read


def test_sessions_of_one_responder_share_no_turn(toy_folder: Path) -> None:
    responder = Responder.load(toy_folder)
    one, other = responder.session(), responder.session()
    one.say("I am happy.")
    assert other.turns == ()
    assert len(other.say("we").emotions) == 1


def test_reset_forgets(session: Session) -> None:
    first = session.say("I am happy.")
    session.reset()
    assert session.turns == ()
    assert session.say("I am happy.").token_ids == first.token_ids


def test_reset_forgets_the_reply_that_is_still_to_come(session: Session) -> None:
    stream = session.stream("I am happy.")
    first = next(stream)  # the last one too, if all was decoded before it was read
    session.reset()
    assert [first, *stream][-1].reply
    assert session.turns == ()


def test_what_is_refused_leaves_no_trace(session: Session) -> None:
    session.say("I am happy.")
    before = session.turns
    for text in ("", "\ud83d", "a" * (1 << 20)):
        with pytest.raises(InputError):
            session.say(text)
        with pytest.raises(InputError):
            session.stream(text)
    assert session.turns == before
    session.say("we")


def test_a_stream_is_remembered_when_it_is_complete(unhurried: Session) -> None:
    stream = unhurried.stream("I am happy.")
    text = next(stream).text
    assert unhurried.turns == ()
    text += "".join(chunk.text for chunk in stream)
    assert unhurried.turns == (Turn("I am happy."), Turn(text))


def test_a_closed_stream_is_forgotten(unhurried: Session) -> None:
    stream = unhurried.stream("I am happy.")
    next(stream)
    stream.close()
    assert unhurried.turns == ()
    assert unhurried.say("I am happy.").text


def test_a_reply_without_words_leaves_no_turn(toy_folder: Path) -> None:
    mute = Responder.load(toy_folder).session(SearchConfig(beam_size=2, banned_words=tuple(WORDS)))
    assert mute.say("I am happy.").text == ""
    assert mute.turns == (Turn("I am happy."),)
    assert mute.say("we").text == ""


def test_a_long_dialogue_is_read_through_a_window(session: Session) -> None:
    for _ in range(40):
        reply = session.say("we")
    assert len(reply.emotions) == 50
    assert reply.turns_dropped == 29  # of 78 before the last message, and that
    assert [*session.stream("we")][-1].reply.turns_dropped == 31
    assert len(session.turns) == 50
    session.reset()
    assert session.say("we").turns_dropped == 0


@settings(deadline=None)
@given(st.integers(1, 6), st.lists(st.tuples(st.sampled_from(["", "Oh."]), st.booleans())))
def test_a_window_reads_and_counts_as_if_nothing_were_dropped(
    size: int, replies: list[tuple[str, bool]]
) -> None:
    window, said = Window(size), []
    for number, (answer, streamed) in enumerate(replies):
        assert [turn.text for turn in window.turns] == said[-size:]
        read = len([*window.turns, number][-size:])
        dropped = len(window.turns) + 1 - read
        reply, asked = reply_saying(answer, turns_dropped=dropped), Turn(str(number))
        if streamed:
            chunk = window.add_last(asked, Chunk(answer, reply, 1))
            assert (chunk.text, chunk.tokens) == (answer, 1)
            found = chunk.reply
        else:
            found = window.add(asked, reply)
        assert found.text == answer
        assert found.turns_dropped == len(said) + 1 - read
        said += [asked.text, answer] if answer else [asked.text]


def test_a_chunk_without_the_reply_leaves_no_turn() -> None:
    window, chunk = Window(2), Chunk("I", None, 1)
    assert window.add_last(Turn("we"), chunk) is chunk
    assert not window.turns


def test_a_session_goes_on_from_saved_turns(toy_folder: Path) -> None:
    responder = Responder.load(toy_folder, search=SearchConfig(beam_size=2, min_length=3))
    session = responder.session()
    session.say("I am happy.", emotion=Emotion.HAPPINESS)
    restored = responder.session(turns=session.turns)
    assert restored.turns == session.turns
    assert restored.say("what a day").token_ids == session.say("what a day").token_ids
    assert restored.turns == session.turns
    assert responder.session(turns=["we", Turn("the day")]).turns == (Turn("we"), Turn("the day"))
    assert responder.session(turns=[]).turns == ()


def test_more_saved_turns_than_are_read_count_as_dropped(toy_folder: Path) -> None:
    responder = Responder.load(toy_folder)
    most = responder.limits.max_turns
    session = responder.session(turns=["we"] * (most + 3))
    assert len(session.turns) == most
    assert session.say("the day").turns_dropped == 3 + 1


@pytest.mark.parametrize("turns", ["we", {"turns": ["we"]}, {"we"}, [3], None])
def test_saved_turns_that_are_none_are_refused(toy_folder: Path, turns: Any) -> None:
    with pytest.raises(InputError):
        Responder.load(toy_folder).session(turns=turns)


@pytest.mark.parametrize("how", ["say", "stream"])
def test_a_reply_that_is_late_leaves_no_turn(session: Session, how: str) -> None:
    with pytest.raises(DeadlineError):
        [*getattr(session, how)("I am happy.", deadline_s=1e-9)]
    assert session.turns == ()
    with pytest.raises(InputError, match="deadline_s"):
        getattr(session, how)("I am happy.", deadline_s=0)
    assert session.say("I am happy.", deadline_s=1e9).token_ids
