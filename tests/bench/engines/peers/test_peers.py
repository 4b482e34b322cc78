import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

from empgan_bench.engines.peers import ctranslate2, joeynmt, measuring
from empgan_bench.engines.peers.ctranslate2 import CTranslate2, Setting
from empgan_bench.engines.peers.interpreter import COMMON_PACKAGES, interpreters
from empgan_bench.engines.peers.joeynmt import JoeyNmt
from empgan_bench.engines.peers.measuring import fastest, flat_words, timed, up_to
from empgan_bench.engines.table import PEERS
from empgan_rt.config import SearchConfig
from empgan_rt.errors import DependencyError, EmpganError, InputError
from empgan_rt.graph_spec import EncoderInput
from support import fake_peer
from support.toy_bundle import MODEL

INPUTS = EncoderInput(
    np.array([[[4, 1, 0], [6, 0, 0]], [[7, 8, 9], [0, 0, 0]]], np.int32),
    np.array([[[3], [3]], [[3], [0]]], np.int32),
    np.array([[8, 8], [8, 0]], np.int32),
)
SEARCH = SearchConfig(beam_size=5, min_length=20, max_length=20)


@pytest.fixture
def clock(monkeypatch):
    """Time that passes only when `clock.pass_(seconds)` is called."""
    made = SimpleNamespace(now=0.0, calls=[])

    def pass_(seconds, call=None):
        made.now += seconds
        made.calls.append(call)

    made.pass_ = pass_
    monkeypatch.setattr(measuring.time, "perf_counter", lambda: made.now)
    return made


def script(folder, text):
    """Return the path of a shell script that stands for an interpreter."""
    path = folder / "python"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return str(path)


def test_words_of_all_turns_are_one_sequence():
    assert flat_words(INPUTS) == [[4, 1, 6], [7, 8, 9]]


@pytest.mark.parametrize(
    ("threads", "tried"), [(1, [1]), (2, [1, 2]), (6, [1, 2, 4, 6]), (8, [1, 2, 4, 8])]
)
def test_thread_counts_that_are_tried(threads, tried):
    assert up_to(threads) == tried


def test_the_fastest_setting_is_kept_though_its_first_call_is_slow(clock):
    first = {"cold": 9.0, "warm": 0.1}

    def run(setting):
        clock.pass_(first.pop(setting, {"cold": 0.2, "warm": 0.4}[setting]), setting)

    assert fastest(["warm", "cold"], run) == "cold"
    assert clock.calls[:6] == ["warm", "cold"] * 3


def test_slow_settings_are_tried_once_and_one_alone_is_not(clock):
    assert fastest([10.0, 9.0], clock.pass_) == 9.0
    assert len(clock.calls) == 4
    assert fastest([5.0], clock.pass_) == 5.0
    assert len(clock.calls) == 4


def test_a_peer_s_time_is_one_number(clock):
    timing = timed("a peer", lambda: clock.pass_(0.25) or [20, 20], 20)
    assert (timing.total_ms, timing.step_ms, timing.encode_ms) == (250.0, 250.0, 0.0)
    assert (timing.steps, timing.dialogues, timing.tokens) == (20, 2, 40)


def test_replies_of_another_length_are_an_error():
    with pytest.raises(EmpganError, match=r"a peer wrote replies of \[19, 20\] tokens, not 20"):
        timed("a peer", lambda: [20, 19], 20)


@pytest.mark.parametrize("text", ["joeynmt", "joeynmt=", "fairseq=python", "=python", ""])
def test_a_peer_is_written_as_name_and_interpreter(text):
    with pytest.raises(InputError, match="--peer") as caught:
        interpreters([text])
    assert "NAME=PYTHON" in caught.value.hint


def test_an_interpreter_that_has_everything_is_taken_once(monkeypatch):
    monkeypatch.setitem(PEERS, "joeynmt", "support.fake_peer:open_fake")
    text = f"joeynmt={sys.executable}"
    assert interpreters([]) == {}
    assert interpreters([text]) == {"joeynmt": sys.executable}
    with pytest.raises(InputError, match="--peer"):
        interpreters([text, text])


def test_missing_packages_are_named_with_the_command_that_installs_them(monkeypatch):
    monkeypatch.setitem(PEERS, "joeynmt", "support.fake_peer:open_fake")
    monkeypatch.setattr(fake_peer, "PACKAGES", ("no_such_thing", "numpy"))
    with pytest.raises(DependencyError, match="lacks no_such_thing") as caught:
        interpreters([f"joeynmt={sys.executable}"])
    assert caught.value.hint == f"{sys.executable} -m pip install no_such_thing"


@pytest.mark.parametrize(
    ("text", "message"),
    [("exit 1", "is no Python"), ("echo hello", "is no Python"), ("echo '[[3, 8], []]'", "3.8")],
)
def test_what_is_no_fitting_interpreter_is_refused(tmp_path, text, message):
    with pytest.raises(DependencyError, match=message) as caught:
        interpreters([f"ctranslate2={script(tmp_path, text)}"])
    assert "docs/peers.md" in caught.value.hint


def test_an_interpreter_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(DependencyError, match="No such file"):
        interpreters([f"ctranslate2={tmp_path / 'none' / 'python'}"])


def test_every_peer_is_named_with_the_packages_it_needs():
    adapters = {"joeynmt": joeynmt, "ctranslate2": ctranslate2, "ctranslate2-int8": ctranslate2}
    assert adapters.keys() == PEERS.keys()
    for name, module in adapters.items():
        path, _, function = PEERS[name].partition(":")
        assert path == module.__name__
        assert callable(getattr(module, function))
        assert not {*module.PACKAGES}.intersection(COMMON_PACKAGES)


@pytest.fixture
def translators(monkeypatch, clock):
    """Let a fake stand for CTranslate2; one part of the batch with two threads is fastest."""
    made = []

    class Translator:
        def __init__(self, folder, **options):
            self.options, self.calls = options, []
            made.append(self)

        def translate_batch(self, sources, **options):
            self.calls.append((sources, options))
            shape = self.options["inter_threads"], self.options["intra_threads"]
            clock.pass_({(1, 2): 0.1}.get(shape, 0.3))
            return [SimpleNamespace(hypotheses=[["x"] * options["max_decoding_length"]])] * 2

    module = ModuleType("ctranslate2")
    module.Translator = Translator
    monkeypatch.setitem(sys.modules, "ctranslate2", module)
    monkeypatch.setattr(ctranslate2, "versions", lambda package: {package: "0"})
    monkeypatch.setattr(ctranslate2, "_model_files", lambda *sizes: {"model.bin": b""})
    return made


def test_ctranslate2_is_tuned_once_and_told_to_write_exactly_so_many_tokens(translators):
    peer = CTranslate2(MODEL, 2, "int8")
    prepared = peer.prepared(INPUTS, SEARCH)
    assert prepared.settings == str(Setting(1, 2)) == "inter_threads=1, intra_threads=2"
    timing = prepared.run()
    assert (timing.total_ms, timing.tokens) == (pytest.approx(100.0), 40)
    tried = [(t.options["inter_threads"], t.options["intra_threads"]) for t in translators]
    assert tried == [(1, 1), (1, 2), (2, 1)]
    assert {t.options["compute_type"] for t in translators} == {"int8"}
    sources, options = translators[1].calls[-1]
    assert sources[0] == ["word4", "<unk>", "word6"]
    assert (options["min_decoding_length"], options["max_decoding_length"]) == (20, 20)
    assert (options["beam_size"], options["max_batch_size"]) == (5, 2)
    assert translators[2].calls[-1][1]["max_batch_size"] == 1  # each of the two has half of it
    peer.prepared(INPUTS, SEARCH).run()
    assert len(translators) == 3


@pytest.fixture
def joey(monkeypatch):
    """Let fakes stand for JoeyNMT's modules; `joey.ends` is where its replies end."""
    made = SimpleNamespace(built=[], searched=[], batches=[], ends=20)

    class Batch(SimpleNamespace):
        def sort_by_src_length(self):
            made.batches.append(self)

    def search(model, batch, length, beam_size, alpha, **options):
        made.searched.append((length, beam_size, options))
        replies = np.full((len(batch.src), length), 9)
        replies[:, made.ends :] = 3  # its end of sequence
        return replies, None, None

    def build_model(settings, *vocabularies):
        made.built.append((settings, vocabularies))
        return SimpleNamespace(eval=lambda: "model")

    contents = {"batch": {"Batch": Batch}, "search": {"search": search}}
    contents |= {"vocabulary": {"Vocabulary": lambda words, specials: (words, specials)}}
    contents |= {"model": {"build_model": build_model}}
    for name, values in contents.items():
        module = ModuleType(f"joeynmt.{name}")
        vars(module).update(values)
        monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setattr(joeynmt, "versions", lambda package: {package: "0"})
    monkeypatch.setattr(joeynmt, "fastest", lambda settings, run: run(settings[-1]) and settings[0])
    return made


def test_joeynmt_is_built_at_our_sizes_and_told_to_write_exactly_so_many_tokens(joey):
    prepared = JoeyNmt(MODEL, 1).prepared(INPUTS, SEARCH)
    ((settings, vocabularies),) = joey.built
    for part in settings.values():
        assert part["embeddings"] == {"embedding_dim": MODEL.embedding_size}
    assert settings["decoder"]["hidden_size"] == MODEL.hidden_size
    assert settings["encoder"]["hidden_size"] * 2 == MODEL.hidden_size  # two directions
    assert len(vocabularies[0][0]) + 4 == MODEL.vocabulary_size
    assert prepared.run().tokens == 40
    length, beam_size, options = joey.searched[-1]
    assert (length, beam_size, options["min_output_length"]) == (20, 5, 20)
    assert joey.batches[0].src.tolist() == [[4, 0, 6], [7, 8, 9]]  # its unknown word is 0
    assert prepared.settings == "torch.set_num_threads(1)"


def test_joeynmt_that_ends_early_is_an_error(joey):
    joey.ends = 12
    with pytest.raises(EmpganError, match=r"joeynmt wrote replies of \[12\] tokens, not 20"):
        JoeyNmt(MODEL, 1).prepared(INPUTS, SEARCH).run()
