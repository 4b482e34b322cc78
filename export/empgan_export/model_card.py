"""The card that goes into a bundle when the caller brings none: facts, nothing else."""

from __future__ import annotations

from empgan_training.checkpoint import Checkpoint
from empgan_training.data.licences import DAILYDIALOG
from empgan_training.facts import Facts

_SHOWN = {"recogniser": ("accuracy", "macro_f1"), "mle": ("perplexity",)}


def model_card(checkpoint: Checkpoint) -> str:
    """Return Markdown with what the checkpoint knows of itself."""
    facts = checkpoint.facts()
    config = checkpoint.config
    scores = "\n".join(
        f"| {stage} | {name} | {score:.4g} |"
        for stage, names in _SHOWN.items()
        for name in names
        if (score := facts.score(stage, name)) is not None
    )
    return f"""# {facts.system}

An empathetic dialogue generator of the EmpGAN family (Li et al. 2020), exported by empgan-rt.

- Vocabulary {config.vocabulary_size:,} words, {config.emotion_vocabulary_size:,} emotion words;
  hidden size {config.hidden_size}.
- Trained by maximum likelihood with Adam, learning rate {facts.recipe.mle.learning_rate:g}, seed
  {facts.recipe.seed}.
- Licence of the weights: {facts.licence} (see LICENSES).

## Scores on the validation split

| stage | score | value |
|---|---|---|
{scores}

## Limits

{_learned(facts)} It knows no facts, invents them freely, and must
not be used for advice, care or any decision about people. It may offend.
"""


def _learned(facts: Facts) -> str:
    if facts.licence == DAILYDIALOG:
        return "It has learned from everyday small talk alone."
    return "It has learned from the dialogues that it was trained on alone."
