"""An operator's own file: what it adds and alters, and how a wrong one is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from empgan_rt import Emotion, InputError, Turn, WordGuard
from support.guard_lines import category_of
from support.pages import blocks
from support.source_tree import ROOT

OWN = """
idioms = ["zorp me"]
[lists]
fruit = ["apple", "(pink|red) grape"]
[spellings]
"zorp" = ["z0rrp"]
[categories.politics]
action = "hand_over"
phrases = ["vote for <fruit>", "zorp*"]
unless = ["never vote for"]
[categories.self_harm]
action = "hand_over"
later = 0
phrases = ["ich will sterben"]
[categories.abuse]
action = "allow"
[texts.default]
politics = "One moment, I call somebody."
[texts.de]
self_harm = "Bitte rufen Sie {emergency} an, oder {crisis_line}."
[numbers.de-DE]
emergency = "112"
crisis_line = "die Telefonseelsorge"
"""


@pytest.fixture
def own(tmp_path: Path) -> Path:
    path = tmp_path / "own.toml"
    path.write_text(OWN, "utf-8")
    return path


def test_its_phrases_come_on_top(own: Path) -> None:
    guard = WordGuard(own)
    for text in ("Vote for apple!", "VOTE for red grape", "zorping", "z0rrp", "Zorp"):
        assert category_of(guard, text) == "politics"
    for text in ("I never vote for apple.", "Zorp me, please.", "I voted.", "vote for grape"):
        assert category_of(guard, text) is None
    assert category_of(guard, "Ich will sterben.") == "self_harm"
    assert category_of(guard, "I want to die.") == "self_harm"


def test_it_alters_how_a_category_acts(own: Path) -> None:
    guard = WordGuard(own)
    assert guard.check_input([Turn("I want to die.")]).action == "hand_over"
    assert guard.check_input([Turn("I want to die."), Turn("."), Turn("ok")]).action == "allow"
    assert category_of(guard, "You are an idiot.") is None
    assert category_of(guard, "My husband hits me.") == "violence_at_home"


def test_a_category_may_be_of_some_emotions_alone(tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    path.write_text(
        "[categories.jokes]\nreads = ['replies']\nphrases = ['knock knock']\n"
        "emotions = ['sadness']\n"
        "[categories.congratulation]\nemotions = ['fear']\n"
        "[texts.default]\njokes = 'I am here.'\n",
        "utf-8",
    )
    guard = WordGuard(path)
    sad, afraid = Turn("My cat died.", Emotion.SADNESS), Turn("I am lost.", Emotion.FEAR)
    assert guard.check_reply([sad], ["Knock, knock!"]).text == "I am here."
    assert guard.check_reply([afraid], ["Knock, knock!"]).action == "allow"
    assert guard.check_reply([sad], ["Congratulations!"]).action == "allow"
    assert guard.check_reply([afraid], ["Congratulations!"]).category == "congratulation"


def test_texts_and_numbers_are_of_the_locale_then_the_language_then_the_default(own: Path) -> None:
    german = WordGuard(own, locale="de-DE")
    text = german.check_input([Turn("Ich will sterben.")]).text
    assert text == "Bitte rufen Sie 112 an, oder die Telefonseelsorge."
    assert "112" in german.check_input([Turn("I can't breathe.")]).text  # ours, with their number
    austrian = WordGuard(own, locale="de-AT")
    assert "your local emergency number" in austrian.check_input([Turn("Ich will sterben.")]).text


@pytest.mark.parametrize(
    ("toml", "message"),
    [
        ("phrases = 3", "unknown field `phrases`"),
        (
            "[categories.self_harm]\nfrases = []",
            "categories.self_harm: Object contains unknown field `frases`",
        ),
        ("[categories.self_harm]\nphrases = 'die'", "Expected `array`, got `str`"),
        ("[categories.self_harm]\naction = 'shout'", "Invalid enum value 'shout'"),
        ("[categories.self_harm]\nreads = ['thoughts']", "Invalid enum value 'thoughts'"),
        ("[categories.self_harm]\nemotions = ['joy']", "Invalid enum value 'joy'"),
        ("[categories.self_harm]\nlater = 99", "categories.self_harm.later is 99"),
        ("[categories.'Self Harm']\nphrases = ['x']", "a category 'Self Harm'"),
        ("[categories.refused_reply]\nphrases = ['x']", "a category 'refused_reply'"),
        ("[categories.mine]\nphrases = ['x']", "texts.default.mine is missing"),
        ("[texts.default]\nselfharm = 'x'", "texts.default.selfharm is of no category"),
        ("[texts.default]\nabuse = '  '", "texts.default.abuse is blank"),
        ("[texts.default]\nabuse = 'Call {police}.'", "names a number {police}"),
        ("[texts.default]\nabuse = 'Call {}.'", "names a number {}"),
        ("[numbers]\nemergency = '112'", "Expected `object`, got `str`"),
        ("idioms = ['(a|b']", "has its end where '[)]' is wanted"),
        ("idioms = ['a|b)']", "'a|b[)]' has '|' without its beginning"),
        ("idioms = ['a () b']", "has nothing where a word is wanted"),
        ("idioms = ['']", "has nothing where a word is wanted"),
        ("idioms = ['really?']", "may be no word at all"),
        ("idioms = ['... die']", "begins or ends with '...'"),
        ("idioms = ['<nobody> dies']", "names a list 'nobody'"),
        ("idioms = ['* die']", "has '[*]' where a word is wanted"),
        ("[lists]\na = ['<a> b']\n[categories.abuse]\nphrases = ['<a>']", "more than 8 groups"),
        (f"idioms = ['{'a ' * 400}']", "more than 600 characters"),
        ("[spellings]\n'talk to' = ['tlk 2']", "spellings has a form 'tlk 2' of 2 words"),
        ("idioms = [", "is no TOML"),
        ("idioms = 1979-05-27", "Expected `array`, got `date`"),
        ("a = " + "[" * 5000, "nested too deep|is no TOML"),
    ],
)
def test_a_wrong_file_is_refused_with_its_name_and_key(
    tmp_path: Path, toml: str, message: str
) -> None:
    path = tmp_path / "own.toml"
    path.write_text(toml, "utf-8")
    with pytest.raises(InputError, match=message) as caught:
        WordGuard(path)
    assert "own.toml" in caught.value.message
    assert caught.value.hint


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        WordGuard(tmp_path / "nowhere.toml")
    with pytest.raises(InputError, match="cannot be read"):
        WordGuard(tmp_path)
    (tmp_path / "big.toml").write_bytes(b"#" * ((1 << 20) + 1))
    with pytest.raises(InputError, match="more than 1,048,576 bytes"):
        WordGuard(tmp_path / "big.toml")
    (tmp_path / "latin.toml").write_bytes(b"# \xe9\n")
    with pytest.raises(InputError, match="is no TOML"):
        WordGuard(tmp_path / "latin.toml")


def test_the_file_that_the_page_shows_is_sound(tmp_path: Path) -> None:
    (toml,) = blocks(ROOT / "docs" / "guard.md", "toml")
    path = tmp_path / "own.toml"
    path.write_text(toml, "utf-8")
    guard = WordGuard(path, locale="de-DE")
    assert category_of(guard, "Can I tlkto a human?") == "people"
    assert category_of(guard, "I do not want to talk to a human.") is None
    verdict = guard.check_input([Turn("Ich möchte sterben.")])
    assert verdict.action == "hand_over"
    assert "112 an oder die Telefonseelsorge" in verdict.text
