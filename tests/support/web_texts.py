"""Texts and dialogues for the browser's engine: ours, and what code makes of them."""

from __future__ import annotations

import random
import unicodedata
from collections.abc import Iterator, Sequence

from support.own_texts import OWN_DIALOGUES, VOICE_CONTEXTS, read_lines

SIGNS = "0134579@$!|*'’. ,_-\u200báéＫＩＬЬßſς\u0336😀²①"


def voice_contexts() -> list[list[str]]:
    """Return the turns of each context that we wrote."""
    return [list(line["turns"]) for line in read_lines(VOICE_CONTEXTS)]


def dialogue_beginnings() -> list[list[str]]:
    """Return every beginning of the dialogues that we wrote."""
    dialogues = [line["dialogue"] for line in read_lines(OWN_DIALOGUES)]
    return [turns[:end] for turns in dialogues for end in range(1, len(turns) + 1)]


def disguised(texts: Sequence[str], seed: int) -> Iterator[str]:
    """Yield each text with signs for letters, letters apart or doubled, and other scripts."""
    chosen = random.Random(seed)
    for text in texts:
        letters = list(text)
        for _ in range(chosen.randint(1, 4)):
            place, way = chosen.randrange(len(letters)), chosen.random()
            if way < 0.3:
                letters[place] = chosen.choice(SIGNS)
            elif way < 0.5:
                letters.insert(place, chosen.choice(SIGNS))
            elif way < 0.7:
                letters[place] *= chosen.randint(1, 4)
            elif way < 0.8:
                letters[place] = letters[place].upper()
            elif way < 0.9:
                letters = list(" ".join(letters))
            else:
                letters[place] = chr(chosen.randrange(0x20, 0x3000))
        yield "".join(letters)


def around_characters(every: int = 1) -> list[str]:
    """Return texts with each assigned character, or every so-manieth, where rules may mind it."""
    found = []
    for code in range(0, 0x110000, every):
        c = chr(code)
        if unicodedata.category(c) not in ("Cn", "Cs"):
            found.append(
                f"a{c}b {c} I'{c} '{c}x {c}'s n't{c} 3{c}4 Mr{c} . it ' s{c} don ' t{c} p . m{c} "
                f"{c}p . m . aa{c}Bb aa.{c}B {c}o ' clock{c} {c}Mrs . x"
            )
    return found
