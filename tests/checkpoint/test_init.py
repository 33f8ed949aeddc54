import numpy as np
import pytest

from albertkit import weight_table
from albertkit.checkpoint import init
from albertkit.config import AlbertConfig

CONFIG = AlbertConfig(
    vocab_size=500,
    embedding_size=64,
    hidden_size=128,
    num_attention_heads=4,
    intermediate_size=256,
    num_hidden_layers=2,
    num_hidden_groups=2,
    num_labels=3,
    initializer_range=0.05,
    pad_token_id=3,
)
SHAPES = weight_table.expected(CONFIG, "ForPreTraining") | weight_table.expected(CONFIG, "ForSequenceClassification")
WORDS = "albert.embeddings.word_embeddings.weight"


def matrices(tensors):
    return {name: values for name, values in tensors.items() if values.ndim == 2}


def test_every_tensor_is_float32_of_its_shape():
    tensors = init.initialize(SHAPES, CONFIG, 1)
    assert {name: values.shape for name, values in tensors.items()} == SHAPES
    assert {values.dtype for values in tensors.values()} == {np.dtype(np.float32)}


def test_biases_are_zero_and_norms_one():
    for name, values in init.initialize(SHAPES, CONFIG, 1).items():
        if name.endswith("bias"):
            assert not values.any()
        elif values.ndim == 1:
            assert (values == 1).all()


def test_matrices_follow_a_normal_distribution_cut_at_two_deviations():
    drawn = matrices(init.initialize(SHAPES, CONFIG, 1))
    for values in drawn.values():
        assert np.abs(values).max() <= 2 * 0.05 * (1 + 1e-6)
    together = np.concatenate([values.ravel() for name, values in drawn.items() if name != WORDS]) / 0.05
    assert len(together) > 300_000
    assert abs(together.mean()) < 0.01
    assert together.std() == pytest.approx(0.8796, abs=0.005)  # of a standard normal cut at 2
    assert (np.abs(together) < 1).mean() == pytest.approx(0.6827 / 0.9545, abs=0.005)


def test_the_embedding_of_the_pad_token_is_zero():
    words = init.initialize(SHAPES, CONFIG, 1)[WORDS]
    assert not words[3].any()
    assert np.delete(words, 3, axis=0).any(axis=1).all()
    without = init.initialize(SHAPES, CONFIG.changed(pad_token_id=None), 1)[WORDS]
    assert without.any(axis=1).all()
    assert (np.delete(without, 3, axis=0) == np.delete(words, 3, axis=0)).all()


def test_values_follow_from_seed_and_name_alone():
    whole = init.initialize(SHAPES, CONFIG, 7)
    for name in reversed(SHAPES):
        alone = init.initialize({name: SHAPES[name]}, CONFIG, 7)
        assert (alone[name] == whole[name]).all()


def test_another_seed_or_name_gives_other_values():
    first, second = (matrices(init.initialize(SHAPES, CONFIG, seed)) for seed in (7, 8))
    seen = [values[:2, :64].tobytes() for tensors in (first, second) for values in tensors.values()]
    assert len(set(seen)) == len(seen)


def test_no_range_gives_zeros_and_ones():
    for name, values in init.initialize(SHAPES, CONFIG.changed(initializer_range=0), 1).items():
        assert set(np.unique(values)) == {1.0 if values.ndim == 1 and not name.endswith("bias") else 0.0}


def test_the_rest_of_the_config_does_not_matter():
    values = init.initialize({"albert.pooler.weight": (2, 2)}, AlbertConfig(), 0)["albert.pooler.weight"]
    again = init.initialize({"albert.pooler.weight": (2, 2)}, AlbertConfig.base(), 0)["albert.pooler.weight"]
    assert (values == again).all()


def test_a_name_outside_the_table_is_refused():
    with pytest.raises(KeyError):
        init.initialize({"decoder.weight": (2, 2)}, CONFIG, 0)


CHANGED = ("position_embeddings.weight", ".query.weight", ".key.weight")


def test_local_attention_changes_positions_queries_and_keys_alone():
    drawn = init.initialize(SHAPES, CONFIG, 1)
    kept = {name: values.copy() for name, values in drawn.items()}
    local = init.with_local_attention(drawn, CONFIG)
    assert list(local) == list(drawn)
    for name, values in local.items():
        assert (values.dtype, values.shape) == (np.float32, SHAPES[name])
        assert (values == drawn[name]).all() != name.endswith(CHANGED), name
        assert (drawn[name] == kept[name]).all()


def test_positions_are_as_wide_as_what_is_drawn():
    positions = init.with_local_attention(init.initialize(SHAPES, CONFIG, 1), CONFIG)[init.POSITIONS]
    assert positions.std() == pytest.approx(CONFIG.initializer_range, rel=0.1)


@pytest.mark.parametrize("changes", [{}, {"embedding_size": 32}, {"hidden_size": 96, "embedding_size": 66}])
def test_each_head_attends_most_to_the_place_at_its_offset(changes):
    config = CONFIG.changed(**changes)
    tensors = init.with_local_attention(init.initialize(weight_table.expected(config, "Model"), config, 1), config)
    embedded = tensors[init.POSITIONS][:100]
    embedded = embedded / embedded.std() * np.sqrt(1 / 3)  # a third of what the norm of the embeddings leaves
    states = embedded @ tensors[init.MAPPING].T
    layers = [name for name in tensors if name.endswith("query.weight")]
    assert len(layers) == 2
    for name in layers:
        key = tensors[name.replace("query", "key")]
        queries, keys = (
            (states @ weight.T).reshape(100, config.num_attention_heads, -1) for weight in (tensors[name], key)
        )
        scores = np.einsum("qnd,knd->nqk", queries, keys) / np.sqrt(queries.shape[-1])
        for head, offset in enumerate((-1, 1, -2, 2)):
            middle = np.arange(10, 90)
            assert (scores[head, middle].argmax(-1) == middle + offset).all()
            assert scores[head, middle, middle + offset].mean() == pytest.approx(init.PEAK, rel=0.35)


def test_the_rest_of_a_wide_head_stays_as_it_was_drawn():
    config = CONFIG.changed(embedding_size=16)
    drawn = init.initialize(weight_table.expected(config, "Model"), config, 1)
    local = init.with_local_attention(drawn, config)
    name = next(name for name in drawn if name.endswith("query.weight"))
    for head in range(4):
        rows = slice(head * 32, head * 32 + 16), slice(head * 32 + 16, head * 32 + 32)
        assert (local[name][rows[0]] != drawn[name][rows[0]]).all()
        assert (local[name][rows[1]] == drawn[name][rows[1]]).all()


def test_heads_of_one_name_inside_a_model_are_drawn_apart_and_a_model_s_own_as_ever():
    own = weight_table.expected(CONFIG, "ForSequenceClassification")
    shapes = own | {f"{holder}.{name}": shape for name, shape in own.items() for holder in ("a", "b")}
    missing = [name for name in shapes if name.endswith(("classifier.weight", "classifier.bias"))]
    drawn = init.initialize_missing(missing, shapes, CONFIG, 1)
    heads = [drawn[f"{holder}classifier.weight"] for holder in ("", "a.", "b.")]
    assert len({head.tobytes() for head in heads}) == 3
    assert (heads[0] == init.initialize(own, CONFIG, 1)["classifier.weight"]).all()
    assert not any(drawn[f"{holder}classifier.bias"].any() for holder in ("", "a.", "b."))
