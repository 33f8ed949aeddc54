import re

import numpy as np
import pytest

from albertkit import rules
from albertkit.config import AlbertConfig
from albertkit.errors import ConfigError, InputError, TokenIdError


def test_a_model_takes_a_valid_config():
    rules.require_config("AlbertModel", AlbertConfig())
    with pytest.raises(TypeError, match=r"AlbertModel\(config\) takes an AlbertConfig\. Received: dict\. .*from_pretr"):
        rules.require_config("AlbertModel", {})
    config = AlbertConfig()
    config.num_attention_heads = 3
    with pytest.raises(ConfigError, match="divisible"):
        rules.require_config("AlbertModel", config)


def test_ids_or_embeddings_are_given_and_not_both():
    rules.require_inputs([1], None)
    rules.require_inputs(None, [1])
    with pytest.raises(InputError, match="both"):
        rules.require_inputs([1], [1])
    with pytest.raises(InputError, match="either"):
        rules.require_inputs(None, None)


def test_lengths_and_ids_lie_in_their_tables():
    rules.require_length(16, 16)
    with pytest.raises(InputError, match=r"Received: 17 tokens, 16 positions\..*max_length=16"):
        rules.require_length(17, 16)
    rules.require_ids("input_ids", 0, 9, 10)
    for lowest, highest in ((-1, 3), (0, 10)):
        with pytest.raises(TokenIdError, match=rf"`input_ids` must lie in 0\.\.9, .*Received: {lowest} to {highest}"):
            rules.require_ids("input_ids", lowest, highest, 10)


@pytest.mark.parametrize("shape", [(3, 5), (3, 5, 5), (3, 1, 1, 5), (1, 1, 5, 5), (3, 4, 5, 5)])
def test_masks_that_fit(shape):
    rules.require_mask(shape, 3, 5)


@pytest.mark.parametrize("shape", [(5,), (3, 6), (2, 5), (3, 1, 5), (2, 1, 5, 5), (3, 1, 5, 4), (3, 1, 2, 5), (3,) * 5])
def test_masks_that_do_not_fit(shape):
    with pytest.raises(InputError, match=r"`attention_mask` must have the shape .* with B 3 and L 5\. Received: \("):
        rules.require_mask(shape, 3, 5)


def test_head_masks():
    for shape in ((4,), (6, 4), (6, 1, 4, 1, 1), (6, 3, 1, 5, 5)):
        rules.require_head_mask(shape, 6, 4)
    for shape in ((5, 4), (6, 4, 1), (5, 1, 4, 1, 1), (), (3,), (6, 3), (6, 1, 3, 1, 1)):
        with pytest.raises(InputError, match="with 6 layers and 4 heads"):
            rules.require_head_mask(shape, 6, 4)


def test_ids_are_integers_in_rows():
    rules.require_ids_array("input_ids", (3, 5), True)
    for shape, is_integer, words in (
        ((5,), True, r"integers of shape \(5,\)\. .*input_ids\[None\]"),
        ((2, 3, 5), True, r"integers of shape \(2, 3, 5\)"),
        ((3, 5), False, "other values than integers"),
    ):
        with pytest.raises(InputError, match=rf"`input_ids` must be integers of shape \(B, L\)\. Received: {words}"):
            rules.require_ids_array("input_ids", shape, is_integer)


def test_sizes_of_a_vocabulary():
    assert rules.vocabulary_size(61, None, None) == 61
    assert rules.vocabulary_size(61, 70, None) == 70
    assert rules.vocabulary_size(61, None, 64) == 64
    assert rules.vocabulary_size(61, 65, 64) == 128
    with pytest.raises(InputError, match=r"`pad_to_multiple_of` must be a whole number.* Received: 1\.3\. "):
        rules.vocabulary_size(61, 10, 1.3)
    with pytest.raises(InputError, match="Received: 0"):
        rules.vocabulary_size(61, 0, None)
    assert rules.vocabulary_size(61, np.int64(70), None) == 70
    for size in (70.0, "70"):
        with pytest.raises(InputError, match=rf"must be an integer\. Received: {size!r}"):
            rules.vocabulary_size(61, size, None)


def test_labels_have_the_shape_of_what_they_are_compared_with():
    for shape, wanted in (((3,), (3,)), ((3, 1), (3,)), ((3,), (3, 1)), ((), (1,)), ((3, 5), (3, 5))):
        rules.require_labels_array("labels", shape, wanted)
    for shape, wanted in (((1,), (3,)), ((), (3,)), ((3, 2), (3,)), ((3,), (3, 3)), ((5, 3), (3, 5)), ((15,), (3, 5))):
        with pytest.raises(InputError, match=rf"`labels` must have the shape {re.escape(str(wanted))}.*Received: \("):
            rules.require_labels_array("labels", shape, wanted)


def test_labels_are_classes_that_there_are():
    rules.require_labels("labels", 0, 2, 3)
    for lowest, highest in ((-1, 2), (0, 3)):
        with pytest.raises(
            InputError, match=rf"`labels` must lie in 0\.\.2, .*-100.*Received: {lowest} to {highest}\."
        ):
            rules.require_labels("labels", lowest, highest, 3)


def test_what_labels_mean():
    assert rules.problem_type(None, 1, True) == "regression"
    assert rules.problem_type(None, 3, True) == "single_label_classification"
    assert rules.problem_type(None, 3, False) == "multi_label_classification"
    assert rules.problem_type("regression", 3, True) == "regression"
    with pytest.raises(ConfigError, match="'poetry'"):
        rules.problem_type("poetry", 3, True)
