"""PyTorch models in the hands of people: classes of their own, layers of their own, weights of Kokoro and StyleTTS2."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch import distributed, nn  # noqa: E402

import albertkit  # noqa: E402
from albertkit.batches import PaddedBatch  # noqa: E402
from albertkit.config import AlbertConfig  # noqa: E402
from albertkit.errors import InputError, TokenIdError, WeightMismatch  # noqa: E402
from albertkit.torch import train  # noqa: E402
from frameworks.common import random_tensors, small  # noqa: E402

pytestmark = pytest.mark.torch

PLBERT = {  # of the config.yml that Kokoro and StyleTTS2 build their encoder from
    "vocab_size": 178,
    "hidden_size": 24,
    "num_attention_heads": 12,
    "intermediate_size": 32,
    "max_position_embeddings": 32,
    "num_hidden_layers": 3,
    "dropout": 0.1,
}


class CustomAlbert(albertkit.AlbertModel):
    """As Kokoro and StyleTTS2 have it."""

    def forward(self, *args, **kwargs):
        outputs = super().forward(*args, **kwargs)
        return outputs.last_hidden_state


def phoneme_state(model, prefix):
    """A checkpoint of PL-BERT: names as of Transformers behind a prefix, with the buffers of older releases."""
    state = {f"{prefix}{name}": values.clone() for name, values in model.state_dict().items()}
    state[f"{prefix}embeddings.position_ids"] = torch.arange(32)[None]
    return state | {"module.mask_predictor.weight": torch.zeros(178, 24), "module.word_predictor.bias": torch.zeros(9)}


def test_an_encoder_of_phonemes_loads_as_its_programs_load_it():
    source, ids = CustomAlbert(AlbertConfig(**PLBERT)).eval(), torch.tensor([[3, 177, 16, 9]])
    stored = phoneme_state(source, "module.encoder.")
    found = {}
    for name, values in stored.items():
        name = name[7:]
        if name.startswith("encoder."):
            found[name[8:]] = values
    bert = CustomAlbert(AlbertConfig(**PLBERT)).eval()
    assert not torch.equal(bert(ids), source(ids))
    missing, unexpected = bert.load_state_dict(found, strict=False)
    assert (missing, unexpected) == ([], [])
    assert torch.equal(bert(ids, attention_mask=torch.ones(1, 4).int()), source(ids))
    assert CustomAlbert(AlbertConfig(**PLBERT)).load_state_dict(found).missing_keys == []


@pytest.mark.parametrize("prefix", ["module.", "encoder.", "module.encoder.", "bert.module."])
def test_an_encoder_of_phonemes_is_read_from_a_state_dict_whatever_stands_before_its_names(prefix):
    source, ids = CustomAlbert(AlbertConfig(**PLBERT)).eval(), torch.tensor([[3, 177, 16, 9]])
    stored = phoneme_state(source, prefix)
    model = CustomAlbert.from_pretrained(None, config=AlbertConfig(**PLBERT), state_dict=stored)
    assert torch.equal(model(ids), source(ids))
    assert model.load_report.newly_initialized == ()


def test_an_encoder_of_phonemes_is_saved_with_its_own_keys(tmp_path):
    model, ids = CustomAlbert(AlbertConfig(**PLBERT)).eval(), torch.tensor([[3, 177, 16, 9]])
    model.save_pretrained(tmp_path)
    again = CustomAlbert.from_pretrained(tmp_path)
    assert torch.equal(again(ids), model(ids))
    assert again.config.dropout == 0.1


def test_a_subclass_draws_its_layers_by_its_own_rule(tmp_path):
    class Own(albertkit.AlbertPreTrainedModel):
        def __init__(self, config):
            super().__init__(config)
            self.num_labels = config.num_labels
            self.albert = albertkit.AlbertModel(config)
            self.scorer = torch.nn.Linear(config.hidden_size, self.num_labels)
            self.norm = torch.nn.LayerNorm(config.hidden_size)
            self.init_weights()

        def _init_weights(self, module):
            super()._init_weights(module)
            if isinstance(module, torch.nn.Linear):
                module.weight.data.fill_(0.25)

    model = Own(small())
    albertkit.AlbertModel(small()).save_pretrained(tmp_path)
    for found in (model, Own.from_pretrained(tmp_path)):
        assert (found.scorer.weight == 0.25).all()
        assert (found.scorer.bias == 0).all()
        assert not (found.albert.pooler.weight == 0.25).any()
    model.scorer.weight.data.fill_(0.5)
    model.save_pretrained(tmp_path / "own")
    assert (Own.from_pretrained(tmp_path / "own").scorer.weight == 0.5).all()


def test_a_resized_embedding_keeps_its_type():
    class Scaled(torch.nn.Embedding):
        def forward(self, ids):
            return super().forward(ids) * 2

    model = albertkit.AlbertForMaskedLM(small())
    model.set_input_embeddings(Scaled(61, 8, padding_idx=0))
    layer = model.resize_token_embeddings(70)
    assert layer is model.get_input_embeddings()
    assert type(layer) is Scaled
    assert (layer.num_embeddings, layer.padding_idx, layer.weight.shape) == (70, 0, (70, 8))
    assert model.get_output_embeddings().weight is layer.weight
    assert model.vocab_size == 70


def test_a_decoder_of_its_own_survives_resizing(tmp_path):
    model = albertkit.AlbertForMaskedLM(small()).eval()
    decoder = torch.nn.Linear(8, 61)
    rows = decoder.weight.detach().clone()
    model.predictions.decoder = decoder
    model.resize_token_embeddings(64)
    assert torch.equal(model.predictions.decoder.weight[:61], rows)
    model.save_pretrained(tmp_path)
    ids = torch.tensor([[2, 5, 63]])
    assert torch.allclose(albertkit.AlbertForMaskedLM.from_pretrained(tmp_path)(ids).logits, model(ids).logits)


def test_a_decoder_without_a_bias_is_saved_without_that_of_the_head(tmp_path):
    model, ids = albertkit.AlbertForMaskedLM(small()).eval(), torch.tensor([[2, 5, 7]])
    model.predictions.bias.data.fill_(3)
    model.predictions.decoder = torch.nn.Linear(8, 61, bias=False)
    model.save_pretrained(tmp_path)
    assert torch.allclose(albertkit.AlbertForMaskedLM.from_pretrained(tmp_path)(ids).logits, model(ids).logits)


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")
def test_what_holds_no_plain_values_is_refused_before_anything_is_written(tmp_path):
    model = albertkit.AlbertForSequenceClassification(small())
    with torch.device("meta"):
        empty = albertkit.AlbertForSequenceClassification(small())
    quantised = torch.ao.quantization.quantize_dynamic(model, {torch.nn.Linear})
    torch.nn.utils.parametrizations.weight_norm(model.classifier)
    for changed, words in ((quantised, "quantised"), (empty, "without values"), (model, "lacks classifier.weight")):
        with pytest.raises((InputError, WeightMismatch), match=words):
            changed.save_pretrained(tmp_path / "saved")
    assert not (tmp_path / "saved").exists()


def test_a_compiled_part_is_saved_under_its_own_names(tmp_path):
    model, ids = albertkit.AlbertForMaskedLM(small()).eval(), torch.tensor([[2, 5, 7]])
    before = model(ids).logits
    model.albert = torch.compile(model.albert, backend="eager")
    model.save_pretrained(tmp_path)
    again = albertkit.AlbertForMaskedLM.from_pretrained(tmp_path)
    assert torch.equal(again(ids).logits, before)
    assert again.load_report.unexpected == ()


def test_layers_of_a_type_of_ones_own_are_announced(tmp_path, caplog):
    class Scaled(torch.nn.Linear):
        def forward(self, x):
            return 2 * super().forward(x)

    model = albertkit.AlbertForSequenceClassification(small())
    model.classifier = Scaled(16, 2)
    model.save_pretrained(tmp_path)
    assert "layers of other kinds than reading builds: classifier (Scaled)" in caplog.text


def test_another_activation_behind_the_pooler_acts_and_is_announced_where_it_is_saved(tmp_path, caplog):
    model = albertkit.AlbertForSequenceClassification(small()).eval()
    ids = torch.tensor([[2, 5, 3]])
    before = model.albert(ids).pooler_output
    model.albert.pooler_activation = torch.nn.Identity()
    torch.testing.assert_close(model.albert(ids).pooler_output.tanh(), before)
    model.save_pretrained(tmp_path)
    assert "layers of other kinds than reading builds: pooler_activation (Identity)" in caplog.text


def test_what_people_ask_of_models_and_of_their_classes():
    model = albertkit.AlbertForTokenClassification(small(num_labels=5))
    assert (model.num_labels, model.vocab_size, type(model).can_generate()) == (5, 61, False)
    model.num_labels = 5
    model.num_labels = 3
    assert model.config.num_labels == 3


def test_the_old_function_gives_a_model_the_weights_of_the_original_code(data):
    prefix = next(data.glob("**/model.ckpt*.index")).with_suffix("")
    config = AlbertConfig.from_json_file(next(prefix.parent.glob("albert_config.json")))
    model = albertkit.AlbertModel(config)
    assert albertkit.load_tf_weights_in_albert(model, config, prefix) is model
    expected = albertkit.AlbertModel.from_pretrained(prefix)
    assert all(torch.equal(one, other) for one, other in zip(model.parameters(), expected.parameters(), strict=True))


def test_groups_that_never_run_do_not_stop_distributed_training(tmp_path):
    config = small(num_hidden_layers=2, num_hidden_groups=3)
    tensors = random_tensors(config, "ForSequenceClassification")
    state = train.init_state(config, "ForSequenceClassification", tensors)
    distributed.init_process_group("gloo", init_method=f"file://{tmp_path}/meeting", rank=0, world_size=1)
    try:
        objective = nn.parallel.DistributedDataParallel(state.objective)
        batch = PaddedBatch(*(np.ones((2, 3), np.int64) for _ in range(3)), labels=np.array([0, 1]))
        for _ in range(2):  # the second pass fails where a parameter has waited in vain for its gradient
            sum(objective(batch).values()).backward()
        # Its threads would let go of what they have exchanged while this one, with Python's lock, waits for their end.
        distributed.barrier()
    finally:
        distributed.destroy_process_group()
    idle = state.model.albert.encoder.albert_layer_groups[2]
    assert all(parameter.grad is None for parameter in idle.parameters())


def test_what_stands_for_an_embedding_needs_a_weight_alone():
    # PEFT puts a module in its place that has no `num_embeddings`.
    class Adapted(nn.Module):
        def __init__(self, base):
            super().__init__()
            self.base_layer, self.change = base, nn.Parameter(torch.ones(base.embedding_dim))

        @property
        def weight(self):
            return self.base_layer.weight

        def forward(self, ids):
            return self.base_layer(ids) + self.change

    model = albertkit.AlbertModel(small()).eval()
    ids = torch.tensor([[2, 5, 3]])
    before = model(ids).last_hidden_state
    model.embeddings.word_embeddings = Adapted(model.embeddings.word_embeddings)
    assert not torch.equal(model(ids).last_hidden_state, before)
    with pytest.raises(TokenIdError):
        model(torch.tensor([[2, 10**6, 3]]))
