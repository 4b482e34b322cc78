"""The card that goes into a bundle when the caller brings none: facts, nothing else."""

from __future__ import annotations

from typing import Any

from empgan_training.checkpoint import Checkpoint

_SHOWN = {"recogniser": ("accuracy", "macro_f1"), "mle": ("perplexity",)}


def model_card(checkpoint: Checkpoint) -> str:
    """Return Markdown with what the checkpoint knows of itself."""
    info = checkpoint.info
    config = checkpoint.config
    mle: dict[str, Any] = info["recipe"]["mle"]
    scores = "\n".join(
        f"| {stage} | {name} | {info['scores'][stage][name]:.4g} |"
        for stage, names in _SHOWN.items()
        for name in names
        if name in info["scores"].get(stage, {})
    )
    return f"""# {info["system"]}

An empathetic dialogue generator of the EmpGAN family (Li et al. 2020), exported by empgan-rt.

- Vocabulary {config.vocabulary_size:,} words, {config.emotion_vocabulary_size:,} emotion words;
  hidden size {config.hidden_size}.
- Trained by maximum likelihood with Adam, learning rate {mle["learning_rate"]:g}, seed
  {info["recipe"]["seed"]}.
- Licence of the weights: {info["licence"]} (see LICENSES).

## Scores on the validation split

| stage | score | value |
|---|---|---|
{scores}

## Limits

It has learned from everyday small talk alone. It knows no facts, invents them freely, and must
not be used for advice, care or any decision about people. It may offend.
"""
