"""The compiled encoder against the network as it is written down, in each precision at each level that is here."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from albertkit import quantization
from albertkit.config import AlbertConfig
from albertkit.errors import InputError, TokenIdError
from albertkit.kernels import library
from albertkit.kernels.encoder import CompiledEmbeddings, CompiledEncoder, can_run
from albertkit.numpy.activations import ACTIVATIONS
from albertkit.quantization import SITES, Quantization, per_token, runs_of_layers
from kernels.python_threads import agree

LENGTHS = (7, 1, 16, 16, 31, 33, 64, 65, 2, 40)
TOKENS = sum(LENGTHS)
STARTS = np.cumsum((0, *LENGTHS[:-1]))


def ways(*precisions):
    """The precisions at each level; those that this processor does not have are skipped."""
    there = {(one, level) for one in precisions for level in library.LEVELS if one != "bf16" or level == "avx512"}
    return [
        pytest.param(
            *way, marks=pytest.mark.skipif(way[1] not in library.levels(way[0]), reason=f"has no {way} by the library")
        )
        for way in sorted(there)
    ]


EVERY_WAY = pytest.mark.parametrize(("precision", "level"), ways(*library.PRECISIONS))


def config_of(**changes):
    sizes = {"embedding_size": 32, "hidden_size": 96, "num_attention_heads": 3, "intermediate_size": 224}
    return AlbertConfig(**{**sizes, "num_hidden_layers": 3, "vocab_size": 50, "initializer_range": 0.1, **changes})


def weights_of(config):
    """A function of names that gives weights as wide as those of a trained model."""
    hidden, inner, embedding = config.hidden_size, config.intermediate_size, config.embedding_size
    shapes = {"ffn": (inner, hidden), "ffn_output": (hidden, inner), "embedding_hidden_mapping_in": (hidden, embedding)}

    def weight(name):
        site, part = name.split(".")[-2:]
        rows, columns = shapes.get(site, (hidden, hidden))
        is_matrix = part == "weight" and "norm" not in site.lower()
        mean = part == "weight" and not is_matrix
        random = np.random.default_rng([0, *name.encode()])
        return random.normal(mean, 0.1, (rows, columns) if is_matrix else rows).astype(np.float32)

    return weight


def embeddings_of(config, seed=1):
    return np.random.default_rng(seed).normal(size=(TOKENS, config.embedding_size)).astype(np.float32)


class Reference:
    """The encoder in float64, whose products are `multiply(site, run, x, weight)`."""

    def __init__(self, config, weight, multiply=lambda site, run, x, weight: x @ weight.T):
        self.config, self.weight, self.multiply = config, weight, multiply
        self.inputs = []
        """(site, run, largest magnitude of the input) of each product."""

    def dense(self, site, run, x, *names):
        self.inputs.append((site, run, float(np.abs(x).max())))
        weight = np.concatenate([self.weight(f"{name}.weight") for name in names]).astype(np.float64)
        return self.multiply(site, run, x, weight) + np.concatenate([self.weight(f"{name}.bias") for name in names])

    def norm(self, x, name):
        centred = x - x.mean(-1, keepdims=True)
        spread = np.sqrt(np.square(centred).mean(-1, keepdims=True) + self.config.layer_norm_eps)
        return centred / spread * self.weight(f"{name}.weight") + self.weight(f"{name}.bias")

    def __call__(self, embeddings):
        states = self.dense(
            "embedding_hidden_mapping_in", 0, embeddings.astype(np.float64), "embedding_hidden_mapping_in"
        )
        groups = [
            (group, inner) for group in self.config.group_of_layer for inner in range(self.config.inner_group_num)
        ]
        for run, place in enumerate(groups):
            states = self.layer(states, "albert_layer_groups.{}.albert_layers.{}".format(*place), run)
        return states

    def layer(self, states, name, run):
        names = [f"{name}.attention.{part}" for part in ("query", "key", "value")]
        qkv = self.dense("query_key_value", run, states, *names)
        context = np.concatenate(
            [self.attention(qkv[start : start + size]) for start, size in zip(STARTS, LENGTHS, strict=True)]
        )
        attended = self.norm(
            states + self.dense("dense", run, context, f"{name}.attention.dense"), f"{name}.attention.LayerNorm"
        )
        inner = ACTIVATIONS[self.config.hidden_act](self.dense("ffn", run, attended, f"{name}.ffn"))
        out = self.dense("ffn_output", run, inner, f"{name}.ffn_output")
        return self.norm(attended + out, f"{name}.full_layer_layer_norm")

    def attention(self, qkv):
        heads = self.config.num_attention_heads
        q, k, v = (part.reshape(len(qkv), heads, -1).swapaxes(0, 1) for part in np.split(qkv, 3, -1))
        scores = np.exp(q @ k.swapaxes(1, 2) / np.sqrt(q.shape[-1]))
        return (scores / scores.sum(-1, keepdims=True) @ v).swapaxes(0, 1).reshape(len(qkv), -1)


def quantization_of(config, weight, smoothing=None):
    """Scales up to the largest magnitudes of the float network."""
    seen = Reference(config, weight)
    seen(embeddings_of(config))
    (_, _, mapping), *products = seen.inputs
    layers = [{site: largest for site, at, largest in products if at == run} for run in range(runs_of_layers(config))]
    if smoothing:
        layers = [{site: largest / float(smoothing[site].min()) for site, largest in layer.items()} for layer in layers]
    return Quantization(mapping, layers, smoothing or {})


def quantized(known):
    """A product whose input and weight are rounded to bytes, but computed exactly."""

    def multiply(site, run, x, weight):
        smoothing = known.smoothing.get(site, np.ones(x.shape[-1]))
        x, weight = x / smoothing, weight * smoothing
        largest = known.of(site)[run]
        step = (np.abs(x).max(-1, keepdims=True) if largest == "token" else largest) / 127
        scale = np.abs(weight).max(1, keepdims=True) / 127
        return ((x / step).round().clip(-128, 127) * step) @ ((weight / scale).round() * scale).T

    return multiply


def error(found, wanted):
    """The root mean square of the difference, as a share of the values'."""
    return float(np.sqrt(np.square(found - wanted).mean() / np.square(wanted).mean()))


def encoder_of(config, precision, level=None, known=None, weight=None):
    known = known or (per_token(config) if precision == "int8" else None)
    assert can_run(config, precision, known)
    return CompiledEncoder(config, weight or weights_of(config), precision, known, level)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"hidden_act": "gelu"},
        {"hidden_act": "relu"},
        {"num_hidden_groups": 3},
        {"inner_group_num": 2},
        {"hidden_size": 128, "num_attention_heads": 2},
        {"intermediate_size": 32},
        {"embedding_size": 512},
    ],
)
@pytest.mark.parametrize(("precision", "level"), ways("fp32", "bf16"))
def test_states_are_those_of_the_network(precision, level, changes):
    config = config_of(**changes)
    wanted = Reference(config, weights_of(config))(embeddings_of(config))
    found = encoder_of(config, precision, level)(embeddings_of(config), LENGTHS, None, 1)
    assert error(found, wanted) < {"fp32": 2e-6, "bf16": 1.5e-2}[precision]


@pytest.mark.parametrize(
    "name", ["attention.key.weight", "ffn.weight", "ffn_output.bias", "attention.LayerNorm.weight"]
)
@pytest.mark.parametrize("act", ["gelu_new", "gelu", "relu"])
@pytest.mark.parametrize(("precision", "level"), ways("fp32"))
def test_a_weight_that_is_nan_makes_every_state_nan(precision, level, act, name):
    config = config_of(hidden_act=act)

    def weight(one):
        found = weights_of(config)(one)
        return np.full_like(found, np.nan) if one.endswith(f".{name}") else found

    found = encoder_of(config, precision, level, weight=weight)(embeddings_of(config), LENGTHS, None, 1)
    assert np.isnan(found).all()


def known_of(config, way):
    """What is known of inputs in int8, in each of three ways."""
    weight, random = weights_of(config), np.random.default_rng(2)
    widths = {site: 224 if site == "ffn_output" else 96 for site in SITES}
    smoothing = {site: np.exp(random.normal(0, 0.3, width)).astype(np.float32) for site, width in widths.items()}
    return {
        "one scale": quantization_of(config, weight),
        "tokens": per_token(config),
        "smoothing": quantization_of(config, weight, smoothing),
    }[way]


@pytest.mark.parametrize("way", ["one scale", "tokens", "smoothing"])
@pytest.mark.parametrize("act", ["gelu_new", "gelu", "relu"])
@pytest.mark.parametrize(("precision", "level"), ways("int8"))
def test_int8_rounds_as_it_is_told_to(precision, level, way, act):
    config = config_of(hidden_act=act, num_hidden_layers=1)
    weight, given, known = weights_of(config), embeddings_of(config), known_of(config, way)
    found = encoder_of(config, precision, level, known)(given, LENGTHS, None, 1)
    rounded, exact = Reference(config, weight, quantized(known))(given), Reference(config, weight)(given)
    # Keys in bfloat16 take some bytes over an edge, each as far as rounding itself does.
    assert error(found, rounded) < 0.65 * error(rounded, exact)
    assert error(found, exact) < 1.02 * error(rounded, exact)


@pytest.mark.parametrize(("precision", "level"), ways("int8"))
def test_no_sum_of_bytes_is_clipped(precision, level):
    """Two products of the largest bytes do not fit 16 bits, in which some instructions would add them up."""
    config, others = config_of(num_hidden_layers=1), weights_of(config_of())

    def weight(name):
        found = others(name)
        if name == "embedding_hidden_mapping_in.weight":
            found[:40] = 0.1
            found[40:60] = -0.1
        return found

    given = np.full((TOKENS, 32), 3.0, np.float32)
    found = encoder_of(config, precision, level, weight=weight)(given, LENGTHS, None, 1)
    rounded = Reference(config, weight, quantized(per_token(config)))(given)
    assert error(found, rounded) < 0.02


@pytest.mark.parametrize("way", ["one scale", "tokens", "smoothing"])
@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_with_and_without_vnni_answers_are_the_same_to_the_last_bit(precision, way):
    levels = [one for one in library.levels(precision) if one.startswith("avx2")]
    if len(levels) < 2:
        pytest.skip("has no AVX-VNNI")
    config = config_of()
    known = known_of(config, way) if precision == "int8" else None
    one, other = (encoder_of(config, precision, level, known) for level in levels)
    given = embeddings_of(config)
    np.testing.assert_array_equal(one(given, LENGTHS, None, 2), other(given, LENGTHS, None, 2))


@EVERY_WAY
def test_a_token_is_the_same_whatever_stands_beside_it_on_any_number_of_threads(precision, level):
    config = config_of()
    encoder, given = encoder_of(config, precision, level), embeddings_of(config)
    whole = encoder(given, LENGTHS, None, 1)
    for threads in (2, 3, 16):  # 16: more than there are cores, so that some sleep while others wait for them
        np.testing.assert_array_equal(encoder(given, LENGTHS, None, threads), whole)
        for start, size in zip(STARTS, LENGTHS, strict=True):
            alone = encoder(given[start : start + size], [size], None, threads)
            np.testing.assert_array_equal(alone, whole[start : start + size])
    many = np.concatenate([given] * 9)  # more than a thread takes at once
    for threads in (1, 2):
        np.testing.assert_array_equal(encoder(many, LENGTHS * 9, None, threads), np.concatenate([whole] * 9))


@pytest.mark.parametrize("count", [3, 13, 25, 31])
@pytest.mark.parametrize("is_even", [True, False])
def test_short_sequences_are_the_same_however_threads_share_them(count, is_even):
    config = config_of()
    encoder = encoder_of(config, "fp32")
    lengths = [16 if is_even else 3 + 7 * number % 30 for number in range(count)]
    given = np.random.default_rng(0).normal(size=(sum(lengths), config.embedding_size)).astype(np.float32)
    apart = [encoder(part, [len(part)], None, 1) for part in np.split(given, np.cumsum(lengths)[:-1])]
    firsts = np.cumsum([0, *lengths[:-1]])
    for threads in (1, 2, 3):
        found = encoder(given, lengths, None, threads)
        np.testing.assert_array_equal(found, np.concatenate(apart))
        np.testing.assert_array_equal(encoder(given, lengths, firsts, threads), found[firsts])


@EVERY_WAY
@pytest.mark.parametrize("threads", [1, 2])
def test_of_the_last_layer_what_is_wanted_is_computed_alone(precision, level, threads):
    config = config_of()
    encoder, given = encoder_of(config, precision, level), embeddings_of(config)
    whole = encoder(given, LENGTHS, None, 1)
    some = np.sort(np.random.default_rng(3).choice(TOKENS, 23, replace=False))
    for wanted in (STARTS, some, np.array([TOKENS - 1]), np.array([], np.int64)):
        np.testing.assert_array_equal(encoder(given, LENGTHS, wanted, threads), whole[wanted])


@EVERY_WAY
def test_threads_of_python_and_forked_processes_have_answers_of_their_own(precision, level):
    config = config_of()
    encoder, given = encoder_of(config, precision, level), embeddings_of(config)
    whole = encoder(given, LENGTHS, None, 2)
    assert agree(lambda: np.array_equal(encoder(given, LENGTHS, None, 2), whole), times=20)


FORK = """
import os, sys
import numpy as np
from albertkit.config import AlbertConfig
from albertkit.kernels import library
from albertkit.kernels.encoder import CompiledEncoder
from albertkit.quantization import per_token
sizes = {"embedding_size": 32, "hidden_size": 32, "intermediate_size": 32, "num_attention_heads": 1}
config, random = AlbertConfig(**sizes, num_hidden_layers=2), np.random.default_rng(0)
numbers = random.normal(size=(32, 32)).astype(np.float32)
for precision in filter(library.has_precision, library.PRECISIONS):
    known = per_token(config) if precision == "int8" else None
    weight = lambda name: numbers if name.endswith("weight") and "orm" not in name else numbers[0]
    for level in library.levels(precision):
        encoder = CompiledEncoder(config, weight, precision, known, level)
        whole = encoder(numbers, [20, 12], None, 2)
        child = os.fork()
        if not child:
            os._exit(not np.array_equal(encoder(numbers, [20, 12], None, 2), whole))
        if os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]):
            sys.exit(f"another answer in {precision} at {level}")
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="has no fork")
def test_a_forked_process_has_threads_of_its_own():
    done = subprocess.run([sys.executable, "-c", FORK], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


MANY_THREADS = """
import os
import numpy as np
from albertkit.config import AlbertConfig
from albertkit.kernels.encoder import CompiledEncoder
sizes = {"embedding_size": 32, "hidden_size": 32, "intermediate_size": 32, "num_attention_heads": 1}
config = AlbertConfig(**sizes, num_hidden_layers=1)
encoder = CompiledEncoder(config, lambda name: np.ones((32, 32) if name.endswith("weight") else 32, np.float32), "fp32")
given, before = np.ones((7, 32), np.float32), len(os.listdir("/proc/self/task"))
few = encoder(given, [7], None, -1)
assert np.array_equal(encoder(given, [7], None, 10_000), few)
print(len(os.listdir("/proc/self/task")) - before)
"""


@pytest.mark.skipif(not library.has_precision("fp32"), reason="has no library")
@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="does not tell threads")
def test_no_more_threads_are_started_than_processors_can_have_use_for():
    done = subprocess.run([sys.executable, "-c", MANY_THREADS], capture_output=True, text=True, check=True)
    assert 1 <= int(done.stdout) <= 255


@pytest.mark.parametrize(("precision", "level"), ways("fp32"))
@pytest.mark.parametrize("has_types", [True, False])
def test_embeddings_are_summed_and_normalised(precision, level, has_types):
    config, random = config_of(), np.random.default_rng(5)
    norm, names = tables_of(config), ("word", "token_type", "position")
    words, kinds, positions = (norm[f"{name}_embeddings.weight"] for name in names)
    ids, types, places = (random.integers(0, len(table), 11) for table in (words, kinds, positions))
    types = types if has_types else None
    found = CompiledEmbeddings(config, norm.__getitem__, level)(ids, types, places)
    summed = words[ids] + kinds[np.zeros(11, int) if types is None else types] + positions[places]
    centred = summed - summed.mean(-1, keepdims=True)
    wanted = centred / np.sqrt(np.square(centred).mean(-1, keepdims=True) + config.layer_norm_eps)
    np.testing.assert_allclose(found, wanted * norm["LayerNorm.weight"] + norm["LayerNorm.bias"], atol=1e-5)


def tables_of(config):
    random, shapes = np.random.default_rng(4), {"word": 50, "token_type": 3, "position": 20}
    tables = {f"{name}_embeddings.weight": random.normal(size=(rows, 32)) for name, rows in shapes.items()}
    norm = {f"LayerNorm.{name}": random.normal(size=32) for name in ("weight", "bias")}
    return {name: values.astype(np.float32) for name, values in (tables | norm).items()}


@pytest.mark.parametrize(("precision", "level"), ways("fp32"))
@pytest.mark.parametrize(
    ("name", "ids"),
    [
        ("input_ids", ([50], [0], [0])),
        ("input_ids", ([4, -1], [0, 0], [0, 1])),
        ("token_type_ids", ([4], [3], [0])),
        ("position_ids", ([4], None, [20])),
    ],
)
def test_ids_outside_their_tables_are_refused(precision, level, name, ids):
    config = config_of()
    embed = CompiledEmbeddings(config, tables_of(config).__getitem__, level)
    with pytest.raises(TokenIdError, match=rf"`{name}` must lie in 0\.\."):
        embed(*(None if one is None else np.array(one) for one in ids))


@EVERY_WAY
def test_no_sequence_at_all_has_no_states(precision, level):
    config = config_of()
    none, integers = np.zeros((0, config.embedding_size), np.float32), np.array([], np.int64)
    for threads in (1, 2):
        for wanted in (None, integers):
            assert encoder_of(config, precision, level)(none, [], wanted, threads).shape == (0, config.hidden_size)


@EVERY_WAY
@pytest.mark.parametrize("length", [1, 13, 511, 512])
def test_one_head_of_any_width_and_odd_lengths(precision, level, length):
    """One token, and lengths beside those of tiles: with a head of 32 and one of 160, of which no 64 is a divisor."""
    for width in (32, 160):
        config = config_of(hidden_size=width, num_attention_heads=1, num_hidden_layers=1, intermediate_size=160)
        given = np.random.default_rng(5).normal(size=(length + 3, 32)).astype(np.float32)
        encoder = encoder_of(config, precision, level)
        whole = encoder(given, [length, 3], None, 2)
        assert np.isfinite(whole).all()
        np.testing.assert_array_equal(encoder(given[:length], [length], None, 3), whole[:length])
        last = np.array([length - 1])
        np.testing.assert_array_equal(encoder(given, [length, 3], last, 2), whole[last])


@EVERY_WAY
@pytest.mark.parametrize(
    ("lengths", "wanted"),
    [
        ([TOKENS + 1], None),
        ([TOKENS - 1], None),
        ([TOKENS, 0], None),
        ([TOKENS + 1, -1], None),
        (LENGTHS, [TOKENS]),
        (LENGTHS, [-1, 3]),
        (LENGTHS, [0, 0, 1]),
        (LENGTHS, [5, 3]),
    ],
)
def test_numbers_that_do_not_fit_each_other_are_refused(precision, level, lengths, wanted):
    config = config_of()
    wanted = None if wanted is None else np.array(wanted)
    with pytest.raises(InputError, match=r"add up to the number of tokens.*Received: 275 tokens, lengths .*Pass those"):
        encoder_of(config, precision, level)(embeddings_of(config), lengths, wanted, 2)


@pytest.mark.parametrize("way", ["one scale", "tokens", "smoothing"])
@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize(("precision", "level"), ways("int8"))
def test_a_number_that_bytes_cannot_say_makes_the_states_of_its_token_nan(precision, level, number, way):
    """It would else become some byte, and the answer look like any other."""
    config, given = config_of(), embeddings_of(config_of())
    encoder = encoder_of(config, precision, level, known_of(config, way))
    whole = encoder(given, LENGTHS, None, 1)
    alone, beside = 7, slice(8, None)  # a sequence of one token, and those behind it
    given[alone, 5] = number
    found = encoder(given, LENGTHS, None, 2)
    assert np.isnan(found[alone]).all()
    np.testing.assert_array_equal(found[beside], whole[beside])
    given[3, 31] = number  # in a sequence of seven, all of which attend to it
    assert np.isnan(encoder(given, LENGTHS, None, 2)[:7]).all()


@pytest.mark.parametrize(("precision", "level"), ways("int8"))
@pytest.mark.parametrize("size", [1e4, 1e12, 1e30])
def test_what_is_far_beyond_a_scale_counts_as_the_largest_that_it_has(precision, level, size):
    """Whole numbers of 32 bits do not hold it, and would make the least of it."""
    config = config_of(num_hidden_layers=1)
    known, given = quantization_of(config, weights_of(config)), embeddings_of(config)
    encoder = encoder_of(config, precision, level, known)
    far, most = given.copy(), given.copy()
    far[7, :9], most[7, :9] = size, 1e3 * known.mapping
    far[9, :9], most[9, :9] = -size, -1e3 * known.mapping
    np.testing.assert_array_equal(encoder(far, LENGTHS, None, 1), encoder(most, LENGTHS, None, 1))


def test_what_it_does_not_compute(monkeypatch):
    monkeypatch.setattr(library, "has_precision", lambda precision: precision != "bf16")
    config = config_of()
    assert can_run(config, "fp32", None)
    assert can_run(config, "int8", per_token(config))
    assert not can_run(config, "bf16", None)
    assert not can_run(config_of(hidden_act="silu"), "fp32", None)
    for changes in ({"embedding_size": 40}, {"intermediate_size": 200}, {"num_attention_heads": 6}):
        assert not can_run(config_of(**changes), "fp32", None)
    layers = [{**layer, "dense": "float"} for layer in per_token(config).layers]
    assert not can_run(config, "int8", Quantization("token", layers))
    assert not can_run(config, "int8", Quantization("float", per_token(config).layers))


def test_a_quantized_weight_is_within_half_a_step_of_what_it_was():
    weight = np.random.default_rng(5).normal(size=(6, 40)).astype(np.float32)
    weight[2] = 0
    numbers, scale = quantization.quantized_weight(weight, 127)
    assert numbers.dtype == np.int8
    assert (np.abs(numbers).max(1)[[0, 1, 3, 4, 5]] == 127).all()
    assert (np.abs(numbers * scale[:, None] - weight) <= scale[:, None] * 0.5001).all()
