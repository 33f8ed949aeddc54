"""Rates by the place of a weight: what a block is where layers are shared, and what does not go together."""

import pytest

pytest.importorskip("pydantic")

from albertkit import weight_table
from albertkit.backends import OptimizerSettings
from albertkit.config import AlbertConfig
from albertkit.errors import ConfigError
from albertkit.training import rates
from albertkit.training.recipe import TrainingSection

LAYER = "albert.encoder.albert_layer_groups.{}.albert_layers.{}.ffn.weight"
WORDS = "albert.embeddings.word_embeddings.weight"
SMALL = {"vocab_size": 8, "hidden_size": 8, "num_attention_heads": 2, "intermediate_size": 8}


def factors(config=None, is_new=False, **training):
    config = config or AlbertConfig.base(**SMALL)
    section = TrainingSection(**{"learning_rate": 1e-4, **training})
    settings = OptimizerSettings(rates=rates.of(config, section, is_new))
    return {name: settings.rate_of(name) for name in weight_table.expected(config, "ForSequenceClassification")}


def test_without_a_wish_all_rates_are_one():
    assert rates.of(AlbertConfig.base(), TrainingSection(learning_rate=1e-4), True) == ()


def test_the_shared_layer_is_one_block_between_embeddings_and_head():
    found = factors(layer_decay=0.5)
    assert found[LAYER.format(0, 0)] == 0.5
    below = ("albert.embeddings.", "albert.encoder.embedding_hidden")
    assert {value for name, value in found.items() if name.startswith(below)} == {0.25}
    assert {found["classifier.weight"], found["albert.pooler.bias"]} == {1.0}


def test_groups_and_inner_layers_are_blocks_in_the_order_in_which_they_run():
    found = factors(AlbertConfig.base(**SMALL, num_hidden_groups=2, inner_group_num=2), layer_decay=0.5)
    assert [found[LAYER.format(*place)] for place in ((1, 1), (1, 0), (0, 1), (0, 0))] == [0.5, 0.25, 0.125, 0.0625]
    assert found[WORDS] == 0.03125


def test_the_head_has_a_rate_of_its_own():
    found = factors(head_learning_rate=1e-3)
    assert found["classifier.bias"] == pytest.approx(10)
    assert {value for name, value in found.items() if name.startswith("albert.")} == {1.0}


def test_a_frozen_encoder_leaves_the_head_alone_to_train():
    found = factors(freeze_encoder=True, head_learning_rate=2e-4)
    assert {value for name, value in found.items() if name.startswith("albert.")} == {0.0}
    assert found["classifier.weight"] == 2


@pytest.mark.parametrize(("is_new", "changes"), [(True, {}), (False, {"layer_decay": 0.9})])
def test_what_does_not_go_with_a_frozen_encoder_is_refused(is_new, changes):
    with pytest.raises(ConfigError, match=r"`training\.freeze_encoder` leaves weights as they are"):
        factors(is_new=is_new, freeze_encoder=True, **changes)


def test_frozen_word_embeddings_are_no_part_of_what_is_trained():
    found = factors(freeze_word_embeddings=True, layer_decay=0.5)
    assert {name for name, value in found.items() if value == 0} == {WORDS}
    assert found[WORDS.replace("word", "position")] == 0.25
    assert found["albert.encoder.embedding_hidden_mapping_in.weight"] == 0.25
    assert found[LAYER.format(0, 0)] == 0.5
    assert factors(freeze_word_embeddings=True, freeze_encoder=True)[LAYER.format(0, 0)] == 0


def test_new_word_embeddings_are_not_frozen():
    with pytest.raises(ConfigError, match=r"`training\.freeze_word_embeddings` leaves weights as they are.*new"):
        factors(is_new=True, freeze_word_embeddings=True)
