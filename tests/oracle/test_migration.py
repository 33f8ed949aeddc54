"""What docs/migration.md says of Transformers 4.57, row by row; of albertkit: tests/test_migration.py."""

import warnings

import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from transformers.models.albert import modeling_albert as peer  # noqa: E402

from frameworks.common import SMALL  # noqa: E402
from migration_page import Claims  # noqa: E402

pytestmark = [pytest.mark.oracle, pytest.mark.torch]

claims = Claims("What was put right")
IDS = torch.tensor([[2, 17, 9, 31, 3], [2, 5, 40, 3, 0]])
LABELS = torch.tensor([[-100, 4, -100, -100, -100], [-100, 8, -100, -100, -100]])


def config(**changes):
    return transformers.AlbertConfig(**{**SMALL, "initializer_range": 0.5, **changes})


def made(head, implementation="eager", **changes):
    torch.manual_seed(0)
    kind = getattr(transformers, f"Albert{head}")
    return kind._from_config(config(**changes), attn_implementation=implementation).eval()


@pytest.fixture(scope="module")
def slow(data):
    return transformers.AlbertTokenizer(str(data / "spiece.model"))


@pytest.fixture(scope="module")
def fast(data):
    return transformers.AlbertTokenizerFast(str(data / "spiece.model"))


@claims("dropout behind the feed-forward output is made and never applied")
def test_no_dropout_acts_behind_the_feed_forward_block():
    layer = peer.AlbertLayer(made("Model", hidden_dropout_prob=0.5).config).train()
    layer.attention.output_dropout.p = 0.0
    states = torch.randn(1, 5, 16)
    assert layer.dropout.p == 0.5
    assert torch.equal(layer(states)[0], layer(states)[0])


@claims("classifier dropout before the sentence-order head")
def test_dropout_acts_before_the_sentence_order_head():
    head = peer.AlbertSOPHead(config(classifier_dropout_prob=0.5)).train()
    state = torch.randn(3, 16)
    assert not torch.equal(head(state), head(state))


@claims("sentence-order head as wide as `num_labels`")
@claims("question-answering head as wide as `num_labels`")
def test_heads_are_as_wide_as_the_classes():
    assert made("ForPreTraining", num_labels=5).sop_classifier.classifier.out_features == 5
    assert made("ForQuestionAnswering", num_labels=5).qa_outputs.out_features == 5


@claims("`AlbertForPreTraining` has a loss only with both labels")
def test_one_label_makes_no_loss():
    assert made("ForPreTraining")(IDS, labels=LABELS).loss is None
    assert made("ForPreTraining")(IDS, labels=LABELS, sentence_order_label=torch.tensor([0, 1])).loss is not None


def head_mask(row):
    mask = torch.ones(4, 4)
    mask[row] = 0
    return mask


@claims("`head_mask` uses the first row of a group for all its layers")
def test_the_first_row_of_a_head_mask_stands_for_all():
    model = made("Model")
    plain = model(IDS).last_hidden_state
    assert torch.equal(model(IDS, head_mask=head_mask(2)).last_hidden_state, plain)
    masked = model(IDS, head_mask=head_mask(0), output_attentions=True)
    assert not any(probabilities.any() for probabilities in masked.attentions)


@claims("`head_mask` is dropped, and `output_attentions` warned about, under SDPA")
def test_a_head_mask_is_dropped_under_sdpa(caplog):
    model = made("Model", "sdpa")
    assert torch.equal(model(IDS, head_mask=head_mask(0)).last_hidden_state, model(IDS).last_hidden_state)
    transformers.logging.enable_propagation()
    model(IDS, output_attentions=True)
    transformers.logging.disable_propagation()
    assert "scaled_dot_product_attention" in caplog.text


@claims("3-D and 4-D attention masks fail")
@pytest.mark.parametrize("shape", [(2, 5, 5), (2, 1, 5, 5)])
@pytest.mark.parametrize("implementation", ["eager", "sdpa"])
def test_masks_of_three_and_four_axes_fail(shape, implementation):
    with pytest.raises((RuntimeError, ValueError)):
        made("Model", implementation)(IDS, torch.ones(shape))


@claims("gradient checkpointing refused")
def test_gradient_checkpointing_is_refused():
    with pytest.raises(ValueError, match="does not support gradient checkpointing"):
        made("Model").gradient_checkpointing_enable()


@claims("more inner layers than layers in a group: crash")
def test_more_inner_layers_than_layers_in_a_group_crash():
    with pytest.raises(IndexError):
        made("Model", num_hidden_groups=4, inner_group_num=3)(IDS)


@claims("`hidden_act` cannot be a function")
def test_an_activation_cannot_be_a_function():
    with pytest.raises(KeyError):
        made("Model", hidden_act=torch.tanh)


@claims("`classifier_dropout_prob=None` crashes the heads for sequences and choices")
def test_no_classifier_dropout_crashes_two_heads():
    for head in ("ForSequenceClassification", "ForMultipleChoice"):
        with pytest.raises(TypeError):
            made(head, classifier_dropout_prob=None)
    made("ForTokenClassification", classifier_dropout_prob=None)


@claims("int32 labels crash")
def test_labels_of_32_bits_crash():
    with pytest.raises(RuntimeError):
        made("ForSequenceClassification")(IDS, labels=torch.tensor([0, 1], dtype=torch.int32))
    with pytest.raises(RuntimeError):
        made("ForMaskedLM")(IDS, labels=LABELS.int())


@claims("feed-forward chunks must divide the length")
def test_chunks_must_divide_the_length():
    with pytest.raises(ValueError, match="chunk"):
        made("Model", chunk_size_feed_forward=2)(IDS)


@claims("heads that do not divide the hidden size fail later, in a shape error")
def test_heads_that_do_not_divide_the_hidden_size_fail_in_the_run():
    model = made("Model", num_attention_heads=3)
    with pytest.raises(RuntimeError, match="shape"):
        model(IDS)


@claims('an id outside the vocabulary: "index out of range in self"')
def test_an_id_outside_the_vocabulary_is_not_named():
    with pytest.raises(IndexError, match="index out of range in self"):
        made("Model")(torch.tensor([[2, 61, 3]]))


@claims("missing encoder weights start random with a warning")
def test_a_missing_tensor_of_the_encoder_starts_random(tmp_path):
    model = made("ForMaskedLM")
    tensors = {name: tensor for name, tensor in model.state_dict().items() if "attention.query" not in name}
    torch.save(tensors, tmp_path / "pytorch_model.bin")
    model.config.save_pretrained(tmp_path)
    again, info = transformers.AlbertForMaskedLM.from_pretrained(tmp_path, output_loading_info=True)
    assert len(info["missing_keys"]) == 2
    [name] = [one for one in info["missing_keys"] if one.endswith("weight")]
    assert not torch.equal(again.state_dict()[name], model.state_dict()[name])


@claims("new weights from a plain normal distribution")
def test_new_weights_go_beyond_two_standard_deviations():
    assert float(made("Model", vocab_size=20000).embeddings.word_embeddings.weight.detach().abs().max()) > 1.5


@claims("a stale index of shards survives a save")
def test_a_save_leaves_the_index_of_shards(tmp_path):
    model = made("ForMaskedLM")
    model.save_pretrained(tmp_path, max_shard_size=6000)
    model.save_pretrained(tmp_path)
    assert (tmp_path / "model.safetensors.index.json").exists()


@claims("slow tokenizer without offsets and alignments")
def test_the_slow_tokenizer_gives_no_offsets(slow):
    with pytest.raises(NotImplementedError):
        slow("the story", return_offsets_mapping=True)
    with pytest.raises(ValueError, match="not available"):
        slow("the story").word_ids()


@claims('fast tokenizer from `spiece.model` breaks words after `( ) " - .`')
def test_the_fast_tokenizer_begins_a_word_after_symbols(slow, fast):
    assert slow.tokenize("a(b)c") != fast.tokenize("a(b)c")
    assert fast.tokenize("a(b)c").count("▁b") == 1


@claims("`remove_space` ignored by the fast tokenizer, `do_lower_case` too when it reads `tokenizer.json`")
def test_the_fast_tokenizer_ignores_options(data, fast):
    text = "The  story "
    spaces = transformers.AlbertTokenizerFast(str(data / "spiece.model"), remove_space=False)
    assert spaces(text)["input_ids"] == fast(text)["input_ids"]
    file = str(data / "tokenizer.json")
    plain, cased = (transformers.AlbertTokenizerFast(tokenizer_file=file, do_lower_case=low) for low in (True, False))
    assert plain("THE")["input_ids"] == cased("THE")["input_ids"]


@claims("unknown config keywords are kept silently")
def test_an_unknown_keyword_of_a_config_is_kept():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert config(hidden_sizes=8).hidden_sizes == 8


@claims("unknown keywords of the slow tokenizer's call are logged and ignored")
def test_an_unknown_keyword_of_a_call_is_ignored(slow, fast):
    assert slow("the story", truncate=True)["input_ids"] == slow("the story")["input_ids"]
    with pytest.raises(TypeError, match="truncate"):
        fast("the story", truncate=True)


@claims("assigning a special token that the vocabulary lacks gives `<unk>`'s id")
def test_a_special_token_that_the_vocabulary_lacks_has_the_id_of_unk(data):
    for kind in (transformers.AlbertTokenizer, transformers.AlbertTokenizerFast):
        tokenizer = kind(str(data / "spiece.model"))
        tokenizer.mask_token = "<mask>"
        assert tokenizer.mask_token_id == tokenizer.unk_token_id


@claims("`problem_type` is written into the config by the first batch of labels")
def test_the_first_labels_change_the_config():
    model = made("ForSequenceClassification")
    model(IDS, labels=torch.tensor([0, 1]))
    assert model.config.problem_type == "single_label_classification"


@claims("a subclass whose encoder is not called `albert` starts random with a warning")
def test_an_encoder_under_another_name_starts_random(tmp_path):
    class Own(transformers.AlbertPreTrainedModel):
        def __init__(self, config):
            super().__init__(config)
            self.bert = transformers.AlbertModel(config)
            self.post_init()

    model = made("ForMaskedLM")
    model.save_pretrained(tmp_path)
    again, info = Own.from_pretrained(tmp_path, output_loading_info=True)
    assert info["missing_keys"]
    words = again.bert.get_input_embeddings().weight
    assert not torch.equal(words, model.get_input_embeddings().weight)


@claims("more groups than layers: IndexError")
def test_more_groups_than_layers_crash():
    with pytest.raises(IndexError):
        made("Model", num_hidden_layers=2, num_hidden_groups=3)(IDS)


@claims("`model.albert.resize_token_embeddings` makes the next call of a masked language model crash")
def test_the_head_is_not_resized_with_the_encoder_inside():
    model = made("ForMaskedLM")
    model.albert.resize_token_embeddings(70)
    assert model.get_input_embeddings().num_embeddings == 70
    with pytest.raises(RuntimeError):
        model(IDS)


@claims("`encode([5, 6])` takes ids in the slow tokenizer")
def test_ids_are_taken_for_text(slow, fast):
    assert slow.encode([5, 6]) == [2, 5, 6, 3]
    with pytest.raises(TypeError):
        fast.encode([5, 6])


# Its test is in test_checkpoint_exchange.py, which is run with Transformers 5 too.
claims("Transformers 5 gives no `token_type_ids` unless asked, so that pairs lose them")


def test_every_row_has_a_check():
    assert claims.unchecked() == []
