import copy
import inspect
import pickle

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from albertkit import outputs
from albertkit.outputs import ALL, MaskedLMOutput, ModelOutput

FIELDS = {
    "BaseModelOutput": ["last_hidden_state", "hidden_states", "attentions"],
    "BaseModelOutputWithPooling": ["last_hidden_state", "pooler_output", "hidden_states", "attentions"],
    "AlbertForPreTrainingOutput": ["loss", "prediction_logits", "sop_logits", "hidden_states", "attentions"],
    "MaskedLMOutput": ["loss", "logits", "hidden_states", "attentions"],
    "SequenceClassifierOutput": ["loss", "logits", "hidden_states", "attentions"],
    "MultipleChoiceModelOutput": ["loss", "logits", "hidden_states", "attentions"],
    "TokenClassifierOutput": ["loss", "logits", "hidden_states", "attentions"],
    "QuestionAnsweringModelOutput": ["loss", "start_logits", "end_logits", "hidden_states", "attentions"],
    "QuestionAnsweringBeamSearchModelOutput": [
        *("loss", "start_top_log_probs", "start_top_index", "end_top_log_probs", "end_top_index", "cls_logits"),
        *("hidden_states", "attentions"),
    ],
    "SentenceEmbeddingOutput": ["loss", "sentence_embedding", "hidden_states", "attentions"],
}


@st.composite
def cases(draw):
    """A class and values for some of its fields, in any order."""
    cls = draw(st.sampled_from(ALL))
    chosen = draw(st.lists(st.sampled_from(FIELDS[cls.__name__]), unique=True))
    return cls, {name: (name, number) for number, name in enumerate(chosen)}


def check(output, values):
    """`output` holds `values`, however one looks at it."""
    names = [name for name in FIELDS[type(output).__name__] if name in values]
    assert list(output) == list(output.keys()) == names
    assert list(output.values()) == [values[name] for name in names]
    assert dict(output) == dict(**output) == values
    assert len(output) == len(values)
    assert output.to_tuple() == output[:] == tuple(values[name] for name in names)
    for position, name in enumerate(names):
        assert output[name] is output[position] is getattr(output, name) is values[name]
        assert output[position - len(names)] is values[name]
        assert name in output
    for name in set(FIELDS[type(output).__name__]) - set(names):
        assert getattr(output, name) is None
        assert name not in output
        assert output.get(name) is None
        with pytest.raises(KeyError):
            output[name]
    with pytest.raises(IndexError):
        output[len(names)]


def test_each_class_has_the_fields_of_the_old_page():
    assert {cls.__name__: list(inspect.signature(cls).parameters) for cls in ALL} == FIELDS


def test_all_lists_every_class():
    classes = inspect.getmembers(outputs, lambda value: inspect.isclass(value) and issubclass(value, ModelOutput))
    assert {cls for _, cls in classes} - {ModelOutput} == set(ALL)


@settings(max_examples=50)
@given(cases())
def test_fields_that_are_there_can_be_read_in_every_way(case):
    cls, values = case
    check(cls(**values), values)


@settings(max_examples=50)
@given(cases(), st.data())
def test_setting_fields_keeps_their_order(case, data):
    cls, values = case
    output, values = cls(**values), dict(values)
    for name in data.draw(st.lists(st.sampled_from(FIELDS[cls.__name__]))):
        value = data.draw(st.none() | st.tuples(st.integers()))
        if data.draw(st.booleans()):
            output[name] = value
        else:
            setattr(output, name, value)
        values[name] = value
        values = {name: value for name, value in values.items() if value is not None}
        check(output, values)


@settings(max_examples=50)
@given(cases())
def test_copies_hold_the_same(case):
    cls, values = case
    for move in (copy.copy, copy.deepcopy, lambda output: pickle.loads(pickle.dumps(output))):  # noqa: S301
        moved = move(cls(**values))
        assert type(moved) is cls
        assert dict(moved) == values
        assert list(moved) == [name for name in FIELDS[cls.__name__] if name in values]


@settings(max_examples=50)
@given(cases())
def test_an_output_can_be_made_anew_from_its_items_as_a_dict_can(case):
    cls, values = case
    for items in (values, cls(**values)):
        check(cls(items), values)
    for items in (list(values.items()), iter(values.items())):
        check(cls(items) if values else cls(), values)


def test_a_mapping_with_a_name_that_is_no_field_is_refused():
    with pytest.raises(KeyError, match="has the fields loss, logits"):
        MaskedLMOutput({"logit": 1})


def test_a_copy_stands_for_itself():
    output = MaskedLMOutput(logits=1)
    other = copy.copy(output)
    other.loss = 2
    assert output.loss is None
    assert list(other) == ["loss", "logits"]


def test_falsy_values_are_there():
    output = MaskedLMOutput(loss=0, logits=())
    assert list(output) == ["loss", "logits"]
    assert output[0] == 0


@pytest.mark.parametrize(
    "change",
    [
        lambda output: output.pop("logits"),
        lambda output: output.popitem(),
        lambda output: output.clear(),
        lambda output: output.update(loss=3),
        lambda output: output.setdefault("loss", 3),
        lambda output: output.__ior__({"loss": 3}),
        lambda output: output.__delitem__("logits"),
    ],
)
def test_what_would_part_keys_from_attributes_is_refused(change):
    output = MaskedLMOutput(logits=1)
    with pytest.raises(TypeError, match=r"MaskedLMOutput keeps its fields.*dict\(output\)"):
        change(output)
    check(output, {"logits": 1})


def test_a_key_that_is_no_field_is_refused():
    output = MaskedLMOutput(logits=1)
    with pytest.raises(KeyError, match=r"MaskedLMOutput has the fields loss, logits.*'logit'"):
        output["logit"] = 2
    with pytest.raises(TypeError):
        MaskedLMOutput(logit=2)
    check(output, {"logits": 1})


@pytest.mark.torch
@pytest.mark.parametrize("cls", ALL)
def test_torch_sees_the_fields_that_are_there_as_leaves(cls):
    torch = pytest.importorskip("torch")
    from torch.utils import _pytree

    import albertkit.torch.pretrained  # noqa: F401

    names = FIELDS[cls.__name__]
    output = cls(**{names[0]: torch.ones(2), names[-1]: (torch.zeros(1), torch.ones(1))})
    leaves, structure = _pytree.tree_flatten(output)
    assert [leaf.tolist() for leaf in leaves] == [[1.0, 1.0], [0.0], [1.0]]
    doubled = _pytree.tree_unflatten([leaf * 2 for leaf in leaves], structure)
    assert type(doubled) is cls
    assert list(doubled) == [names[0], names[-1]]
    assert doubled[0].tolist() == [2.0, 2.0]
