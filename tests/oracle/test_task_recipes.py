"""The ways in which people fine-tune for each task with Transformers' tools, with our tokenizers and models.

The steps of its guides: words and their labels, questions with windows of contexts, choices; then a step of `Trainer`,
and what is saved answers as before. Adapters of PEFT are shared by all depths.
"""

import numpy as np
import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
datasets = pytest.importorskip("datasets")
peft = pytest.importorskip("peft")
pytest.importorskip("accelerate")

from transformers.data import data_collator as collators  # noqa: E402

from albertkit import pipeline  # noqa: E402
from albertkit.checkpoint import files  # noqa: E402
from albertkit.config import AlbertConfig  # noqa: E402
from albertkit.torch import models  # noqa: E402
from albertkit.weight_table import expected as expected_shapes  # noqa: E402
from oracle.test_training_tools import SIZES, assert_same_batch, tokenizers  # noqa: E402

pytestmark = [pytest.mark.oracle, pytest.mark.torch]

SENTENCES = [
    ["the", "film", "of", "Peter", "Blackburn", "(1999)"],
    ["a", "story"],
    ["New", "York,", "and", "so", "on", "."],
    ["Who?"],
]
TAGS = [[0, 0, 0, 1, 2, 0], [0, 0], [3, 4, 0, 0, 0, 0], [0]]
CONTEXT = 'the film  of Peter Blackburn was shown in "New York" and nobody in (the) city had seen such a story before'
ASKED = {
    "question": ["where was it shown?", "who made it?", "when?"],
    "context": [CONTEXT, CONTEXT, "in 1999"],
    "start": [CONTEXT.index("New York"), CONTEXT.index("Peter"), 3],
    "answer": ["New York", "Peter Blackburn", "1999"],
}


@pytest.fixture(scope="module", params=["slow", "fast"])
def ours(request, data):
    return tokenizers(request.param, data)[0]


@pytest.fixture(scope="module")
def peer(data):
    """Its fast tokenizer: the slow one knows neither words nor offsets."""
    return tokenizers("fast", data)[1]


def tagged(tokenizer):
    """Words and labels -> columns, as the guide of token classification makes them."""

    def encode(rows):
        found = tokenizer(rows["words"], is_split_into_words=True, truncation=True, max_length=16)
        found["labels"] = []
        for number, tags in enumerate(rows["tags"]):
            before, labels = None, []
            for word in found.word_ids(batch_index=number):
                labels.append(-100 if word is None or word == before else tags[word])
                before = word
            found["labels"].append(labels)
        return found

    rows = datasets.Dataset.from_dict({"words": SENTENCES, "tags": TAGS})
    return rows.map(encode, batched=True, num_proc=2, remove_columns=rows.column_names)


def windows(tokenizer):
    """Questions and contexts -> rows with the places of answers, as the guide of question answering makes them."""

    def encode(rows):
        found = tokenizer(
            rows["question"],
            rows["context"],
            truncation="only_second",
            max_length=32,
            stride=8,
            return_overflowing_tokens=True,
            return_offsets_mapping=True,
            padding="max_length",
        )
        places = []
        for number, sample in enumerate(found.pop("overflow_to_sample_mapping")):
            first = rows["start"][sample]
            last = first + len(rows["answer"][sample])
            inner = [
                place
                for place, (part, (start, stop)) in enumerate(
                    zip(found.sequence_ids(number), found["offset_mapping"][number], strict=True)
                )
                if part == 1 and start < last and first < stop
            ]
            places.append((inner[0], inner[-1]) if inner else (0, 0))
        found["start_positions"], found["end_positions"] = map(list, zip(*places, strict=True))
        return found

    rows = datasets.Dataset.from_dict(ASKED)
    return rows.map(encode, batched=True, remove_columns=rows.column_names)


def choices(tokenizer):
    """A context with several ends -> rows of sequences, as the guide of multiple choice makes them."""
    rows = []
    for label, words in enumerate(SENTENCES[:3]):
        found = tokenizer(["the story"] * 3, [" ".join(words), "a", "film"], truncation=True, max_length=24)
        rows.append({**found, "label": label})
    return rows


def test_the_labels_of_words_are_those_of_transformers(ours, peer):
    assert tagged(ours)[:] == tagged(peer)[:]


def test_windows_and_places_of_answers_are_those_of_transformers(ours, peer):
    found, expected = windows(ours)[:], windows(peer)[:]
    assert len(found["input_ids"]) > 3
    assert sum(start > 0 for start in found["start_positions"]) >= 3
    names = ["input_ids", "token_type_ids", "attention_mask", "start_positions", "end_positions"]
    assert {name: found[name] for name in names} == {name: expected[name] for name in names}
    assert list(found) == list(expected)


def test_a_collator_of_sequences_pads_their_labels(ours, peer):
    rows = [{**ours(text), "labels": ours(text)["input_ids"][::-1]} for text in ("the film", "a story of it")]
    assert_same_batch(*(collators.DataCollatorForSeq2Seq(one)(rows) for one in (ours, peer)))


TASKS = {
    "ForTokenClassification": (tagged, collators.DataCollatorForTokenClassification, {"task_type": "TOKEN_CLS"}),
    "ForQuestionAnswering": (
        windows,
        lambda tokenizer: transformers.default_data_collator,
        {"modules_to_save": ["qa_outputs"]},  # without a task type, see below
    ),
    "ForMultipleChoice": (choices, collators.DataCollatorForMultipleChoice, {"task_type": "SEQ_CLS"}),
}


def made(head, tokenizer, **changes):
    torch.manual_seed(0)
    keys = {**SIZES, "vocab_size": len(tokenizer), "num_labels": 5, **changes}
    return getattr(models, f"Albert{head}")(AlbertConfig(**keys))


def trained(head, model, tokenizer, folder, steps=1):
    rows, collator, _ = TASKS[head]
    arguments = transformers.TrainingArguments(
        output_dir=str(folder),
        max_steps=steps,
        per_device_train_batch_size=3,
        learning_rate=1e-2,
        report_to=[],
        save_strategy="no",
        use_cpu=True,
        disable_tqdm=True,
    )
    trainer = transformers.Trainer(
        model=model, args=arguments, train_dataset=rows(tokenizer), data_collator=collator(tokenizer)
    )
    assert np.isfinite(trainer.train().training_loss)
    return trainer


def logits(model, batch):
    with torch.no_grad():
        found = model.eval()(**batch)
    return found.start_logits if "start_logits" in found else found.logits


def batch_of(head, tokenizer):
    rows, collator, _ = TASKS[head]
    batch = collator(tokenizer)([rows(tokenizer)[number] for number in range(2)])
    return {name: batch[name] for name in ("input_ids", "token_type_ids", "attention_mask")}


@pytest.mark.parametrize("head", TASKS)
def test_trainer_trains_what_is_saved_and_answers_in_a_pipeline(data, head, tmp_path):
    tokenizer = tokenizers("fast", data)[0]
    model = made(head, tokenizer)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    trained(head, model, tokenizer, tmp_path / "run")
    assert any(not torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())
    model.save_pretrained(tmp_path / "model")
    tokenizer.save_pretrained(tmp_path / "model")
    batch = batch_of(head, tokenizer)
    again = getattr(models, f"Albert{head}").from_pretrained(tmp_path / "model")
    torch.testing.assert_close(logits(again, batch), logits(model, batch), atol=1e-6, rtol=1e-6)
    asked = {
        "ForTokenClassification": "the film",
        "ForQuestionAnswering": {"question": "who", "context": "the film"},
        "ForMultipleChoice": {"question": "who", "choices": ["a", "the"]},
    }
    assert pipeline(None, str(tmp_path / "model"), "torch")(asked[head]) is not None


@pytest.mark.parametrize("head", TASKS)
def test_lora_trains_is_read_again_and_merges_into_a_folder_for_every_framework(data, head, tmp_path):
    tokenizer = tokenizers("fast", data)[0]
    base = made(head, tokenizer)
    base.save_pretrained(tmp_path / "base")
    names = ["query", "key", "value", "dense", "ffn", "ffn_output"]
    adapted = peft.get_peft_model(base, peft.LoraConfig(r=2, target_modules=names, **TASKS[head][2]))
    trained(head, adapted, tokenizer, tmp_path / "run", steps=2)
    batch = batch_of(head, tokenizer)
    expected = logits(adapted, batch)
    adapted.save_pretrained(tmp_path / "adapter")
    fresh = getattr(models, f"Albert{head}").from_pretrained(tmp_path / "base")
    again = peft.PeftModel.from_pretrained(fresh, tmp_path / "adapter")
    torch.testing.assert_close(logits(again, batch), expected, atol=1e-6, rtol=1e-6)
    again.merge_and_unload().save_pretrained(tmp_path / "merged")
    loaded = files.load(tmp_path / "merged")
    assert {name: tensor.shape for name, tensor in loaded.tensors.items()} == expected_shapes(loaded.config, head)
    merged = getattr(models, f"Albert{head}").from_pretrained(tmp_path / "merged")
    torch.testing.assert_close(logits(merged, batch), expected, atol=1e-5, rtol=1e-5)


def test_an_adapter_of_the_shared_layer_is_shared_by_all_depths(data):
    tokenizer = tokenizers("fast", data)[0]
    found = []
    for depth in (2, 12):
        options = peft.LoraConfig(task_type="TOKEN_CLS", r=2, target_modules=["query", "value"])
        adapted = peft.get_peft_model(made("ForTokenClassification", tokenizer, num_hidden_layers=depth), options)
        found.append({name: tensor.shape for name, tensor in adapted.named_parameters() if "lora" in name})
    assert found[0] == found[1]
    assert len(found[0]) == 4  # two matrices for each of query and value, whatever the depth


def test_the_question_task_of_peft_drops_token_types_of_both_sides(data):
    """docs/surprises.md: a model trained so answers differently once its adapter is merged."""
    tokenizer = tokenizers("fast", data)[0]
    ours = made("ForQuestionAnswering", tokenizer)
    theirs = transformers.AlbertForQuestionAnswering(
        transformers.AlbertConfig(**SIZES, vocab_size=len(tokenizer), num_labels=2)
    )
    batch = batch_of("ForQuestionAnswering", tokenizer)
    without = {name: ids for name, ids in batch.items() if name != "token_type_ids"}
    for model in (ours, theirs):
        whole, first_alone = logits(model, batch), logits(model, without)
        adapted = peft.get_peft_model(
            model, peft.LoraConfig(task_type="QUESTION_ANS", r=2, target_modules=["query", "value"])
        )
        torch.testing.assert_close(logits(adapted, batch), first_alone, atol=1e-6, rtol=1e-6)
        assert not torch.allclose(first_alone, whole, atol=1e-2)
