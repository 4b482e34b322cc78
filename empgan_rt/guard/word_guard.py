"""The guard by words: a floor, which knows phrases and no meaning."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import cache, partial
from itertools import product
from typing import NamedTuple, get_args

from ..dialogue.turns import Emotion, Turn
from ..dialogue.verdict import Action, Verdict
from ..errors import InputError
from .keys import Keys
from .normalise import Normaliser
from .phrase_reader import Way, read_phrase
from .phrases import Phrases
from .word_file import Reads
from .word_list import DEFAULT, LATER, REFUSED_REPLY, SHIPPED, read_words

_WHERE: tuple[Reads, ...] = get_args(Reads)
_NONE: frozenset[int] = frozenset()


class _Rule(NamedTuple):
    """A phrase.

    Attributes:
        phrase: as the file has it.
        category: whose it is; empty for an idiom.
        takes_back: whether it takes back matches instead of being one.
    """

    phrase: str
    category: str
    takes_back: bool


class _LookedFor(NamedTuple):
    """What is looked for in messages or replies, where a message has some emotion.

    Attributes:
        names: the categories.
        keys: of their phrases.
        forms: of the keys that are words.
    """

    names: frozenset[str]
    keys: Keys
    forms: frozenset[str]


class WordGuard:
    """Looks for phrases of danger and abuse in English, and answers with texts written by people.

    It stops what its word list names, in the newest message or a reply, and after some categories
    answers the next messages too. Some phrases it looks for only in replies to some emotions:
    condolences on good news, congratulations on bad. It misses whatever is said in other words,
    and other languages but for phrases of your own: a floor below a service for people, not a
    protection of them.

    Args:
        words: path of a TOML file of your own, whose phrases, texts and numbers come on top of
            ours (docs/guard.md); None for ours alone.
        locale: whose texts and numbers are said, such as "en-GB"; "default" names no number.

    Raises:
        InputError: the file or the locale is not acceptable; the message tells the key.
    """

    def __init__(
        self, words: str | os.PathLike[str] | None = None, *, locale: str = DEFAULT
    ) -> None:
        read = read_words(words, locale)
        self._texts = read.texts
        self._categories = {
            name: category
            for name, category in read.file.categories.items()
            if category.action != "allow"
        }
        self._rules = [_Rule(phrase, "", True) for phrase in read.file.idioms]
        for name, category in self._categories.items():
            self._rules += [_Rule(phrase, name, False) for phrase in category.phrases]
            self._rules += [_Rule(phrase, name, True) for phrase in category.unless]
        self._normaliser = Normaliser(read.file.spellings)
        spelled = cache(self._normaliser.words)
        try:
            ways = [read_phrase(rule.phrase, read.file.lists, spelled) for rule in self._rules]
            self._phrases = Phrases(ways)
        except ValueError as error:
            source = SHIPPED.name if words is None else words
            raise InputError(f"{source}: {error}", hint="see docs/guard.md") from None
        keys = cache(partial(self._keys_of, ways, read.file.common))
        forms = cache(self._normaliser.forms)
        self._looked_for: dict[tuple[Reads, Emotion | None], _LookedFor] = {}
        for where, emotion in product(_WHERE, (None, *Emotion)):
            names = self._names(where, emotion)
            of_these = keys(names)
            self._looked_for[where, emotion] = _LookedFor(names, of_these, forms(of_these.words))

    def check_input(self, turns: Sequence[Turn]) -> Verdict:
        """Return the verdict on the newest message, and on those of its speaker before it."""
        match = self._match(turns[-1].text, "messages", turns[-1].emotion)
        if match is not None:
            return self._stopped(match, self._texts[match.category], "the newest message")
        longest = max((each.later or 0 for each in self._categories.values()), default=0)
        for back in range(1, longest + 1):
            place = len(turns) - 1 - 2 * back  # speakers take turns
            if place < 0:
                break
            match = self._match(turns[place].text, "messages", turns[place].emotion)
            if match is not None and back <= (self._categories[match.category].later or 0):
                text = self._texts.get(match.category + LATER, self._texts[match.category])
                return self._stopped(match, text, "an earlier message")
        return Verdict()

    def check_reply(self, turns: Sequence[Turn], candidates: Sequence[str]) -> Verdict:
        """Return which candidates may be said, or the text in their place if none may."""
        emotion = turns[-1].emotion if turns else None
        matches = [self._match(text, "replies", emotion) for text in candidates]
        refused = next((match for match in matches if match is not None), None)
        if refused is None:
            return Verdict()
        allowed = tuple(place for place, match in enumerate(matches) if match is None)
        if not allowed:
            return self._stopped(refused, self._instead_of(refused), "every reply", "replace")
        return Verdict(
            category=refused.category,
            rule=refused.phrase,
            message=f"{len(candidates) - len(allowed)} of {len(candidates)} replies were refused",
            candidates=allowed,
        )

    def _match(self, text: str, where: Reads, emotion: Emotion | None) -> _Rule | None:
        """Return the first rule, in the order of the word list, that a text meets.

        Args:
            text: a message or a reply.
            where: which of them it is.
            emotion: that of the message, or of the one that is answered; None if it is not known.
        """
        names, keys, forms = self._looked_for[where, emotion]
        parts = self._normaliser.parts(text)
        are_forms_enough = parts.is_simple and not keys.endings
        if are_forms_enough and forms.isdisjoint(part.replace("'", "") for part in parts.parts):
            return None
        met: set[int] = set()
        for sentence in self._normaliser.sentences(parts, self._phrases.vocabulary):
            if not keys.are_in(sentence):
                continue
            found = self._phrases.find(sentence)
            taken: dict[str, set[int]] = {}  # category -> places whose matches are taken back
            for each in found:
                rule = self._rules[each.phrase]
                if rule.takes_back:
                    taken.setdefault(rule.category, set()).update(range(each.start, each.end))
            for each in found:
                rule = self._rules[each.phrase]
                if rule.takes_back or rule.category not in names:
                    continue
                places = range(each.start, each.end)
                if all(taken.get(name, _NONE).isdisjoint(places) for name in ("", rule.category)):
                    met.add(each.phrase)
        return self._rules[min(met)] if met else None

    def _keys_of(self, ways: Sequence[Way], common: Sequence[str], names: frozenset[str]) -> Keys:
        """Return the keys of the phrases of some categories."""
        rules = zip(self._rules, ways, strict=True)
        return Keys((w for r, w in rules if not r.takes_back and r.category in names), common)

    def _names(self, where: Reads, emotion: Emotion | None) -> frozenset[str]:
        """Return the categories that are looked for where a message has an emotion."""
        word = None if emotion is None else emotion.name.lower()
        return frozenset(
            name
            for name, category in self._categories.items()
            if where in self._reads(name)
            and (category.emotions is None or word in category.emotions)
        )

    def _reads(self, category: str) -> tuple[Reads, ...]:
        reads = self._categories[category].reads
        return ("messages",) if reads is None else reads

    def _instead_of(self, rule: _Rule) -> str:
        """Return what is said where every reply is refused.

        A category that reads messages too has a text that answers these.
        """
        refused = self._texts[REFUSED_REPLY]
        if "messages" in self._reads(rule.category):
            return refused
        return self._texts.get(rule.category, refused)

    def _stopped(self, rule: _Rule, text: str, what: str, action: Action | None = None) -> Verdict:
        """Return the verdict on what met a rule."""
        return Verdict(
            action or self._categories[rule.category].action or "replace",
            text,
            rule.category,
            rule.phrase,
            f"{what} holds a phrase of the category {rule.category}",
        )
