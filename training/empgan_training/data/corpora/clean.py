"""Traces that exports leave in a text: mended where they have one meaning, else counted.

HTML's entities and the `_comma_` of EmpatheticDialogues are decoded. Markup and names of speakers
before a turn ("A: Hello.") may be what somebody said, so they stay, and whoever prepares is told.
"""

from __future__ import annotations

import html
import re
from dataclasses import dataclass

_ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,30});")
_COMMA = "_comma_"
_MARKUP = re.compile(r"</?[A-Za-z][^<>]{0,40}>")
_SPEAKER = re.compile(
    r"\s*(?:[A-Z]|(?i:speaker|user|system|bot|human|person|agent|assistant|usr|sys)[ _]?\w?)\s?:\s"
)
_MOST_TOLD = 0.01  # of the turns; fewer are an accident of what people say


@dataclass
class TextCounts:
    """How many turns held which trace, of how many."""

    turns: int = 0
    entities: int = 0
    commas: int = 0
    markup: int = 0
    speakers: int = 0

    def cleaned(self, text: str) -> str:
        """Return a turn's text with its entities and commas decoded, and count what it holds."""
        self.turns += 1
        if _COMMA in text:
            self.commas += 1
            text = text.replace(_COMMA, ",")
        if "&" in text and _ENTITY.search(text):
            self.entities += 1
            text = _ENTITY.sub(lambda found: html.unescape(found.group()), text)
        self.markup += "<" in text and _MARKUP.search(text) is not None
        self.speakers += ":" in text and _SPEAKER.match(text) is not None
        return text

    def told(self) -> list[str]:
        """Return a sentence for each kind of trace that is worth knowing of."""
        sentences = []
        if self.entities:
            sentences.append(f"HTML entities were decoded in {self.entities:,} turns")
        if self.commas:
            sentences.append(f"{_COMMA} became a comma in {self.commas:,} turns")
        if self.markup > _MOST_TOLD * self.turns:
            sentences.append(f"{self.markup:,} turns hold markup such as <b>, which stays")
        if self.speakers > _MOST_TOLD * self.turns:
            sentences.append(
                f"{self.speakers:,} turns begin with a speaker such as 'A:', which stays"
            )
        return sentences
