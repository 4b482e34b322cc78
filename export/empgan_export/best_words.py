"""The end of the decoder step, logits to candidates, written by hand.

It computes Eq. 7's log-softmax, strikes the banned ids and takes the C best of each row, as
`empgan_training.eager.decode_step` does. Exact top-k goes by blocks: the C best words lie in the C
blocks with the greatest maxima, so a sort sees a few hundred words instead of all.
"""

from __future__ import annotations

from collections.abc import Sequence

import onnx

from empgan_rt.graph_spec import STRUCK

BLOCK = 128
BELOW_STRUCK = -65000.0  # words that pad the last block come after banned ones; fits float16

_OWN_NAMES = ("logits", "banned", "num_candidates", "candidate_ids", "candidate_log_probs")


def best_words(vocabulary_size: int) -> Sequence[onnx.NodeProto]:
    """Return nodes from `logits`, `banned` and `num_candidates` to the last outputs of a step.

    Args:
        vocabulary_size: V; the logits (B, K, W) have BELOW_STRUCK from there on to whole blocks.
    """
    blocks = -(-vocabulary_size // BLOCK)
    text = f"""
    best_words (
      float[B,K,W] logits, int32[B,K,S] banned, int64[1] num_candidates
    ) => (int32[B,K,C] candidate_ids, float[B,K,C] candidate_log_probs) {{
      last = Constant<value_ints = [-1]>()
      log_probs = LogSoftmax<axis = -1>(logits)
      banned_ids = Cast<to = 7>(banned)
      banned_shape = Shape(banned_ids)
      strikes = ConstantOfShape<value = float[1] {{{STRUCK}}}>(banned_shape)
      struck = ScatterElements<axis = 2>(log_probs, banned_ids, strikes)
      by_block = Constant<value_ints = [0, 0, {blocks}, {BLOCK}]>()
      in_blocks = Reshape(struck, by_block)
      block_maxima = ReduceMax<keepdims = 0>(in_blocks, last)
      all_blocks = Constant<value_ints = [{blocks}]>()
      num_blocks = Min(num_candidates, all_blocks)
      maxima, best_blocks = TopK<axis = -1, sorted = 0>(block_maxima, num_blocks)
      block_places = Unsqueeze(best_blocks, last)
      words_of_blocks = GatherND<batch_dims = 2>(in_blocks, block_places)
      in_a_row = Constant<value_ints = [0, 0, -1]>()
      words_in_a_row = Reshape(words_of_blocks, in_a_row)
      candidate_log_probs, places = TopK<axis = -1>(words_in_a_row, num_candidates)
      block_size = Constant<value_int = {BLOCK}>()
      which = Div(places, block_size)
      offsets = Mod(places, block_size)
      chosen_blocks = GatherElements<axis = 2>(best_blocks, which)
      starts = Mul(chosen_blocks, block_size)
      ids = Add(starts, offsets)
      candidate_ids = Cast<to = 6>(ids)
    }}
    """
    nodes = onnx.parser.parse_graph(text).node
    for node in nodes:
        for edges in (node.input, node.output):
            edges[:] = [name if name in _OWN_NAMES else f"best_words.{name}" for name in edges]
    return list(nodes)
