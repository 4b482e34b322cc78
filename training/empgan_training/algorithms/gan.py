"""The vanilla GAN of EmpD: a critic that says real or not, whose verdict rewards whole replies.

The critic minimises binary cross entropy; the generator maximises the expected probability of
"real" by REINFORCE (Williams 1992), with the mean reward of the batch's other replies as baseline.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ..data.batch import Batch
from ..model.critic import Critic
from ..model.generator import Generator
from ..model.memory import Memory
from ..model.words import Words, cut
from .adversary import memory_without_dropout, verdict_loss
from .mle import Losses
from .replies import sampled_replies, token_log_probs


class RewardAdversary:
    """One semantic critic without feedback.

    Args:
        critic: scores replies; its sigmoid is the probability of "real".
        max_length: most words of a generated reply.
    """

    def __init__(self, critic: Critic, max_length: int) -> None:
        self.critics: nn.Module = nn.ModuleDict({"semantic": critic})
        self.baseline: nn.Module = nn.Module()  # nothing to learn
        self.critic = critic
        self.max_length = max_length

    def critic_losses(self, generator: Generator, batch: Batch) -> Losses:
        """Return the binary cross entropy on real and generated replies, and the accuracy."""
        with torch.no_grad():
            memory = memory_without_dropout(generator, batch)
            fake = sampled_replies(generator, memory, self.max_length)
        on_real = self._scores(cut(batch.response_out, self.max_length), memory)
        on_fake = self._scores(fake, memory)
        total, right = verdict_loss(on_real, on_fake)
        return {"total": total, "semantic_accuracy": right}

    def generator_losses(self, generator: Generator, batch: Batch) -> Losses:
        """Return -(reward - baseline) log P of samples, and the mean reward."""
        memory = memory_without_dropout(generator, batch)
        with torch.no_grad():
            replies = sampled_replies(generator, memory, self.max_length)
            reward = torch.sigmoid(self._scores(replies, memory))
        log_prob = token_log_probs(generator, memory, replies, self.max_length).sum(1)
        total = -(advantage(reward) * log_prob).mean()
        return {"total": total, "reward": reward.mean()}

    def _scores(self, replies: Tensor, memory: Memory) -> Tensor:
        scores: Tensor = self.critic(self.critic.read(Words(replies)), None, memory.newest)
        return scores


def advantage(reward: Tensor) -> Tensor:
    """Return each reward (S,) less the mean of the others', which keeps the gradient unbiased."""
    count = len(reward)
    if count == 1:
        return torch.zeros_like(reward)
    return (reward - reward.mean()) * count / (count - 1)
