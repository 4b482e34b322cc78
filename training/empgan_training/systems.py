"""The nine systems of the paper's Table 1 as one literal table.

A row is a shape of the generator and, where it has one, an adversary. From EmpG down each row
changes one thing. The readings behind the rows: docs/paper-readings.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from empgan_rt.config import Context, GeneratorConfig, Stream

Algorithm = Literal["policy_gradient", "gan", "wgan_gp"]
CriticName = Literal["semantic", "emotional"]
SystemName = Literal[
    "HRED", "SeqGAN", "Emo-S2S", "Emo-HRED", "EmpG", "EmpD", "EmpWD-next", "EmpWD", "EmpGAN"
]


@dataclass(frozen=True)
class Adversary:
    """The adversary that a generator is trained against after maximum likelihood.

    Attributes:
        algorithm: "policy_gradient" rewards every step by rollouts (SeqGAN), "gan" rewards the
            whole reply (REINFORCE), "wgan_gp" lets the critics' gradient through.
        critics: which ones score a reply.
        feedback: whether they see the user's next turn.
    """

    algorithm: Algorithm
    critics: tuple[CriticName, ...] = ("semantic",)
    feedback: bool = False


@dataclass(frozen=True)
class System:
    """One row; the first four fields are those of `empgan_rt.config.GeneratorConfig`."""

    context: Context = "hierarchical"
    streams: tuple[Stream, ...] = ("utterances", "emotion_words", "emotion_labels")
    attention: bool = True
    prepend_label: bool = False
    adversary: Adversary | None = None

    def generator_config(self, **sizes: Any) -> GeneratorConfig:
        """Return the configuration of a generator of this shape.

        Args:
            sizes: of the vocabularies and layers, and what is beyond the paper, by the field
                names of `GeneratorConfig`.
        """
        return GeneratorConfig(
            context=self.context,
            streams=self.streams,
            attention=self.attention,
            prepend_label=self.prepend_label,
            **sizes,
        )


_HRED = System(streams=("utterances",), attention=False)
_FLAT = System(context="flat", streams=("utterances",))
_EMPG = System()
_EMPD = replace(_EMPG, adversary=Adversary("gan"))
_EMPWD_NEXT = replace(_EMPG, adversary=Adversary("wgan_gp"))
_EMPWD = replace(_EMPG, adversary=Adversary("wgan_gp", feedback=True))
_EMPGAN = replace(_EMPG, adversary=Adversary("wgan_gp", ("semantic", "emotional"), feedback=True))

SYSTEMS: Mapping[SystemName, System] = {
    "HRED": _HRED,
    "SeqGAN": replace(_FLAT, adversary=Adversary("policy_gradient")),
    "Emo-S2S": replace(_FLAT, prepend_label=True),
    "Emo-HRED": replace(_HRED, streams=("utterances", "emotion_labels")),
    "EmpG": _EMPG,
    "EmpD": _EMPD,
    "EmpWD-next": _EMPWD_NEXT,
    "EmpWD": _EMPWD,
    "EmpGAN": _EMPGAN,
}
