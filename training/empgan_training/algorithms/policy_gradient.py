"""SeqGAN for dialogue: a discriminator's verdict, estimated for every step, rewards each word.

The reward of a step is the mean probability of "human" over Monte-Carlo completions of what was
said up to it (Yu et al. 2017, Eq. 4; Li et al. 2017, section 3.2); REINFORCE with a learned linear
baseline turns it into a gradient. The "teacher forcing" of Li et al., a maximum-likelihood update
on the gold reply after each step, is Psi_g of the same batch, which whoever calls adds.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from empgan_rt.graph_spec import PAD

from ..data.batch import Batch
from ..model.discriminator import ContextState, HierarchicalDiscriminator
from ..model.encoders import lengths_of
from ..model.generator import Generator
from ..model.memory import Memory
from ..model.words import cut
from .adversary import memory_without_dropout, verdict_loss
from .mle import Losses
from .replies import chosen, sampled_replies, step_outputs, token_log_probs
from .rollouts import completed_replies


class RolloutAdversary:
    """One hierarchical discriminator whose verdict rewards every step of a reply.

    Args:
        discriminator: its sigmoid is the probability of "human"; the baseline is made where it is.
        hidden_size: H of the generator's decoder.
        rollouts: completions of each prefix.
        max_length: most words of a generated reply.
    """

    def __init__(
        self,
        discriminator: HierarchicalDiscriminator,
        hidden_size: int,
        *,
        rollouts: int = 5,
        max_length: int,
    ) -> None:
        device = discriminator.human.weight.device
        self.critics: nn.Module = nn.ModuleDict({"discriminator": discriminator})
        # of the decoder's output, Eq. 6
        self.baseline: nn.Module = nn.Linear(hidden_size, 1, device=device)
        self.discriminator = discriminator
        self.rollouts = rollouts
        self.max_length = max_length

    def critic_losses(self, generator: Generator, batch: Batch) -> Losses:
        """Return the binary cross entropy on real and generated replies, and the accuracy."""
        with torch.no_grad():
            memory = memory_without_dropout(generator, batch)
            fake = sampled_replies(generator, memory, self.max_length)
        context = self._context(batch)
        on_real = self.discriminator.score(
            context, cut(batch.response_out, self.max_length)
        ).float()
        on_fake = self.discriminator.score(context, fake).float()
        total, right = verdict_loss(on_real, on_fake)
        return {"total": total, "discriminator_accuracy": right}

    def generator_losses(self, generator: Generator, batch: Batch) -> Losses:
        """Return the policy gradient's loss and the parts that are logged.

        The total is the mean over samples of the sum over steps of
        -(reward - baseline) log P(word), plus the baseline's mean squared error, whose gradient
        reaches the baseline alone. "reward" is the mean probability of the finished replies.
        """
        memory = memory_without_dropout(generator, batch)
        replies = sampled_replies(generator, memory, self.max_length)
        with torch.no_grad():
            rewards = self.step_rewards(generator, memory, self._context(batch), replies)
            outputs = step_outputs(generator, memory, replies)
        expected: Tensor = self.baseline(outputs).squeeze(-1).float()  # (S, T)
        log_probs = token_log_probs(generator, memory, replies, self.max_length)
        policy = -((rewards - expected.detach()) * log_probs).sum(1).mean()
        error = (rewards - expected)[chosen(replies, self.max_length)].square().mean()
        finished = rewards.gather(1, lengths_of(replies).unsqueeze(1) - 1)
        return {"total": policy + error, "reward": finished.mean(), "baseline_error": error}

    @torch.no_grad()
    def step_rewards(
        self, generator: Generator, memory: Memory, context: ContextState, replies: Tensor
    ) -> Tensor:
        """Return the reward of each step (S, T) of replies that end with EOS; 0 at padding.

        A step's reward is the mean probability of "human" over `rollouts` completions of the
        reply up to it; where nothing is left to draw it is the finished reply's own.

        Args:
            memory: of the S contexts; context: of the same, for the discriminator.
            replies: (S, T) ids.
        """
        own = torch.sigmoid(self.discriminator.score(context, replies).float())
        rewards = own.unsqueeze(1) * (replies != PAD)
        step = torch.arange(1, replies.shape[1] + 1, device=replies.device)
        open_ended = (step < lengths_of(replies).unsqueeze(1)) & (step < self.max_length)
        sample, last = open_ended.nonzero(as_tuple=True)
        if not len(sample):
            return rewards
        rows = sample.repeat_interleave(self.rollouts)
        said = (last + 1).repeat_interleave(self.rollouts)
        completed = completed_replies(generator, memory, replies, rows, said, self.max_length)
        logits = self.discriminator.score(context.rows(rows), completed).float()
        rewards[sample, last] = torch.sigmoid(logits).view(-1, self.rollouts).mean(1)
        return rewards

    def _context(self, batch: Batch) -> ContextState:
        return self.discriminator.read_context(
            batch.utterances, batch.context_turns, batch.dialogue_of
        )
