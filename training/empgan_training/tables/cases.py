"""The dialogues of the case study: two quoted from the paper's Table 3, and three of ours.

The paper's replies stand with them. Ours ask for what the paper's do not: good news, anger, and a
worry that turns into relief on the way.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from empgan_rt.dialogue.turns import Dialogue, Emotion, Turn

from ..systems import SystemName

NEUTRAL, ANGER, FEAR = Emotion.NEUTRAL, Emotion.ANGER, Emotion.FEAR
HAPPINESS, SADNESS, SURPRISE = Emotion.HAPPINESS, Emotion.SADNESS, Emotion.SURPRISE


@dataclass(frozen=True)
class Case:
    """One context that every system answers.

    Attributes:
        id: "paper-1", "own-1" and so on: the sample id in `case-study.jsonl`.
        title: what the table is headed with.
        turns: the context, each turn with its label.
        words: of each turn, the emotional words as the paper prints them; empty for ours.
        paper_replies: what the paper's systems answered; empty for ours.
    """

    id: str
    title: str
    turns: tuple[Turn, ...]
    words: tuple[str, ...] = ()
    paper_replies: Mapping[SystemName, str] = field(default_factory=dict)

    @property
    def dialogue(self) -> Dialogue:
        """The context as the systems read it, with its labels."""
        return Dialogue(self.turns)


CASES = (
    Case(
        id="paper-1",
        title="The paper's example 1",
        turns=(
            Turn("How about your interview ?", NEUTRAL),
            Turn("They turned me down .", SADNESS),
            Turn("Why ? You are so excellent .", SURPRISE),
            Turn(
                "I think the only reason is that I was too nervous during the interview and I "
                "couldn't express myself the way I wanted to .",
                SADNESS,
            ),
            Turn("What a shame ! You should have showed yourself to them !", SADNESS),
        ),
        words=(
            "about, interview",
            "turned, down",
            "so, excellent",
            "only, reason, too, nervous, interview, express",
            "shame",
        ),
        paper_replies={
            "HRED": "I 'm afraid .",
            "SeqGAN": "I 'm not sure .",
            "Emo-S2S": "I 'm glad you like it .",
            "Emo-HRED": "I 'm sorry .",
            "EmpG": "I see . I 'll try .",
            "EmpGAN": "I know . I think that's a really difficult .",
        },
    ),
    Case(
        id="paper-2",
        title="The paper's example 2",
        turns=(
            Turn("Please come in and sit down . I 'm happy to finally meet you .", NEUTRAL),
            Turn("Same here . I 've been looking forward to this .", NEUTRAL),
            Turn(
                "I 'm sorry I kept you waiting so long . I 'm running a little late today .",
                NEUTRAL,
            ),
            Turn(
                "No problem . That happens to all of us , it goes badly with the traffic .", NEUTRAL
            ),
        ),
        words=(
            "happy, finally",
            "forward",
            "sorry, so, long, little, late",
            "no, problem, all, badly",
        ),
        paper_replies={
            "HRED": "I 'm glad you came .",
            "SeqGAN": "I 'm afraid you can do .",
            "Emo-S2S": "I ll be glad to hear that .",
            "Emo-HRED": "I 'm glad you like it .",
            "EmpG": "I hope so . I hope you like it .",
            "EmpGAN": "Thank you . I hope I offer you some .",
        },
    ),
    Case(
        id="own-1",
        title="Our example 1, good news",
        turns=(
            Turn("You look so happy today . What is it ?", SURPRISE),
            Turn("The hospital called . My daughter can come home on Sunday !", HAPPINESS),
        ),
    ),
    Case(
        id="own-2",
        title="Our example 2, anger",
        turns=(
            Turn("Is something wrong with the room , sir ?", NEUTRAL),
            Turn("I have complained three times , and the heating is still broken .", ANGER),
            Turn("I 'm very sorry . I will send somebody up .", SADNESS),
            Turn("That is what you said yesterday . I will not wait one more night !", ANGER),
        ),
    ),
    Case(
        id="own-3",
        title="Our example 3, from worry to relief",
        turns=(
            Turn("I can't find my passport , and my plane leaves in three hours .", FEAR),
            Turn("Stay calm . When did you have it last ?", NEUTRAL),
            Turn("Wait , it is here , in my other coat . I was so scared !", HAPPINESS),
        ),
    ),
)
