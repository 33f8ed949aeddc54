"""Fine-tuning with Transformers and its Trainer, as its guides have it: the other side of finetune_vs_peer.py.

Run by that command, in the environment of requirements/oracle.txt: reads the same file, trains, and saves the model.
"""

import argparse
import json
from collections.abc import Callable
from pathlib import Path

import transformers
from datasets import Dataset

Rows = list[dict]
LENGTHS = {"text-classification": 128, "token-classification": 128, "question-answering": 384, "multiple-choice": 256}


def text_classification(tokenizer, rows: Rows) -> tuple[Rows, list[str]]:
    """Rows of sentence and label."""
    encoded = tokenizer([row["sentence"] for row in rows], truncation=True, max_length=128)
    return [
        {**{name: values[i] for name, values in encoded.items()}, "labels": int(row["label"])}
        for i, row in enumerate(rows)
    ], ["0", "1"]


def token_classification(tokenizer, rows: Rows) -> tuple[Rows, list[str]]:
    """Rows of tokens and tags; the first piece of a word has its tag."""
    names = sorted({tag for row in rows for tag in row["tags"]})
    encoded = tokenizer([row["tokens"] for row in rows], is_split_into_words=True, truncation=True, max_length=128)
    found = []
    for i, row in enumerate(rows):
        words = encoded.word_ids(i)
        firsts = [word is not None and (place == 0 or words[place - 1] != word) for place, word in enumerate(words)]
        labels = [names.index(row["tags"][w]) if first else -100 for w, first in zip(words, firsts, strict=True)]
        found.append({**{name: values[i] for name, values in encoded.items()}, "labels": labels})
    return found, names


def question_answering(tokenizer, rows: Rows) -> tuple[Rows, list[str]]:
    """Windows of questions; an answer outside of a window stands at [CLS]."""
    encoded = tokenizer(
        [row["question"] for row in rows],
        [row["context"] for row in rows],
        truncation="only_second",
        max_length=384,
        stride=128,
        return_overflowing_tokens=True,
        return_offsets_mapping=True,
    )
    found = []
    for i, owner in enumerate(encoded["overflow_to_sample_mapping"]):
        answer, offsets, texts = rows[owner]["answers"][0], encoded["offset_mapping"][i], encoded.sequence_ids(i)
        start, end = answer["answer_start"], answer["answer_start"] + len(answer["text"])
        places = [place for place, text in enumerate(texts) if text == 1]
        inside = [p for p in places if offsets[p][1] > start and offsets[p][0] < end]
        is_whole = inside and offsets[places[0]][0] <= start and offsets[places[-1]][1] >= end
        inputs = {name: encoded[name][i] for name in ("input_ids", "token_type_ids", "attention_mask")}
        bounds = (inside[0], inside[-1]) if is_whole else (0, 0)
        found.append({**inputs, "start_positions": bounds[0], "end_positions": bounds[1]})
    return found, []


def multiple_choice(tokenizer, rows: Rows) -> tuple[Rows, list[str]]:
    """Rows of a context, a question and three choices."""
    found = []
    for row in rows:
        pairs = [f"{row['question']} {choice}" for choice in row["choices"]]
        encoded = tokenizer([row["context"]] * len(pairs), pairs, truncation="only_first", max_length=256)
        found.append({**encoded, "labels": row["choices"].index(row["answer"])})
    return found, []


ENCODERS: dict[str, tuple[Callable, str]] = {
    "text-classification": (text_classification, "SequenceClassification"),
    "token-classification": (token_classification, "TokenClassification"),
    "question-answering": (question_answering, "QuestionAnswering"),
    "multiple-choice": (multiple_choice, "MultipleChoice"),
}


def collator(task: str, tokenizer):
    """The collator that the guide of a task takes: rows are padded to the longest of a batch."""
    if task == "token-classification":
        return transformers.DataCollatorForTokenClassification(tokenizer)
    if task == "multiple-choice":
        return transformers.DataCollatorForMultipleChoice(tokenizer)
    return transformers.DataCollatorWithPadding(tokenizer)


def main() -> None:
    parser = argparse.ArgumentParser()
    for name in ("task", "model", "rows", "output", "precision"):
        parser.add_argument(f"--{name}")
    parser.add_argument("--batch-size", type=int)
    parser.add_argument("--learning-rate", type=float)
    parser.add_argument("--seed", type=int)
    parser.add_argument("--group-by-length", action="store_true")
    options = parser.parse_args()
    transformers.set_seed(options.seed)
    rows = [json.loads(line) for line in Path(options.rows).read_text(encoding="utf-8").splitlines()]
    tokenizer = transformers.AlbertTokenizerFast.from_pretrained(options.model)
    encode, head = ENCODERS[options.task]
    encoded, names = encode(tokenizer, rows)
    labels = (
        {"id2label": dict(enumerate(names)), "label2id": {name: i for i, name in enumerate(names)}} if names else {}
    )
    model = getattr(transformers, f"AlbertFor{head}").from_pretrained(options.model, **labels)
    arguments = transformers.TrainingArguments(
        output_dir=options.output,
        per_device_train_batch_size=options.batch_size,
        learning_rate=options.learning_rate,
        num_train_epochs=1,
        weight_decay=0.01,
        warmup_ratio=0.1,
        adam_epsilon=1e-6,
        seed=options.seed,
        group_by_length=options.group_by_length,
        bf16=options.precision == "bf16",
        use_cpu=True,
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
    )
    data = Dataset.from_list(encoded)
    if options.group_by_length and options.task == "multiple-choice":
        data = data.add_column("length", [max(map(len, row["input_ids"])) for row in encoded])
    trainer = transformers.Trainer(model, arguments, collator(options.task, tokenizer), data)
    seconds = trainer.train().metrics["train_runtime"]
    trainer.save_model(options.output)
    tokenizer.save_pretrained(options.output)
    masks = [
        mask
        for row in encoded
        for mask in (
            [row["attention_mask"]] if names or options.task == "question-answering" else row["attention_mask"]
        )
    ]
    found = {"train_seconds": seconds, "tokens": sum(map(sum, masks)), "transformers": transformers.__version__}
    print(json.dumps(found))  # noqa: T201


if __name__ == "__main__":
    main()
