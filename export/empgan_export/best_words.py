"""The end of the decoder step, logits to candidates, written by hand.

It computes Eq. 7's log-softmax, strikes the banned ids and takes the C best of each row, as
`empgan_training.eager.best_tokens` does. Exact top-k goes by blocks: the C best words lie in the C
blocks with the greatest maxima, so a sort sees a few hundred words instead of all.

Logits that come of rounded weights (`quantised`) only say which words are best. Those are scored
again with the stored weights, and the sum of probabilities is corrected by what that changes.
"""

from __future__ import annotations

from collections.abc import Sequence

import onnx

from empgan_rt.graph_spec import STRUCK

BLOCK = 64
BELOW_STRUCK = -65000.0  # words that pad the last block come after banned ones; fits float16
# Words of a row that are scored again: as many as are wanted, but at least and at most so many.
RESCORED, MOST_RESCORED = 8, 64

_OWN_NAMES = ("banned", "num_candidates", "candidate_ids", "candidate_log_probs")

_AS_THEY_ARE = """
      num_best = Identity(num_candidates)
      BEST
      candidate_log_probs = Identity(best_log_probs)
      candidate_ids = Cast<to = 6>(best_ids)
"""
_RESCORED = f"""
      at_least = Constant<value_ints = [{RESCORED}]>()
      at_most = Constant<value_ints = [WORDS]>()
      enough = Max(num_candidates, at_least)
      num_best = Min(enough, at_most)
      BEST
      start = Constant<value_ints = [0]>()
      axis = Constant<value_ints = [2]>()
      most_rescored = Constant<value_ints = [{MOST_RESCORED}]>()
      end = Constant<value_ints = [WORDS]>()
      first_ids = Slice(best_ids, start, most_rescored, axis)
      first_log_probs = Slice(best_log_probs, start, most_rescored, axis)
      other_log_probs = Slice(best_log_probs, most_rescored, end, axis)
      stored_rows = Gather<axis = 0>(weight, first_ids)
      rows = Cast<to = 1>(stored_rows)
      column = Unsqueeze(output, last)
      products = MatMul(rows, column)
      product = Squeeze(products, last)
      all_biases = Cast<to = 1>(bias)
      biases = Gather<axis = 0>(all_biases, first_ids)
      exact_logits = Add(product, biases)
      rounded_logits = GatherElements<axis = 2>(logits, first_ids)
      gains = Sub(exact_logits, rounded_logits)
      exact = Add(first_log_probs, gains)
      probs = Exp(exact)
      rounded_probs = Exp(first_log_probs)
      changes = Sub(probs, rounded_probs)
      change = ReduceSum<keepdims = 1>(changes, last)
      one = Constant<value_float = 1.0>()
      sum = Add(change, one)
      correction = Log(sum)
      all_log_probs = Concat<axis = 2>(exact, other_log_probs)
      corrected = Sub(all_log_probs, correction)
      below = Constant<value_float = {STRUCK / 2}>()
      is_banned = Less(best_log_probs, below)
      rescored = Where(is_banned, best_log_probs, corrected)
      candidate_log_probs, order = TopK<axis = -1>(rescored, num_candidates)
      ordered_ids = GatherElements<axis = 2>(best_ids, order)
      candidate_ids = Cast<to = 6>(ordered_ids)
"""


def best_words(
    vocabulary_size: int, logits: str, rounded_from: tuple[str, str, str] | None = None
) -> Sequence[onnx.NodeProto]:
    """Return nodes from logits, `banned` and `num_candidates` to the last outputs of a step.

    Args:
        vocabulary_size: V.
        logits: name of (B, K, W) in the graph, BELOW_STRUCK from V on to whole blocks.
        rounded_from: if those are rounded, the names of what they are made of: d^o (B, K, H),
            and the stored weights (V, H) and biases (V), of any float type.
    """
    blocks = -(-vocabulary_size // BLOCK)
    best = f"""
      last = Constant<value_ints = [-1]>()
      log_probs = LogSoftmax<axis = -1>(logits)
      banned_shape = Shape(banned)
      strikes = ConstantOfShape<value = float[1] {{{STRUCK}}}>(banned_shape)
      struck = ScatterElements<axis = 2>(log_probs, banned, strikes)
      by_block = Constant<value_ints = [0, 0, {blocks}, {BLOCK}]>()
      in_blocks = Reshape(struck, by_block)
      block_maxima = ReduceMax<keepdims = 0>(in_blocks, last)
      all_blocks = Constant<value_ints = [{blocks}]>()
      num_blocks = Min(num_best, all_blocks)
      maxima, best_blocks = TopK<axis = -1, sorted = 0>(block_maxima, num_blocks)
      block_places = Unsqueeze(best_blocks, last)
      words_of_blocks = GatherND<batch_dims = 2>(in_blocks, block_places)
      in_a_row = Constant<value_ints = [0, 0, -1]>()
      words_in_a_row = Reshape(words_of_blocks, in_a_row)
      best_log_probs, places = TopK<axis = -1>(words_in_a_row, num_best)
      block_size = Constant<value_int = {BLOCK}>()
      which = Div(places, block_size)
      offsets = Mod(places, block_size)
      chosen_blocks = GatherElements<axis = 2>(best_blocks, which)
      starts = Mul(chosen_blocks, block_size)
      best_ids = Add(starts, offsets)
    """
    body = _AS_THEY_ARE if rounded_from is None else _RESCORED
    body = body.replace("BEST", best).replace("WORDS", str(vocabulary_size))
    text = f"""
    best_words (
      float[B,K,W] logits, int32[B,K,S] banned, int64[1] num_candidates,
      float[B,K,H] output, float[V,H] weight, float[V] bias
    ) => (int32[B,K,C] candidate_ids, float[B,K,C] candidate_log_probs) {{ {body} }}
    """
    outside = {name: name for name in _OWN_NAMES} | {"logits": logits}
    if rounded_from is not None:
        outside |= zip(("output", "weight", "bias"), rounded_from, strict=True)
    nodes = onnx.parser.parse_graph(text).node
    for node in nodes:
        for edges in (node.input, node.output):
            edges[:] = [outside.get(name, f"best_words.{name}") for name in edges]
    return list(nodes)
