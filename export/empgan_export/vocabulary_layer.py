"""The end of the decoder step, d^o to candidates, written by hand: it is most of the work.

It computes Eq. 7's log-softmax, strikes the banned ids and takes the C best of each row, as
`empgan_training.eager.decode_step` does. Exact top-k goes by blocks: the C best words lie in the C
blocks with the greatest maxima, so a sort sees a few hundred words instead of all.

"fp32" multiplies in float32. "int8" rounds the weights to 8 bits, with a scale for each word, and
d^o to 7 bits, with a scale for each row, so that a row's result does not depend on its company:
integer sums are exact. Seven, because processors without VNNI add pairs of products in 16 bits,
and 2 x 127 x 127 is the most that fits. `quantised` is the same rule in PyTorch.
The rounded weights are computed from the stored ones when a session is made.
"""

from __future__ import annotations

from collections.abc import Sequence

import onnx

from empgan_rt.graph_spec import STRUCK

WEIGHT_LEVELS, ROW_LEVELS = 127, 63  # on either side of 0
LEAST_RANGE = 1e-6  # of a word's weights or a row, so that zeros have a scale
BLOCK = 128
_BELOW_STRUCK = -65000.0  # words that pad the last block come after banned ones; fits float16

_OWN_NAMES = ("banned", "num_candidates", "candidate_ids", "candidate_log_probs")

_PRODUCT = {
    "fp32": """
      across = Transpose<perm = [1, 0]>(weight)
      product = MatMul(decoder_output, across)
      logits = Add(product, bias)
    """,
    "int8": f"""
      one = Constant<value_float = 1.0>()
      least = Constant<value_float = {LEAST_RANGE}>()
      weight_levels = Constant<value_float = {WEIGHT_LEVELS:.1f}>()
      row_levels = Constant<value_float = {ROW_LEVELS:.1f}>()
      weight_sizes = Abs(weight)
      weight_largest = ReduceMax<keepdims = 0>(weight_sizes, last)
      weight_range = Max(weight_largest, least)
      weight_scale = Div(weight_range, weight_levels)
      words = Shape(weight_scale)
      weight_zero = ConstantOfShape<value = int8[1] {{0}}>(words)
      rounded = QuantizeLinear<axis = 0>(weight, weight_scale, weight_zero)
      rounded_across = Transpose<perm = [1, 0]>(rounded)
      row_sizes = Abs(decoder_output)
      row_largest = ReduceMax<keepdims = 1>(row_sizes, last)
      row_range = Max(row_largest, least)
      row_scale = Div(row_range, row_levels)
      steps = Div(decoder_output, row_scale)
      row_zero = Constant<value = uint8 {{{ROW_LEVELS + 1}}}>()
      zero = Constant<value = int8 {{0}}>()
      levels = QuantizeLinear(steps, one, row_zero)
      integers = MatMulInteger(levels, rounded_across, row_zero, zero)
      floats = Cast<to = 1>(integers)
      by_word = Mul(floats, weight_scale)
      by_row = Mul(by_word, row_scale)
      logits = Add(by_row, bias)
    """,
}


def vocabulary_layer(
    precision: str, vocabulary_size: int, output: str, weight: str, bias: str
) -> Sequence[onnx.NodeProto]:
    """Return nodes from d^o, `banned` and `num_candidates` to the two outputs of a step.

    Args:
        precision: "fp32" or "int8".
        vocabulary_size: V.
        output, weight, bias: names of d^o (B, K, H), W_v (V, H) and b_v (V) in the graph.
    """
    blocks = -(-vocabulary_size // BLOCK)
    text = f"""
    vocabulary (
      float[B,K,H] decoder_output, float[V,H] stored_weight, float[V] stored_bias,
      int32[B,K,S] banned, int64[1] num_candidates
    ) => (int32[B,K,C] candidate_ids, float[B,K,C] candidate_log_probs) {{
      last = Constant<value_ints = [-1]>()
      weight_pads = Constant<value_ints = [0, 0, {blocks * BLOCK - vocabulary_size}, 0]>()
      bias_pads = Constant<value_ints = [0, {blocks * BLOCK - vocabulary_size}]>()
      below_struck = Constant<value_float = {_BELOW_STRUCK}>()
      weight = Pad(stored_weight, weight_pads)
      bias = Pad(stored_bias, bias_pads, below_struck)
      {_PRODUCT[precision]}
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
    outside = {name: name for name in _OWN_NAMES} | {
        "decoder_output": output,
        "stored_weight": weight,
        "stored_bias": bias,
    }
    nodes = onnx.parser.parse_graph(text).node
    for node in nodes:
        for edges in (node.input, node.output):
            edges[:] = [outside.get(name, f"vocabulary.{name}") for name in edges]
    return list(nodes)
