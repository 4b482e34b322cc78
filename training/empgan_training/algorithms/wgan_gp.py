"""Interactive Wasserstein critics with gradient penalty, Eq. 14 and 15.

A critic's loss is D(fake) - D(real) + sigma * (|gradient| - 1)^2, the mean over samples; the
generator's is -D(fake), summed over the critics. The penalty has the square that Eq. 15 lacks,
and acts on states of the reply alone: the feedback and the context are conditions. What is bounded
so is the critic above its LSTM, whose states lie in (-1, 1); it is no distance over texts.

"relativistic" replaces the mean difference by the logistic loss of each pair (Jolicoeur-Martineau
2018, RSGAN): log(1 + exp(D(fake) - D(real))) for a critic and the same, exchanged, for the
generator. No pair can outweigh the others then.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..config import AdversarialConfig
from ..data.batch import Batch
from ..model.critic import Critic, States
from ..model.generator import Generator
from ..model.memory import Memory
from ..model.words import EmotionWordView, Words, cut
from ..systems import CriticName
from .adversary import memory_without_dropout
from .gan import advantage
from .mle import Losses
from .replies import relaxed_replies, sampled_replies, soft_responses, token_log_probs


class WassersteinAdversary:
    """WGAN-GP over one or two critics.

    Args:
        critics: by name, "semantic" on words and, if wanted, "emotional" on emotion words.
        view: finds the emotion words of a text.
        config: how the critics and the generator meet.
        feedback: whether the critics see the user's next turn.
    """

    def __init__(
        self,
        critics: Mapping[CriticName, Critic],
        view: EmotionWordView,
        config: AdversarialConfig,
        *,
        feedback: bool,
    ) -> None:
        self.critics: nn.Module = nn.ModuleDict(
            {str(name): critic for name, critic in critics.items()}
        )
        self.critic_of = critics
        self.baseline: nn.Module = nn.Module()  # nothing to learn
        self.view = view
        self.config, self.feedback = config, feedback

    def critic_losses(self, generator: Generator, batch: Batch) -> Losses:
        """Return the critics' losses, Eq. 15 or relativistic, summed, with the parts of each.

        "ranked" is the share of pairs in which the real reply scores above the generated one, 0.5
        if the critic tells nothing; the distance can be large while a few pairs make all of it.
        """
        real = Words(cut(batch.response_out, self.config.max_length))
        with torch.no_grad():
            memory = memory_without_dropout(generator, batch)
            fake = self._fake(generator, memory, batch)
        losses: dict[str, Tensor] = {}
        total = torch.zeros((), device=real.ids.device)
        for name, critic in self.critic_of.items():
            states = [critic.read(self._seen(name, words)) for words in (real, fake)]
            feedback = self._feedback(name, critic, batch)
            on_real, on_fake = (critic(s, feedback, memory.newest) for s in states)
            penalty = gradient_penalty(critic, states[0], states[1], feedback, memory.newest)
            losses[f"{name}_distance"] = (on_real - on_fake).mean().detach()
            losses[f"{name}_penalty"] = penalty
            losses[f"{name}_ranked"] = _ranked(on_real.detach(), on_fake.detach())
            total = total + self._loss(on_real, on_fake).mean() + self.config.penalty * penalty
        return {"total": total, **losses}

    def generator_losses(self, generator: Generator, batch: Batch) -> Losses:
        """Return -D(fake), or the relativistic loss, summed over the critics, and the parts."""
        memory = memory_without_dropout(generator, batch)
        if self.config.relaxation == "reinforce":
            return self._reinforce(generator, memory, batch)
        found = self._losses_against_each(self._fake(generator, memory, batch), memory, batch)
        losses = {name: loss.mean() for name, loss in found.items()}
        return {"total": torch.stack([*losses.values()]).sum(), **losses}

    def _reinforce(self, generator: Generator, memory: Memory, batch: Batch) -> Losses:
        """Return -(reward - the others' mean) log P of samples (Williams 1992).

        The reward is D(fake), or minus the relativistic loss, summed over the critics.
        """
        replies = sampled_replies(generator, memory, self.config.max_length)
        with torch.no_grad():
            losses = self._losses_against_each(Words(replies), memory, batch)
            reward = -torch.stack([*losses.values()]).sum(0)
        log_probs = token_log_probs(generator, memory, replies, self.config.max_length)
        total = -(advantage(reward) * log_probs.sum(1)).mean()
        return {"total": total, **{name: loss.mean() for name, loss in losses.items()}}

    def _fake(self, generator: Generator, memory: Memory, batch: Batch) -> Words:
        config = self.config
        if config.relaxation == "soft":
            return soft_responses(generator, memory, batch, config.max_length, config.temperature)
        if torch.is_grad_enabled():
            return relaxed_replies(generator, memory, config.max_length, config.temperature)
        return Words(sampled_replies(generator, memory, config.max_length))

    def _losses_against_each(self, words: Words, memory: Memory, batch: Batch) -> Losses:
        """Return the generator's loss (S,) against each critic."""
        losses: dict[str, Tensor] = {}
        for name, critic in self.critic_of.items():
            feedback = self._feedback(name, critic, batch)
            on_fake = critic(critic.read(self._seen(name, words)), feedback, memory.newest)
            on_real = torch.zeros_like(on_fake)
            if self.config.critic_loss == "relativistic":
                real = Words(cut(batch.response_out, self.config.max_length))
                with torch.no_grad():
                    on_real = critic(critic.read(self._seen(name, real)), feedback, memory.newest)
            losses[name] = self._loss(on_fake, on_real)
        return losses

    def _loss(self, wanted: Tensor, other: Tensor) -> Tensor:
        """Return (S,) how far `wanted` is from scoring above `other`."""
        if self.config.critic_loss == "relativistic":
            return functional.softplus(other - wanted)
        return other - wanted

    def _seen(self, name: CriticName, words: Words) -> Words:
        """Return what a critic sees of a text."""
        seen: Words = self.view(words) if name == "emotional" else words
        return seen

    def _feedback(self, name: CriticName, critic: Critic, batch: Batch) -> States | None:
        if not self.feedback:
            return None
        return critic.read(self._seen(name, Words(cut(batch.feedback, self.config.max_length))))


def gradient_penalty(
    critic: Critic, real: States, fake: States, feedback: States | None, context: Tensor
) -> Tensor:
    """Return the mean of (|gradient of D| - 1)^2 between real and fake states (Eq. 14, 15).

    One point is drawn per sample, on the line between its real and its fake states, the shorter
    one continued by zeros; the norm is taken over time and features.
    """
    steps = max(real.values.shape[1], fake.values.shape[1])
    ends = [_widened(states.values.detach(), steps) for states in (real, fake)]
    share = torch.rand(len(context), 1, 1, device=context.device)
    between = (share * ends[1] + (1 - share) * ends[0]).requires_grad_()
    lengths = torch.maximum(real.lengths, fake.lengths)
    if feedback is not None:
        feedback = States(feedback.values.detach(), feedback.lengths)
    scores = critic(States(between, lengths), feedback, context)
    (gradient,) = torch.autograd.grad(scores.sum(), between, create_graph=True)
    norm = gradient.flatten(1).norm(dim=1)
    penalty: Tensor = ((norm - 1) ** 2).mean()
    return penalty


def _ranked(on_real: Tensor, on_fake: Tensor) -> Tensor:
    """Return the share of pairs in which the first is larger, ties counted half."""
    return (0.5 * (1 + torch.sign(on_real - on_fake))).mean()


def _widened(values: Tensor, steps: int) -> Tensor:
    return functional.pad(values, (0, 0, 0, steps - values.shape[1]))
