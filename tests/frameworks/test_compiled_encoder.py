"""Models whose encoder is computed by the compiled library, in PyTorch and NumPy: the answers of the network."""

import copy

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from albertkit.batches import MaskedBatch, PaddedBatch  # noqa: E402
from albertkit.kernels import library  # noqa: E402
from albertkit.numpy import infer as numpy_infer  # noqa: E402
from albertkit.torch import infer as torch_infer  # noqa: E402
from albertkit.torch.packed.compiled_encoder import CompiledPackedEmbeddings, CompiledPackedEncoder  # noqa: E402
from frameworks.common import HEADS, OF_SEVERAL, batch, difference, random_tensors, small  # noqa: E402

pytestmark = [
    pytest.mark.torch,
    pytest.mark.skipif(not library.has_precision("fp32"), reason="has no compiled library"),
]

SIZES = {"embedding_size": 32, "hidden_size": 64, "num_attention_heads": 2, "intermediate_size": 96}
ARGUMENTS = ("input_ids", "token_type_ids", "attention_mask")
BACKENDS = pytest.mark.parametrize("infer", [torch_infer, numpy_infer], ids=["torch", "numpy"])


def widths(**changes):
    return small(**SIZES, num_labels=3, **changes)


def given(head, padding="right", kind=PaddedBatch, **others):
    arrays = batch(head, padding)
    return kind(**{name: arrays[name] for name in ARGUMENTS}, **others)


def require_same(infer, head, asked, config):
    """In fp32 the outputs are those of products by the framework, wherever there is a token."""
    tensors = random_tensors(config, head)
    ours = infer.compile(config, head, tensors, device="cpu", precision="fp32")(asked)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(library, "has_precision", lambda precision: False)
        wanted = infer.compile(config, head, tensors, device="cpu", precision="fp32")(asked)
    assert ours.keys() == wanted.keys()
    for name, values in ours.items():
        counted = np.ones(values.shape, bool)
        if values.shape[:2] == asked.input_ids.shape and head not in OF_SEVERAL:
            counted[asked.attention_mask == 0] = False
        assert difference(values[counted], wanted[name][counted]) < 1e-5, name


@BACKENDS
@pytest.mark.parametrize("padding", [None, "right", "left"])
@pytest.mark.parametrize("head", HEADS)
def test_every_head_answers_as_without_the_library(infer, head, padding):
    require_same(infer, head, given(head, padding), widths())


@BACKENDS
def test_groups_and_inner_layers(infer):
    config = widths(num_hidden_groups=2, inner_group_num=2, hidden_act="gelu")
    require_same(infer, "Model", given("Model"), config)


@BACKENDS
def test_a_row_without_a_token_has_the_answer_that_it_has_without_the_library(infer):
    asked = given("ForSequenceClassification")
    asked.attention_mask[1] = 0
    require_same(infer, "ForSequenceClassification", asked, widths())


@BACKENDS
def test_masked_places_in_any_order(infer):
    positions = np.array([[1, 3], [0, 2], [1, 0], [0, 2], [0, 0], [0, 0], [0, 0], [0, 1]])
    require_same(infer, "ForMaskedLM", given("ForMaskedLM", kind=MaskedBatch, positions=positions), widths())


def test_types_of_one_row_for_all_are_read_within_their_bounds():
    config, head = widths(), "Model"
    model = torch_infer.build(config, head, random_tensors(config, head), "the test", torch.device("cpu"))
    ids = torch.arange(5, 45).view(8, 5)
    arguments = ids, torch.ones(1, 5, dtype=torch.int64), torch.arange(5).expand(8, 5)
    with torch.inference_mode():
        found = CompiledPackedEmbeddings(model.embeddings, config)(*arguments)
        assert (found - model.embeddings.eval()(*arguments)).abs().max() < 1e-5


def test_a_copy_of_a_forward_answers_as_the_first():
    config, head, asked = widths(), "Model", given("Model")
    forward = torch_infer.compile(config, head, random_tensors(config, head), device="cpu")
    model = forward.__wrapped__.__closure__
    assert any(isinstance(getattr(one.cell_contents, "encoder", None), CompiledPackedEncoder) for one in model)
    again = copy.deepcopy(forward)(asked)
    np.testing.assert_array_equal(again["last_hidden_state"], forward(asked)["last_hidden_state"])


def test_early_exit_is_not_lost_where_the_library_computes_such_a_model():
    head = "ForSequenceClassification"
    config = widths(early_exit=True, early_exit_patience=1)
    outputs = torch_infer.compile(config, head, random_tensors(config, head), device="cpu")(given(head))
    assert outputs["layers"].shape == outputs["logits"].shape[:1]


def test_numpy_answers_no_rows_with_no_rows():
    config, head = widths(), "ForTokenClassification"
    none = np.zeros((0, 5), np.int64)
    outputs = numpy_infer.compile(config, head, random_tensors(config, head))(PaddedBatch(none, none))
    assert outputs["logits"].shape == (0, 5, 3)
