"""What docs/migration.md says of albertkit, row by row; of Transformers: tests/oracle/test_migration.py."""

import inspect
import re

import numpy as np
import pytest
import safetensors.torch as safetensors

torch = pytest.importorskip("torch")

import albertkit  # noqa: E402
from albertkit.config import AlbertConfig  # noqa: E402
from albertkit.errors import ConfigError, InputError, TokenIdError, WeightMismatch  # noqa: E402
from albertkit.exports import registry  # noqa: E402
from albertkit.tokenization.fast import AlbertTokenizerFast  # noqa: E402
from albertkit.tokenization.sentencepiece import AlbertTokenizer  # noqa: E402
from albertkit.torch import models  # noqa: E402
from albertkit.torch.heads import AlbertSOPHead  # noqa: E402
from albertkit.torch.layers import AlbertLayer  # noqa: E402
from frameworks.common import small  # noqa: E402
from migration_page import Claims, names_in, table  # noqa: E402

pytestmark = pytest.mark.torch

RIGHT, ABSENT, OTHERS = "What was put right", "What is not here", "From the TensorFlow and Flax classes"
FASTER = "Early exit, int8, no framework, and speed"
claims = Claims(RIGHT, ABSENT, OTHERS, FASTER)
IDS = torch.tensor([[2, 17, 9, 31, 3], [2, 5, 40, 3, 0]])
LABELS = torch.tensor([[-100, 4, -100, -100, -100], [-100, 8, -100, -100, -100]])


def made(head, **changes):
    torch.manual_seed(0)
    return getattr(models, f"Albert{head}")(small(initializer_range=0.5, **changes)).eval()


@pytest.fixture(scope="module")
def slow(data):
    return AlbertTokenizer(data / "spiece.model")


@pytest.fixture(scope="module")
def fast(data):
    return AlbertTokenizerFast(data / "spiece.model")


@claims("dropout behind the feed-forward output is made and never applied")
def test_dropout_acts_behind_the_feed_forward_block():
    layer = AlbertLayer(small(hidden_dropout_prob=0.5)).train()
    layer.attention.output_dropout.p = 0.0
    states = torch.randn(1, 5, 16)
    assert not torch.equal(layer(states)[0], layer(states)[0])


@claims("classifier dropout before the sentence-order head")
def test_no_dropout_acts_before_the_sentence_order_head():
    head = AlbertSOPHead(small(classifier_dropout_prob=0.9)).train()
    state = torch.randn(3, 16)
    assert torch.equal(head(state), head(state))


@claims("sentence-order head as wide as `num_labels`")
@claims("question-answering head as wide as `num_labels`")
def test_heads_with_two_outputs_have_two():
    assert made("ForPreTraining", num_labels=5).sop_classifier.classifier.out_features == 2
    assert made("ForQuestionAnswering", num_labels=5).qa_outputs.out_features == 2


@claims("`AlbertForPreTraining` has a loss only with both labels")
def test_each_label_makes_its_loss():
    model, order = made("ForPreTraining"), torch.tensor([0, 1])
    both = model(IDS, labels=LABELS, sentence_order_label=order).loss
    parts = model(IDS, labels=LABELS).loss + model(IDS, sentence_order_label=order).loss
    torch.testing.assert_close(both, parts)


@claims("`head_mask` uses the first row of a group for all its layers")
@claims("`head_mask` is dropped, and `output_attentions` warned about, under SDPA")
@pytest.mark.parametrize("implementation", ["sdpa", "eager"])
def test_each_row_of_a_head_mask_acts_on_its_layer(implementation):
    model, mask = made("Model"), torch.ones(4, 4)
    model.set_attn_implementation(implementation)
    mask[2] = 0
    plain, masked = (model(IDS, head_mask=given, output_attentions=True) for given in (None, mask))
    assert [bool(probabilities.any()) for probabilities in masked.attentions] == [True, True, False, True]
    assert not torch.equal(plain.last_hidden_state, masked.last_hidden_state)
    torch.testing.assert_close(masked.last_hidden_state, model(IDS, head_mask=mask).last_hidden_state)


@claims("3-D and 4-D attention masks fail")
def test_masks_of_three_and_four_axes_are_accepted():
    model, causal = made("Model"), torch.ones(5, 5).tril()
    three = model(IDS, causal.expand(2, -1, -1)).last_hidden_state
    four = model(IDS, causal.expand(2, 1, -1, -1)).last_hidden_state
    torch.testing.assert_close(three, four)
    assert not torch.equal(three, model(IDS).last_hidden_state)


@claims("gradient checkpointing refused")
@pytest.mark.parametrize("reentrant", [True, False])
def test_gradient_checkpointing_changes_no_gradient(reentrant):
    gradients = []
    for keep in (False, True):
        model = made("ForMaskedLM").train()
        if keep:
            model.gradient_checkpointing_enable({"use_reentrant": reentrant})
        model(IDS, labels=LABELS).loss.backward()
        gradients.append(model.albert.encoder.albert_layer_groups[0].albert_layers[0].ffn.weight.grad)
    torch.testing.assert_close(*gradients)


@claims("more inner layers than layers in a group: crash")
def test_a_group_may_have_more_inner_layers_than_layers():
    assert len(made("Model", num_hidden_groups=4, inner_group_num=3)(IDS, output_attentions=True).attentions) == 12


@claims("`hidden_act` cannot be a function")
def test_an_activation_can_be_a_function():
    given, named = made("Model", hidden_act=torch.tanh), made("Model", hidden_act="tanh")
    torch.testing.assert_close(given(IDS).last_hidden_state, named(IDS).last_hidden_state)


@claims("`classifier_dropout_prob=None` crashes the heads for sequences and choices")
def test_no_classifier_dropout_means_that_of_the_encoder():
    for head in ("ForSequenceClassification", "ForMultipleChoice", "ForTokenClassification"):
        assert made(head, classifier_dropout_prob=None, hidden_dropout_prob=0.25).dropout.p == 0.25


@claims("int32 labels crash")
def test_labels_of_32_bits_are_accepted():
    for head, labels in {"ForSequenceClassification": torch.tensor([0, 1]), "ForMaskedLM": LABELS}.items():
        model = made(head)
        assert model(IDS, labels=labels.int()).loss == model(IDS, labels=labels).loss


@claims("feed-forward chunks must divide the length")
def test_chunks_need_not_divide_the_length():
    whole, parts = (made("Model", chunk_size_feed_forward=size)(IDS).last_hidden_state for size in (0, 2))
    torch.testing.assert_close(whole, parts)


@claims("heads that do not divide the hidden size fail later, in a shape error")
def test_heads_that_do_not_divide_the_hidden_size_are_refused():
    with pytest.raises(ConfigError, match="num_attention_heads"):
        small(num_attention_heads=3)


@claims('an id outside the vocabulary: "index out of range in self"')
def test_an_id_outside_the_vocabulary_is_named():
    with pytest.raises(TokenIdError, match=r"input_ids.*60.*61"):
        made("Model")(torch.tensor([[2, 61, 3]]))


@claims("missing encoder weights start random with a warning")
def test_a_missing_tensor_of_the_encoder_is_an_error(tmp_path):
    model = made("ForMaskedLM")
    tensors = {name: tensor for name, tensor in model.state_dict().items() if "attention.query" not in name}
    torch.save(tensors, tmp_path / "pytorch_model.bin")
    model.config.save_pretrained(tmp_path)
    with pytest.raises(WeightMismatch, match="query"):
        models.AlbertForMaskedLM.from_pretrained(tmp_path)


@claims("new weights from a plain normal distribution")
def test_new_weights_are_cut_at_two_standard_deviations():
    weight = made("Model", vocab_size=20000).embeddings.word_embeddings.weight.detach()
    assert 0.8 < float(weight.abs().max()) <= 1.0  # of a standard deviation of 0.5


@claims("a stale index of shards survives a save")
def test_a_save_removes_the_index_of_shards(tmp_path):
    model = made("ForMaskedLM")
    model.save_pretrained(tmp_path, max_shard_size=6000)
    assert (tmp_path / "model.safetensors.index.json").exists()
    model.save_pretrained(tmp_path)
    assert [path.name for path in tmp_path.glob("model*")] == ["model.safetensors"]


@claims("slow tokenizer without offsets and alignments")
def test_the_slow_tokenizer_gives_offsets(slow, fast):
    text = "the story is good"
    first, second = (one(text, return_offsets_mapping=True) for one in (slow, fast))
    assert first["offset_mapping"] == second["offset_mapping"]
    assert first.word_ids() == second.word_ids()
    assert first.char_to_token(4) == second.char_to_token(4)


@claims('fast tokenizer from `spiece.model` breaks words after `( ) " - .`')
def test_the_fast_tokenizer_gives_the_ids_of_the_slow_one(slow, fast):
    for text in ("a(b)c", 'the "story"-line.and more'):
        assert fast(text)["input_ids"] == slow(text)["input_ids"]


@claims("`remove_space` ignored by the fast tokenizer, `do_lower_case` too when it reads `tokenizer.json`")
@pytest.mark.parametrize("option", ["remove_space", "do_lower_case"])
def test_options_of_cleaning_are_honoured(data, option, fast):
    text = "The  story "
    slow, other = (kind(data / "spiece.model", **{option: False}) for kind in (AlbertTokenizer, AlbertTokenizerFast))
    assert other(text)["input_ids"] == slow(text)["input_ids"]
    assert other("THE")["input_ids"] != fast("THE")["input_ids"] or option == "remove_space"


@claims("Transformers 5 gives no `token_type_ids` unless asked, so that pairs lose them")
def test_pairs_have_token_types(slow, fast):
    for tokenizer in (slow, fast):
        assert set(tokenizer("the", "story")["token_type_ids"]) == {0, 1}


@claims("unknown config keywords are kept silently")
def test_an_unknown_keyword_of_a_config_is_kept_and_a_typing_error_refused(caplog):
    with pytest.raises(ConfigError, match="hidden_size"):
        AlbertConfig(hiden_size=8)
    assert '"zebra_weight": 3' in AlbertConfig(zebra_weight=3).to_json_string()
    assert "zebra_weight" in caplog.text


@claims("a subclass whose encoder is not called `albert` starts random with a warning")
def test_an_encoder_is_found_under_any_name(tmp_path):
    class Own(models.AlbertPreTrainedModel):
        def __init__(self, config):
            super().__init__(config)
            self.bert = models.AlbertModel(config)
            self.post_init()

    model = made("ForMaskedLM")
    model.save_pretrained(tmp_path)
    encoder = Own.from_pretrained(tmp_path).bert
    assert torch.equal(encoder.get_input_embeddings().weight, model.get_input_embeddings().weight)


@claims("more groups than layers: IndexError")
def test_there_may_be_more_groups_than_layers():
    assert made("Model", num_hidden_layers=2, num_hidden_groups=3)(IDS).last_hidden_state.shape == (2, 5, 16)


@claims("`model.albert.resize_token_embeddings` makes the next call of a masked language model crash")
def test_the_encoder_inside_is_not_resized_alone():
    with pytest.raises(InputError, match="resize_token_embeddings"):
        made("ForMaskedLM").albert.resize_token_embeddings(70)


@claims("`encode([5, 6])` takes ids in the slow tokenizer")
def test_ids_are_no_text(slow, fast):
    for tokenizer in (slow, fast):
        with pytest.raises(InputError, match="prepare_for_model"):
            tokenizer.encode([5, 6])
        assert tokenizer.prepare_for_model([5, 6])["input_ids"] == [2, 5, 6, 3]


@claims("unknown keywords of the slow tokenizer's call are logged and ignored")
def test_an_unknown_keyword_of_a_call_is_an_error(slow, fast):
    for tokenizer in (slow, fast):
        with pytest.raises(TypeError, match="truncate"):
            tokenizer("the story", truncate=True)


@claims("assigning a special token that the vocabulary lacks gives `<unk>`'s id")
def test_a_special_token_that_the_vocabulary_lacks_is_an_error(data):
    with pytest.raises(InputError, match="add_special_tokens"):
        AlbertTokenizer(data / "spiece.model").mask_token = "<mask>"


@claims("`problem_type` is written into the config by the first batch of labels")
def test_labels_do_not_change_the_config():
    model = made("ForSequenceClassification")
    model(IDS, labels=torch.tensor([0, 1]))
    model(IDS, labels=torch.tensor([[0.0, 1.0], [1.0, 1.0]]))
    assert model.config.problem_type is None


@claims("generation (`generate`)")
def test_models_do_not_generate():
    assert not made("ForMaskedLM").can_generate()
    assert not hasattr(models.AlbertForMaskedLM, "generate")


@claims("chat templates (`apply_chat_template`)")
@claims("`prepare_seq2seq_batch`")
def test_methods_for_other_work_are_absent_and_targets_become_labels(slow, fast):
    for tokenizer in (slow, fast):
        assert not any(hasattr(tokenizer, name) for name in ("apply_chat_template", "prepare_seq2seq_batch"))
        assert tokenizer(["the story"], text_target=["the plot"])["labels"] == [tokenizer("the plot")["input_ids"]]


@claims("relative positions (`position_embedding_type`)")
@claims("head pruning (`prune_heads`, `pruned_heads`)")
@pytest.mark.parametrize("key", [{"position_embedding_type": "relative_key"}, {"pruned_heads": {0: [1]}}])
def test_what_no_model_could_be_built_for_is_refused(key):
    with pytest.raises(ConfigError, match=next(iter(key))):
        small(**key)
    assert not hasattr(models.AlbertModel, "prune_heads")


@claims("the `torchscript` flag")
@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning", "ignore:.*torch.jit.trace.*:DeprecationWarning")
def test_the_torchscript_flag_changes_nothing_and_there_are_ways_without():
    model = made("Model", torchscript=True)
    expected = model(IDS)
    assert not isinstance(expected, tuple)
    exported = torch.export.export(model, (IDS,)).module()
    torch.testing.assert_close(exported(IDS).last_hidden_state, expected.last_hidden_state)
    model.config.return_dict = False
    torch.testing.assert_close(torch.jit.trace(model, (IDS,))(IDS)[0], expected.last_hidden_state)


@claims("`flash_attention_2`")
@claims("`flex_attention`")
@pytest.mark.parametrize("name", ["flash_attention_2", "flex_attention"])
def test_other_kinds_of_attention_are_refused_with_the_way_out(name):
    with pytest.raises(ConfigError, match="sdpa"):
        made("Model").set_attn_implementation(name)


@claims("`safe_serialization=False`")
def test_a_pickle_is_written_by_torch_and_read(tmp_path):
    model = made("ForMaskedLM")
    with pytest.raises(InputError, match=r"torch\.save"):
        model.save_pretrained(tmp_path, safe_serialization=False)
    model.config.save_pretrained(tmp_path)
    torch.save(model.state_dict(), tmp_path / "pytorch_model.bin")
    torch.testing.assert_close(models.AlbertForMaskedLM.from_pretrained(tmp_path)(IDS).logits, model(IDS).logits)


@claims("`config.dtype` as a `torch.dtype`")
def test_a_precision_is_a_string():
    assert small(dtype=torch.float16).dtype == small(dtype="float16").dtype == "float16"


@claims("`overflowing_tokens` of the slow tokenizer")
def test_what_is_cut_comes_in_windows_or_is_counted(slow, fast):
    options = {"truncation": True, "max_length": 5}
    for tokenizer in (slow, fast):
        windows = tokenizer("the story is good", return_overflowing_tokens=True, **options)
        assert "overflowing_tokens" not in windows
        assert set(windows["overflow_to_sample_mapping"]) == {0}
        assert len(windows["input_ids"]) > 1
        assert tokenizer(["the story is good"], **options).truncated[0] > 0


@claims("Auto classes")
@claims("`AlbertOnnxConfig`")
def test_names_that_are_not_public():
    assert not {"AutoModel", "AutoTokenizer", "AlbertOnnxConfig"} & set(albertkit.__all__)


@claims("exporters (of `transformers.onnx`, `transformers.exporters`, Optimum)")
def test_the_formats_of_exports_are_named():
    (cell,) = (row[1] for row in table(ABSENT) if row[0].startswith("exporters"))
    assert names_in(cell) == ["albertkit export", *registry.names()]


@claims("`init` and `apply` of `FlaxAlbert...Module`")
@pytest.mark.flax
def test_modules_of_flax_are_those_of_nnx():
    nnx = pytest.importorskip("flax.nnx")
    flax_models = pytest.importorskip("albertkit.flax.models")
    module = flax_models.FlaxAlbertForMaskedLMModule
    assert issubclass(module, nnx.Module)
    assert not hasattr(module, "init")
    assert not hasattr(module, "apply")


@claims("a save of incomplete Flax parameters")
@pytest.mark.flax
def test_incomplete_flax_parameters_are_not_saved(tmp_path):
    pytest.importorskip("flax")
    model = albertkit.FlaxAlbertModel(small())
    parameters = dict(model.params)
    name = sorted(parameters)[0]
    del parameters[name]
    with pytest.raises(ValueError, match=name):
        model.save_pretrained(tmp_path, params=parameters)
    assert not any(tmp_path.iterdir())


@claims("pipelines of Transformers around our models")
def test_a_pipeline_of_our_own_is_there():
    from albertkit.pipelines import pipeline

    assert pipeline("fill-mask", "albertkit/small-en", "torch")("The [MASK] is open.", top_k=1)


@claims("methods for every kind of model")
def test_absent_methods_are_listed():
    for owner, methods in table(ABSENT, number=1):
        for name in methods.replace("`", "").split(", "):
            if owner.strip("`") in ("AlbertPreTrainedModel", "AlbertConfig", "AlbertTokenizer", "AlbertTokenizerFast"):
                assert not hasattr(getattr(albertkit, owner.strip("`")), name), (owner, name)


def options_of(command):
    typer = pytest.importorskip("typer")
    from albertkit.cli.app import app

    found = typer.main.get_command(app)
    for name in command.split():
        found = found.get_command(None, name)
    return {option for parameter in found.params for option in parameter.opts}


@pytest.fixture
def classifier(fast, tmp_path):
    model = made("ForSequenceClassification", vocab_size=len(fast), num_hidden_layers=4, early_exit=True)
    model.save_pretrained(tmp_path)
    fast.save_pretrained(tmp_path)
    return tmp_path


@claims("`run_glue_with_pabee.py` and `AlbertForSequenceClassificationWithPabee`, for one text at a time")
def test_texts_stop_early_in_any_number_and_a_classifier_for_each_layer_is_refused(classifier):
    texts = ["the film", "a story of a man", "the end"]
    stopping = albertkit.pipeline("text-classification", classifier, "torch", patience=1)
    together = [one["layers"] for one in stopping.outputs(texts)]
    assert together == [next(stopping.outputs([text]))["layers"] for text in texts]
    assert min(together) < 4
    assert "--early-exit" in options_of("finetune text-classification")
    assert "--patience" in options_of("predict") & options_of("evaluate")
    tensors = safetensors.load_file(classifier / "model.safetensors")
    for name in ("weight", "bias"):
        kept = tensors.pop(f"classifier.{name}")
        tensors |= {f"classifiers.{layer}.{name}": kept.clone() for layer in range(4)}
    safetensors.save_file(tensors, classifier / "model.safetensors")
    with pytest.raises(WeightMismatch, match=r"lacks classifier.weight, classifier.bias"):
        albertkit.pipeline("text-classification", classifier, "torch", patience=1)


@claims("`quantize_dynamic(model, {torch.nn.Linear})` of PyTorch")
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")
def test_dynamic_quantisation_replaces_every_linear_layer():
    model = made("ForSequenceClassification")
    linear = [name for name, layer in model.named_modules() if type(layer) is torch.nn.Linear]
    quantised = torch.ao.quantization.quantize_dynamic(model, {torch.nn.Linear})
    assert [
        n for n, layer in quantised.named_modules() if type(layer) is torch.ao.nn.quantized.dynamic.Linear
    ] == linear
    assert len(linear) == 9
    assert "--calibrate" in options_of("quantize")


@claims("`load_in_8bit`, `load_in_4bit`, `BitsAndBytesConfig`")
@pytest.mark.parametrize("keyword", ["load_in_8bit", "load_in_4bit", "quantization_config"])
def test_quantising_while_loading_is_refused_with_what_to_do(classifier, keyword):
    with pytest.raises(InputError, match=r'dtype="bfloat16".*`albertkit quantize`'):
        models.AlbertForSequenceClassification.from_pretrained(classifier, **{keyword: True})


@claims("a pipeline needs PyTorch, TensorFlow or JAX")
def test_a_pipeline_answers_without_a_framework(classifier):
    texts = ["the film", "a story of a man"]
    bare = albertkit.pipeline("text-classification", classifier, framework="numpy")(texts, top_k=None)
    full = albertkit.pipeline("text-classification", classifier, framework="torch")(texts, top_k=None)
    for one, other in zip(bare, full, strict=True):
        assert {each["label"]: each["score"] for each in one} == pytest.approx(
            {each["label"]: each["score"] for each in other}, abs=1e-5
        )


@claims("a script of one's own for speed and memory, in the place of the `PyTorchBenchmark` that is gone")
def test_a_command_measures_speed_and_memory():
    assert {"--backends", "--precisions", "--data", "--json"} <= options_of("bench")


def in_tensorflow(head, **changes):
    pytest.importorskip("tensorflow")
    return getattr(albertkit, f"TFAlbert{head}")(small(initializer_range=0.5, **changes))


def in_flax(head, **changes):
    pytest.importorskip("flax")
    return getattr(albertkit, f"FlaxAlbert{head}")(small(initializer_range=0.5, **changes))


@claims("Keras 2 through tf_keras")
@pytest.mark.tensorflow
def test_tensorflow_models_are_keras_3_models():
    model, keras = in_tensorflow("Model"), pytest.importorskip("keras")
    assert isinstance(model, keras.Model)
    assert keras.__version__.startswith("3.")


@claims("TF: no head mask")
@claims("TF: masked scores get -10000")
@pytest.mark.tensorflow
def test_tensorflow_masks_heads_and_hides_places_altogether():
    model, ids = in_tensorflow("Model"), IDS.numpy()
    mask = np.ones((4, 4), np.float32)
    mask[2] = 0
    attentions = model(input_ids=ids, head_mask=mask, output_attentions=True).attentions
    assert [bool(np.any(probabilities)) for probabilities in attentions] == [True, True, False, True]
    hidden = np.array([[1, 1, 1, 1, 0]] * 2)
    shown = model(input_ids=ids, attention_mask=hidden, output_attentions=True).attentions
    assert not any(np.any(probabilities[..., 4]) for probabilities in shown)


@claims("TF: no several labels at once")
@claims("TF: a loss a row")
@pytest.mark.tensorflow
def test_tensorflow_learns_several_classes_with_one_mean():
    model, labels = in_tensorflow("ForSequenceClassification"), np.array([[0.0, 1.0], [1.0, 1.0]], np.float32)
    loss = model(input_ids=IDS.numpy(), labels=labels).loss
    assert loss.shape == ()
    logits = model(input_ids=IDS.numpy()).logits.numpy()
    expected = torch.nn.functional.binary_cross_entropy_with_logits(torch.tensor(logits), torch.tensor(labels))
    assert float(loss) == pytest.approx(float(expected), rel=1e-5)


@claims("TF: no clamped answer positions")
@pytest.mark.tensorflow
def test_tensorflow_leaves_out_answers_beyond_the_text():
    model = in_tensorflow("ForQuestionAnswering")
    found = [
        float(model(input_ids=IDS.numpy(), start_positions=np.array(start), end_positions=np.array([1, 1])).loss)
        for start in ([2, 9], [2, 7], [-3, 9], [0, 9])
    ]
    assert found[0] == found[1]
    assert found[2] == found[3]


@claims("TF: `tie_word_embeddings=False` ignored, a second unused bias")
@pytest.mark.tensorflow
def test_tensorflow_has_a_decoder_of_its_own_where_weights_are_not_tied():
    tied, untied = (in_tensorflow("ForMaskedLM", tie_word_embeddings=tie).num_parameters() for tie in (True, False))
    assert untied - tied == 61 * 8
    assert list(in_tensorflow("ForMaskedLM").get_bias()) == ["bias"]


@claims("TF: cannot read PyTorch's safetensors")
@claims("TF and Flax weights in PyTorch classes silently leave a model without values")
@pytest.mark.tensorflow
@pytest.mark.flax
def test_every_class_reads_the_same_folder(tmp_path):
    there = in_tensorflow("ForMaskedLM")
    there.save_pretrained(tmp_path / "tf")
    here = models.AlbertForMaskedLM.from_pretrained(tmp_path / "tf")
    assert not here.load_report.loading_info()["missing_keys"]
    expected = here(IDS).logits.detach().numpy()
    np.testing.assert_allclose(there(input_ids=IDS.numpy()).logits, expected, atol=1e-4)
    here.save_pretrained(tmp_path / "pt")
    pytest.importorskip("flax")
    for kind in (albertkit.TFAlbertForMaskedLM, albertkit.FlaxAlbertForMaskedLM):
        found = kind.from_pretrained(tmp_path / "pt")(input_ids=IDS.numpy()).logits
        np.testing.assert_allclose(found, expected, atol=1e-4)


@claims("Flax: no losses")
@claims("Flax: no `inputs_embeds` and head mask")
@pytest.mark.flax
def test_flax_has_losses_embeddings_and_head_masks():
    model = in_flax("ForMaskedLM")
    assert model(IDS.numpy(), labels=LABELS.numpy()).loss.shape == ()
    assert {"inputs_embeds", "head_mask"} <= set(inspect.signature(type(model).__call__).parameters)
    mask = np.ones((4, 4), np.float32)
    mask[2] = 0
    attentions = model(IDS.numpy(), head_mask=mask, output_attentions=True).attentions
    assert [bool(np.any(probabilities)) for probabilities in attentions] == [True, True, False, True]
    assert model(inputs_embeds=np.ones((1, 3, 8), np.float32)).logits.shape == (1, 3, 61)


@claims("Flax: no resizing")
@claims("Flax: no gradient checkpointing")
@pytest.mark.flax
def test_flax_resizes_and_checkpoints_gradients():
    model = in_flax("ForMaskedLM")
    model.resize_token_embeddings(64)
    model.gradient_checkpointing_enable()
    assert model.is_gradient_checkpointing
    assert model(IDS.numpy()).logits.shape == (2, 5, 64)


@claims("Flax: NaN for ids outside the vocabulary and texts that are too long")
@pytest.mark.flax
def test_flax_refuses_ids_outside_the_vocabulary_and_texts_that_are_too_long():
    model = in_flax("Model")
    with pytest.raises(TokenIdError, match="61"):
        model(np.array([[2, 61, 3]]))
    with pytest.raises(InputError, match=r"17.*16|16.*17"):
        model(np.ones((1, 17), np.int32))


@claims("Flax: heads start from another distribution")
@pytest.mark.flax
def test_flax_heads_start_as_all_others():
    kernel = np.asarray(in_flax("ForTokenClassification", num_labels=500).classifier.kernel[...])
    assert 0.8 < np.abs(kernel).max() <= 1.0  # of a standard deviation of 0.5


@pytest.mark.parametrize("row", table("Signatures that differ"), ids=lambda row: row[0].strip("`"))
def test_signatures_are_as_stated(row):
    (name,) = names_in(row[0])
    owner, _, method = name.partition(".")
    pytest.importorskip({"T": "tensorflow", "F": "flax"}.get(owner[0], "torch"))
    owner = owner.replace("FlaxAlbertPreTrainedModel", "FlaxAlbertModel") if method == "__call__" else owner
    given = inspect.signature(getattr(getattr(albertkit, owner), method)).parameters
    absent = names_in(re.sub(r".*\bno ((`\w+`(, )?)+).*|.*", r"\1", row[1]))
    assert not set(absent) & set(given)
    if absent and "by keyword" not in row[1]:
        return
    positional = [one for one in given.values() if one.kind is one.POSITIONAL_OR_KEYWORD][1:]
    if "all but the name by keyword" in row[1]:
        assert len(positional) == (0 if owner == "AlbertConfig" and method == "from_pretrained" else 1)
    elif "all but the texts by keyword" in row[1]:
        assert 1 <= len(positional) <= 2
    elif "by keyword" in row[1]:
        assert positional[-1].name == names_in(row[1])[0]
    else:
        assert names_in(row[1])[0].partition("=")[0] in given


def test_every_row_has_a_check():
    assert claims.unchecked() == []
