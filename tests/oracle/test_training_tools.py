"""Tools made for Transformers, with our models and tokenizers: Trainer, data collators, datasets and PEFT.

Each runs with our side and with that of Transformers, from the same weights and seed, and what comes out is the same.
"""

import inspect
import random
import textwrap

import numpy as np
import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
datasets = pytest.importorskip("datasets")
peft = pytest.importorskip("peft")
accelerate = pytest.importorskip("accelerate")

from accelerate.state import AcceleratorState  # noqa: E402
from safetensors import safe_open  # noqa: E402
from transformers.data import data_collator as collators  # noqa: E402

from albertkit.config import AlbertConfig  # noqa: E402
from albertkit.errors import CheckpointNotFound  # noqa: E402
from albertkit.tokenization.fast import AlbertTokenizerFast  # noqa: E402
from albertkit.tokenization.sentencepiece import AlbertTokenizer  # noqa: E402
from albertkit.torch import models  # noqa: E402
from migration_page import PAGE, Claims  # noqa: E402

pytestmark = [pytest.mark.oracle, pytest.mark.torch]

claims = Claims("Trainer, collators, datasets and PEFT")

SIZES = {"embedding_size": 8, "hidden_size": 16, "num_attention_heads": 4, "intermediate_size": 24}
SIZES |= {"num_hidden_layers": 2, "max_position_embeddings": 32, "initializer_range": 0.2}
SIZES["classifier_dropout_prob"] = 0.0
FILES = {"slow": "spiece.model", "fast": "tokenizer.json"}


@pytest.fixture(scope="module")
def texts(data):
    lines = (data / "text.txt").read_text(encoding="utf-8").splitlines()
    return [line[: 12 + 8 * number] for number, line in enumerate(lines[:12])]


def tokenizers(kind, data):
    """Our tokenizer and the peer's, slow or fast, from the same file."""
    file = str(data / FILES[kind])
    if kind == "slow":
        return AlbertTokenizer(file), transformers.AlbertTokenizer(file)
    return AlbertTokenizerFast(tokenizer_file=file), transformers.AlbertTokenizerFast(tokenizer_file=file)


@pytest.fixture(scope="module", params=FILES)
def each(request, data):
    return tokenizers(request.param, data)


@pytest.fixture(scope="module")
def both(data):
    return tokenizers("slow", data)


@pytest.fixture(autouse=True)
def _fresh_accelerator(monkeypatch):
    """The precision of one Trainer would else be that of the next."""
    monkeypatch.setenv("ACCELERATE_MIXED_PRECISION", "no")
    yield
    AcceleratorState._reset_state()


def seeded(work, *arguments):
    random.seed(0), np.random.seed(0), torch.manual_seed(0)
    return work(*arguments)


def encoded(tokenizer, texts, **more):
    return [{**tokenizer(text, truncation=True, max_length=24), **more} for text in texts]


def assert_same_batch(found, expected):
    assert list(found) == list(expected)
    for name, values in expected.items():
        assert torch.equal(found[name], values), name


COLLATORS = {
    "padding": lambda tokenizer: collators.DataCollatorWithPadding(tokenizer),
    "padding to a multiple": lambda tokenizer: collators.DataCollatorWithPadding(tokenizer, pad_to_multiple_of=8),
    "padding to a length": lambda tokenizer: collators.DataCollatorWithPadding(tokenizer, "max_length", max_length=32),
    "masked pieces": lambda tokenizer: collators.DataCollatorForLanguageModeling(tokenizer),
    "masked pieces, seeded": lambda tokenizer: collators.DataCollatorForLanguageModeling(tokenizer, seed=3),
    "whole words": lambda tokenizer: collators.DataCollatorForWholeWordMask(tokenizer),
}


@claims("`DataCollatorWithPadding`")
@claims("`DataCollatorForLanguageModeling`")
@claims("`DataCollatorForWholeWordMask`")
@pytest.mark.filterwarnings("ignore:DataCollatorForWholeWordMask is deprecated:FutureWarning")
@pytest.mark.parametrize("name", COLLATORS)
def test_a_collator_makes_the_same_batch(each, texts, name):
    batches = [seeded(COLLATORS[name](tokenizer), encoded(tokenizer, texts)) for tokenizer in each]
    assert_same_batch(*batches)


@claims("`DataCollatorForTokenClassification`")
def test_a_collator_pads_the_labels_of_tokens(each, texts):
    batches = []
    for tokenizer in each:
        rows = encoded(tokenizer, texts)
        rows = [{**row, "labels": [place % 3 for place in range(len(row["input_ids"]))]} for row in rows]
        batches.append(collators.DataCollatorForTokenClassification(tokenizer)(rows))
    assert_same_batch(*batches)
    assert (batches[0]["labels"] == -100).any()


@claims("`DataCollatorForMultipleChoice`")
def test_a_collator_pads_choices(each, texts):
    batches = []
    for tokenizer in each:
        rows = [{**{name: [ids, ids] for name, ids in row.items()}, "label": 1} for row in encoded(tokenizer, texts)]
        batches.append(collators.DataCollatorForMultipleChoice(tokenizer)(rows))
    assert_same_batch(*batches)
    assert batches[0]["input_ids"].shape[:2] == (len(texts), 2)


@claims("`datasets.Dataset.map`")
@pytest.mark.parametrize("processes", [None, 2])
def test_datasets_map_gives_the_same_columns(each, texts, processes):
    columns = []
    for tokenizer in each:

        def encode(rows, tokenizer=tokenizer):
            return tokenizer(rows["text"], truncation=True, max_length=16)

        mapped = datasets.Dataset.from_dict({"text": texts}).map(encode, batched=True, num_proc=processes)
        columns.append(mapped[:])
    assert columns[0] == columns[1]


def test_the_cache_of_datasets_knows_a_tokenizer_again(each, texts):
    before = datasets.fingerprint.Hasher.hash(each[0])
    each[0](texts, padding=True, return_offsets_mapping=True)
    assert datasets.fingerprint.Hasher.hash(each[0]) == before


def pair(head, tokenizer):
    """Our model and the peer's, with the same weights."""
    torch.manual_seed(0)
    keys = {**SIZES, "vocab_size": len(tokenizer)}
    ours = getattr(models, f"Albert{head}")(AlbertConfig(**keys))
    theirs = getattr(transformers, f"Albert{head}")(transformers.AlbertConfig(**keys))
    theirs.load_state_dict(ours.state_dict())
    theirs.tie_weights()
    return ours, theirs


def dataset(head, tokenizer, texts):
    labels = {} if head == "ForMaskedLM" else {"label": [number % 2 for number in range(len(texts))]}
    rows = encoded(tokenizer, texts)
    return datasets.Dataset.from_dict({name: [row[name] for row in rows] for name in rows[0]} | labels)


def trainer(head, model, tokenizer, texts, folder, kind=transformers.Trainer, **arguments):
    collator = (
        collators.DataCollatorForLanguageModeling(tokenizer, seed=1)
        if head == "ForMaskedLM"
        else collators.DataCollatorWithPadding(tokenizer)
    )
    defaults = {"max_steps": 4, "per_device_train_batch_size": 4, "logging_steps": 1, "learning_rate": 1e-2, "seed": 3}
    defaults |= {"report_to": [], "save_strategy": "no", "use_cpu": True, "disable_tqdm": True}
    defaults |= {"adam_epsilon": 1e-2}  # Adam makes steps of gradients that are rounding alone, unless told not to
    rows = dataset(head, tokenizer, texts)
    return kind(
        model=model,
        args=transformers.TrainingArguments(output_dir=str(folder), **{**defaults, **arguments}),
        train_dataset=rows,
        eval_dataset=rows,
        processing_class=tokenizer,
        data_collator=collator,
    )


def losses(trained):
    return [entry["loss"] for entry in trained.state.log_history if "loss" in entry]


ARGUMENTS = {
    "plain": {},
    "accumulated": {"gradient_accumulation_steps": 2},
    "smoothed labels": {"label_smoothing_factor": 0.1},
    "bfloat16": {"bf16": True},
}


@claims("`Trainer` with `data_collator=DataCollatorWithPadding(tokenizer)`")
@pytest.mark.parametrize("name", ARGUMENTS)
@pytest.mark.parametrize("head", ["ForSequenceClassification", "ForMaskedLM"])
def test_trainer_takes_the_same_steps(both, texts, tmp_path, head, name):
    trained = []
    for model, tokenizer in zip(pair(head, both[0]), both, strict=True):
        trained.append(trainer(head, model, tokenizer, texts, tmp_path, **ARGUMENTS[name]))
        trained[-1].train()
    close = {"abs": 5e-2 if name == "bfloat16" else 2e-4}  # the log holds four digits
    assert losses(trained[0]) == pytest.approx(losses(trained[1]), **close)
    assert len(losses(trained[0])) == 4
    found, expected = (one.evaluate()["eval_loss"] for one in trained)
    assert found == pytest.approx(expected, **close)
    found, expected = (one.predict(one.eval_dataset).predictions for one in trained)
    np.testing.assert_allclose(found, expected, atol=0.2 if name == "bfloat16" else 1e-4)


@claims("`Trainer(gradient_checkpointing=True)`")
def test_trainer_checkpoints_gradients_where_transformers_refuses(both, texts, tmp_path):
    head = "ForSequenceClassification"
    plain, saving = (
        trainer(head, pair(head, both[0])[0], both[0], texts, tmp_path, gradient_checkpointing=keep)
        for keep in (False, True)
    )
    plain.train(), saving.train()
    assert losses(plain) == losses(saving)
    with pytest.raises(ValueError, match="does not support gradient checkpointing"):
        trainer(head, pair(head, both[0])[1], both[1], texts, tmp_path, gradient_checkpointing=True).train()


class AlbertTrainer(transformers.Trainer):
    """As docs/migration.md has it."""

    def save_model(self, output_dir=None, _internal_call=False):
        folder = output_dir or self.args.output_dir
        self.accelerator.unwrap_model(self.model).save_pretrained(folder)
        self.processing_class.save_pretrained(folder)


def test_the_page_has_the_trainer_that_is_tried_here():
    page = textwrap.dedent(PAGE.read_text(encoding="utf-8").split("let the\nmodel save itself")[1])
    for line in inspect.getsource(AlbertTrainer.save_model).splitlines():
        assert line.strip() in page


@claims("checkpoints of `Trainer`")
@pytest.mark.parametrize("head", ["ForSequenceClassification", "ForMaskedLM"])
def test_what_trainer_saves_is_a_whole_folder_for_both_where_the_model_saves_itself(both, texts, tmp_path, head):
    saving = {"save_strategy": "steps", "save_steps": 2, "eval_strategy": "steps", "eval_steps": 2}
    saving["load_best_model_at_end"] = True
    given = head, pair(head, both[0])[0], both[0], texts, tmp_path
    whole = trainer(*given, AlbertTrainer, **saving)
    whole.train()
    whole.save_model(tmp_path / "end")
    for folder in (tmp_path / "end", tmp_path / "checkpoint-4"):
        ours = getattr(models, f"Albert{head}").from_pretrained(folder).eval()
        theirs, info = getattr(transformers, f"Albert{head}").from_pretrained(folder, output_loading_info=True)
        assert not any(info.values())
        rows = both[0](texts[:3], padding=True, return_tensors="pt")
        torch.testing.assert_close(ours(**rows).logits, theirs.eval()(**rows).logits, atol=1e-4, rtol=0)
        assert type(both[0]).from_pretrained(folder)(texts)["input_ids"] == both[0](texts)["input_ids"]
    later = trainer(head, pair(head, both[0])[0], both[0], texts, tmp_path, AlbertTrainer, **saving)
    with torch.no_grad():
        next(later.model.parameters()).fill_(7)
    later.train(resume_from_checkpoint=str(tmp_path / "checkpoint-2"))
    close = {
        "atol": 1e-2 if head == "ForMaskedLM" else 0,
        "rtol": 0,
    }  # its collator draws masks that no checkpoint holds
    for name, tensor in whole.model.state_dict().items():
        torch.testing.assert_close(later.model.state_dict()[name], tensor, **close)


def test_trainer_itself_leaves_the_config_out_which_is_said_when_the_folder_is_read(both, texts, tmp_path):
    head = "ForSequenceClassification"
    plain = trainer(head, pair(head, both[0])[0], both[0], texts, tmp_path, save_strategy="no")
    plain.train()
    plain.save_model(tmp_path / "end")
    kind = type(plain.model)
    with pytest.raises(CheckpointNotFound, match=r"need a config.json beside them.*The Trainer of Transformers leaves"):
        kind.from_pretrained(tmp_path / "end")
    plain.model.config.save_pretrained(tmp_path / "end")
    again = kind.from_pretrained(tmp_path / "end").state_dict()
    assert all(torch.equal(again[name], tensor) for name, tensor in plain.model.state_dict().items())


def test_trainer_cannot_write_tied_weights_as_safetensors(both, texts, tmp_path):
    head = "ForMaskedLM"
    saving = {"save_strategy": "steps", "save_steps": 2}
    with pytest.raises(RuntimeError, match="share memory"):
        trainer(head, pair(head, both[0])[0], both[0], texts, tmp_path, **saving).train()


def test_trainer_goes_on_from_its_checkpoint(both, texts, tmp_path):
    head = "ForSequenceClassification"
    saving = {"save_strategy": "steps", "save_steps": 2}
    whole = trainer(head, pair(head, both[0])[0], both[0], texts, tmp_path, **saving)
    whole.train()
    later = trainer(head, pair(head, both[0])[0], both[0], texts, tmp_path, **saving)
    with torch.no_grad():
        later.model.classifier.weight.fill_(7)
    later.train(resume_from_checkpoint=str(tmp_path / "checkpoint-2"))
    for name, tensor in whole.model.state_dict().items():
        assert torch.equal(later.model.state_dict()[name], tensor), name


@claims("`Trainer` without a collator")
def test_without_a_collator_trainer_does_not_pad_for_our_tokenizer(both, texts, tmp_path):
    head = "ForSequenceClassification"
    rows = dataset(head, both[0], texts)
    arguments = transformers.TrainingArguments(output_dir=str(tmp_path), report_to=[], use_cpu=True, max_steps=1)
    bare = [
        transformers.Trainer(model=model, args=arguments, train_dataset=rows, processing_class=tokenizer)
        for model, tokenizer in zip(pair(head, both[0]), both, strict=True)
    ]
    assert [type(one.data_collator).__name__ for one in bare] == ["function", "DataCollatorWithPadding"]


@claims("Accelerate: `prepare`, `save_state`, `load_state`, `save_pretrained(..., save_function=accelerator.save)`")
def test_a_loop_with_accelerate_goes_on_and_saves_as_scripts_of_transformers_do(both, texts, tmp_path):
    head = "ForSequenceClassification"
    accelerator = accelerate.Accelerator(cpu=True)
    model = pair(head, both[0])[0]
    rows = torch.utils.data.DataLoader(
        dataset(head, both[0], texts), batch_size=4, collate_fn=collators.DataCollatorWithPadding(both[0])
    )
    model, optimizer, rows = accelerator.prepare(model, torch.optim.AdamW(model.parameters(), 1e-3), rows)
    for batch in rows:
        accelerator.backward(model(**batch).loss)
        optimizer.step()
        optimizer.zero_grad()
    accelerator.save_state(str(tmp_path / "state"))
    trained = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    with torch.no_grad():
        next(model.parameters()).fill_(7)
    accelerator.load_state(str(tmp_path / "state"))
    assert all(torch.equal(model.state_dict()[name], tensor) for name, tensor in trained.items())
    accelerator.unwrap_model(model).save_pretrained(
        tmp_path / "end", is_main_process=accelerator.is_main_process, save_function=accelerator.save
    )
    for kind in (models, transformers):
        again = getattr(kind, f"Albert{head}").from_pretrained(tmp_path / "end").state_dict()
        assert all(torch.equal(again[name], tensor) for name, tensor in trained.items())


TASKS = {"ForSequenceClassification": "SEQ_CLS", "ForMaskedLM": None}


def lora(model, task, **options):
    torch.manual_seed(1)
    options = {"target_modules": ["query", "value"], "r": 2, "lora_dropout": 0.0, **options}
    return peft.get_peft_model(model, peft.LoraConfig(task_type=task, **options))


@claims("PEFT: LoRA, training, saving, `merge_and_unload`")
@pytest.mark.parametrize("head", TASKS)
def test_lora_learns_the_same_and_its_adapter_fits_either_side(both, texts, tmp_path, head):
    adapted = [lora(model, TASKS[head]) for model in pair(head, both[0])]
    assert adapted[0].get_nb_trainable_parameters() == adapted[1].get_nb_trainable_parameters()
    batch = both[0](texts[:3], padding=True, truncation=True, max_length=24, return_tensors="pt")
    logits, curves = [], []
    for model, tokenizer in zip(adapted, both, strict=True):
        trained = trainer(head, model, tokenizer, texts, tmp_path)
        trained.train()
        curves.append(losses(trained))
        with torch.no_grad():
            logits.append(model.eval()(**batch).logits)
    assert curves[0] == pytest.approx(curves[1], abs=2e-4)
    torch.testing.assert_close(*logits, atol=1e-5, rtol=1e-5)
    adapted[0].save_pretrained(tmp_path / "adapter")
    for fresh in pair(head, both[0]):
        again = peft.PeftModel.from_pretrained(fresh, tmp_path / "adapter").eval()
        with torch.no_grad():
            torch.testing.assert_close(again(**batch).logits, logits[0], atol=1e-5, rtol=1e-5)


def test_a_merged_adapter_is_saved_as_a_model(both, texts, tmp_path):
    head = "ForSequenceClassification"
    model = lora(pair(head, both[0])[0], TASKS[head], init_lora_weights=False).eval()
    batch = both[0](texts[:3], padding=True, truncation=True, max_length=24, return_tensors="pt")
    with torch.no_grad():
        expected = model(**batch).logits
    model.merge_and_unload().save_pretrained(tmp_path)
    with safe_open(tmp_path / "model.safetensors", "np") as file:
        assert not [name for name in file.keys() if "lora" in name]  # noqa: SIM118 - it is no mapping
    again = models.AlbertForSequenceClassification.from_pretrained(tmp_path)
    with torch.no_grad():
        torch.testing.assert_close(again(**batch).logits, expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("task", ["TOKEN_CLS", "QUESTION_ANS", "FEATURE_EXTRACTION"])
def test_lora_finds_the_same_layers_for_every_task(both, task):
    heads = {"TOKEN_CLS": "ForTokenClassification", "QUESTION_ANS": "ForQuestionAnswering"}
    adapted = [lora(model, task) for model in pair(heads.get(task, "Model"), both[0])]
    found, expected = ({n for n, p in model.named_parameters() if p.requires_grad} for model in adapted)
    assert found == expected
    assert found


def test_lora_on_all_linear_layers_without_a_task_freezes_the_new_classifier(both):
    """docs/surprises.md: true of both sides."""
    for model in pair("ForSequenceClassification", both[0]):
        adapted = lora(model, None, target_modules="all-linear")
        assert not any(
            p.requires_grad for n, p in adapted.named_parameters() if n.endswith("classifier.base_layer.weight")
        )
        assert any(p.requires_grad for n, p in adapted.named_parameters() if "classifier.lora" in n)


def test_lora_has_no_layers_by_default_on_either_side(both):
    for model in pair("ForSequenceClassification", both[0]):
        with pytest.raises(ValueError, match="target_modules"):
            peft.get_peft_model(model, peft.LoraConfig(task_type="SEQ_CLS"))


def test_every_row_has_a_check():
    assert claims.unchecked() == []
