"""JoeyNMT's recurrent model at a bundle's sizes, with random weights.

GRUs with additive attention, as ours, but over every word of the dialogue where ours attends over
turns, and with one encoder where ours has several. Its encoder works in both directions or not at
all, so each gets half the width. Input feeding is off: our decoder has none.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import import_module
from types import SimpleNamespace
from typing import Any

from empgan_rt.bundle.bundle import Bundle
from empgan_rt.config import GeneratorConfig, SearchConfig
from empgan_rt.graph_spec import SPECIALS, UNK, EncoderInput

from ..base import Prepared, versions
from .measuring import fastest, flat_words, timed, up_to

PACKAGES = ("joeynmt", "torch", "importlib_metadata")  # the last one it forgets to ask for
_UNK, _PAD, _BOS, _EOS = 0, 1, 2, 3  # its ids; ours have the first two the other way round


def open_joeynmt(bundle: str, threads: int) -> JoeyNmt:
    """Return the model at the sizes of a bundle, to be tried with up to `threads` threads."""
    return JoeyNmt(Bundle.open(bundle).model, threads)


class JoeyNmt:
    """See `engines.base.Yardstick`; greedy search for one beam, beam search for more."""

    def __init__(self, sizes: GeneratorConfig, threads: int) -> None:
        self.versions = versions("joeynmt") | versions("torch")
        self._torch = import_module("torch")
        self._batch = import_module("joeynmt.batch").Batch
        self._search = import_module("joeynmt.search").search
        self._model = _model(self._torch, sizes)
        self._threads = up_to(threads)
        self._chosen: dict[tuple[int, int], int] = {}  # (dialogues, beams) -> threads

    def prepared(self, inputs: EncoderInput, search: SearchConfig) -> Prepared:
        """See `Yardstick.prepared`; the first batch of its size is tried with all settings."""
        sources = flat_words(inputs)
        decode = self._decoder(sources, search)

        def with_threads(count: int) -> Sequence[int]:
            self._torch.set_num_threads(count)
            return decode()

        size = len(sources), search.beam_size
        if size not in self._chosen:
            self._chosen[size] = fastest(self._threads, with_threads)
        threads = self._chosen[size]
        return Prepared(
            lambda: timed("joeynmt", lambda: with_threads(threads), search.max_length),
            f"torch.set_num_threads({threads})",
        )

    def _decoder(
        self, sources: Sequence[Sequence[int]], search: SearchConfig
    ) -> Callable[[], Sequence[int]]:
        """Return what decodes some sources and returns the lengths of the replies."""
        torch = self._torch
        rows = [torch.tensor([_UNK if i == UNK else i for i in ids]) for ids in sources]
        batch = self._batch(
            src=torch.nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=_PAD),
            src_length=torch.tensor([len(ids) for ids in sources]),
            src_prompt_mask=None,
            trg=None,
            trg_prompt_mask=None,
            indices=torch.arange(len(sources)),
            device=torch.device("cpu"),
            pad_index=_PAD,
            eos_index=_EOS,
            is_train=False,
        )
        batch.sort_by_src_length()
        length = search.max_length

        def decode() -> Sequence[int]:
            with torch.inference_mode():
                replies, _, _ = self._search(
                    self._model,
                    batch,
                    length,
                    search.beam_size,
                    search.length_penalty,
                    min_output_length=length,
                    generate_unk=False,
                )
            return [sum(i not in (_PAD, _EOS) for i in reply) for reply in replies.tolist()]

        return decode


def _model(torch: Any, sizes: GeneratorConfig) -> Any:
    """Return its recurrent model as it builds it, at our sizes."""
    vocabulary = import_module("joeynmt.vocabulary").Vocabulary(
        [f"word{i}" for i in range(len(SPECIALS), sizes.vocabulary_size)],
        SimpleNamespace(
            **{"unk_token": "<unk>", "pad_token": "<pad>", "bos_token": "<s>", "eos_token": "</s>"},
            **{"unk_id": _UNK, "pad_id": _PAD, "bos_id": _BOS, "eos_id": _EOS},
            sep_token=None,
            lang_tags=[],
        ),
    )
    part = {
        "type": "recurrent",
        "rnn_type": "gru",
        "num_layers": 1,
        "embeddings": {"embedding_dim": sizes.embedding_size},
    }
    encoder = {"hidden_size": sizes.hidden_size // 2, "bidirectional": True}
    decoder = {
        "hidden_size": sizes.hidden_size,
        "attention": "bahdanau",
        "init_hidden": "bridge",
        "input_feeding": False,
    }
    torch.manual_seed(0)
    build = import_module("joeynmt.model").build_model
    return build({"encoder": part | encoder, "decoder": part | decoder}, *[vocabulary] * 2).eval()
