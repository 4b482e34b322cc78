"""Rows of words and pairs by plain arithmetic, and the recogniser that sums them."""

from __future__ import annotations

import torch

from empgan_rt.graph_spec import SOS
from empgan_training.model.ngrams import ngram_rows
from empgan_training.model.recogniser import EmotionRecogniser

TURNS = torch.tensor([[[4, 9, 28, 7], [11, 0, 0, 0]], [[9, 4, 1, 0], [0, 0, 0, 0]]]).int()


def rows_of(words: list[int], buckets: int) -> list[int]:
    """Return what docs/bundle-format.md says, in Python's own integers."""
    pairs = zip([SOS, *words], words, strict=False)
    return [40503 * b % buckets for b in words] + [
        (25173 * a + 40503 * b) % buckets for a, b in pairs
    ]


def test_rows_are_those_of_the_documented_hash() -> None:
    for buckets in (64, 65_536, 1_000_003):
        found = ngram_rows(torch.tensor([[4, 9, 28], [999_999, 0, 0]]), buckets).tolist()
        assert found[0] == rows_of([4, 9, 28], buckets)
        word, pair = rows_of([999_999], buckets)
        assert found[1] == [word, 0, 0, pair, 0, 0]


def test_no_two_words_share_a_row_and_order_matters() -> None:
    words = torch.arange(1, 4096).unsqueeze(1)
    assert len(set(ngram_rows(words, 4096)[:, 0].tolist())) == 4095
    there, back = ngram_rows(torch.tensor([[5, 6], [6, 5]]), 65_536).tolist()
    assert set(there[:2]) == set(back[:2])
    assert not set(there[2:]) & set(back[2:])


def test_a_turn_is_the_sum_of_its_rows_by_the_root_of_its_length() -> None:
    torch.manual_seed(1)
    recogniser = EmotionRecogniser(29, 5, dropout=0.5, buckets=64).double().eval()
    table = recogniser.embedding.weight
    assert table.shape == (64, 5)
    with torch.no_grad():
        vectors = recogniser.turns(TURNS)
    for turns, found in zip(TURNS.tolist(), vectors, strict=True):
        for turn, vector in zip(turns, found, strict=True):
            words = [word for word in turn if word]
            expected = table[rows_of(words, 64)].sum(0) / max(len(words), 1) ** 0.5
            torch.testing.assert_close(vector, expected.detach())


def test_padding_and_later_turns_change_nothing() -> None:
    torch.manual_seed(2)
    recogniser = EmotionRecogniser(29, 5, dropout=0.0, buckets=64).double().eval()
    with torch.no_grad():
        whole = recogniser(TURNS)
        wider = torch.nn.functional.pad(TURNS, (0, 3, 0, 2))
        torch.testing.assert_close(recogniser(wider)[:, :2], whole)
        torch.testing.assert_close(recogniser(TURNS[:, :1]), whole[:, :1])


def test_it_has_no_words_of_its_own_and_every_part_learns() -> None:
    recogniser = EmotionRecogniser(29, 5, dropout=0.0, buckets=64)
    recogniser(TURNS[:1]).square().sum().backward()
    parts = {name: p.grad for name, p in recogniser.named_parameters()}
    assert not any(name.startswith("turn.") for name in parts)
    assert all(grad is not None and grad.abs().max() > 0 for grad in parts.values())
