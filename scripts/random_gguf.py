"""Writes a valid GGUF file of a small llama with random weights, for `scripts/peers_http`.

What it says means nothing; what it costs does not depend on the values. It is as wide as
`default`'s decoder and has as many words, with seven layers: 15.9 million parameters, float32.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from gguf import GGMLQuantizationType, GGUFWriter, TokenType

WORDS, WIDTH, HEADS, LAYERS, INNER = 11_647, 400, 8, 7, 800
CONTEXT = 32_768
TEMPLATE = "{% for message in messages %}{{ message['content'] }}\n{% endfor %}"


def write(path: Path) -> None:
    """Write the model to `path`."""
    writer = GGUFWriter(path, "llama")
    writer.add_name("random")
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(INNER)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(WIDTH // HEADS)
    writer.add_vocab_size(WORDS)
    writer.add_file_type(GGMLQuantizationType.F32)
    _add_words(writer)
    for name, shape in _tensors().items():
        writer.add_tensor(name, _values(name, shape))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _add_words(writer: GGUFWriter) -> None:
    """Add a vocabulary: three specials, every byte, and made-up words of up to three letters."""
    letters = "etaoinshrdlucmfwygpbvkxqjz"
    made = [a + b + c for a in ["▁", *letters] for b in letters for c in ["", *letters]]
    words = list(dict.fromkeys(["▁", *letters, *made]))[: WORDS - 259]
    kinds = [TokenType.UNKNOWN, TokenType.CONTROL, TokenType.CONTROL]
    kinds += [TokenType.BYTE] * 256 + [TokenType.NORMAL] * len(words)
    writer.add_tokenizer_model("llama")
    writer.add_token_list(["<unk>", "<s>", "</s>", *(f"<0x{i:02X}>" for i in range(256)), *words])
    writer.add_token_scores([0.0] * 259 + [-float(place) for place in range(len(words))])
    writer.add_token_types(kinds)
    writer.add_unk_token_id(0)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_chat_template(TEMPLATE)


def _tensors() -> dict[str, tuple[int, ...]]:
    """Return the shapes of the weights; embedding and output are one."""
    shapes: dict[str, tuple[int, ...]] = {
        "token_embd.weight": (WORDS, WIDTH),
        "output_norm.weight": (WIDTH,),
    }
    for layer in range(LAYERS):
        square = dict.fromkeys(("attn_q", "attn_k", "attn_v", "attn_output"), (WIDTH, WIDTH))
        inner = {"ffn_gate": (INNER, WIDTH), "ffn_up": (INNER, WIDTH), "ffn_down": (WIDTH, INNER)}
        norms = dict.fromkeys(("attn_norm", "ffn_norm"), (WIDTH,))
        for name, shape in {**square, **inner, **norms}.items():
            shapes[f"blk.{layer}.{name}.weight"] = shape
    return shapes


def _values(name: str, shape: tuple[int, ...]) -> np.ndarray:
    if len(shape) == 1:
        return np.ones(shape, np.float32)
    drawn = np.random.default_rng(len(name)).normal(0.0, shape[-1] ** -0.5, shape)
    return drawn.astype(np.float32)


if __name__ == "__main__":
    write(Path(sys.argv[1]))
