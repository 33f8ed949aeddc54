"""The options that several commands have: what a run starts from, where it writes, how it goes on; how text is read."""

import tomllib
from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from albertkit.typing import Record

# A default that stands in a recipe is None here, to leave a recipe's value alone; `show_default` says what it is.
Output = Annotated[Path, Option(help="Folder to write the model and its results to.")]
Model = Annotated[
    str | None, Option(help="A checkpoint, or a size (base, large, ...) for a new model.", show_default="base")
]
Framework = Annotated[
    str | None, Option(help="torch, tensorflow, flax, or auto: the first that is installed.", show_default="auto")
]
AnsweringFramework = Annotated[
    str | None,
    Option(help="torch, tensorflow, flax, numpy, a format of exports, or auto.", show_default="auto"),
]
LearningRate = Annotated[
    float | None, Option(help="Peak learning rate.", show_default="by the size of model and batch")
]
Seed = Annotated[int | None, Option(help="Seed of everything random.", show_default="42")]
Settings = Annotated[list[str] | None, Option("--set", help="Any key of the recipe: section.key=value.")]
Resume = Annotated[bool, Option("--resume", help="Go on with a run that was cut off.")]
ExtendTo = Annotated[
    int | None,
    Option("--extend-to", help="Steps that a finished run is to have in all; it goes on with its optimizer.", min=1),
]
Overwrite = Annotated[bool, Option("--overwrite", help="Replace what the output folder holds.")]

Format = Annotated[str, Option(help="text, jsonl, wiki or parquet; auto: by ending and content.")]
TextField = Annotated[str, Option(help="Field of JSON lines, or column of Parquet, with the text.")]
SkipBroken = Annotated[bool, Option("--skip-broken", help="Count and leave out records without text.")]

Task = Annotated[str, Option(help="A task, or auto: what the model was trained for.")]
Device = Annotated[
    str | None, Option(help="cpu, cuda:0 or the number of a GPU.", show_default="the first GPU, or else the CPU")
]
Precision = Annotated[
    str | None,
    Option(help="fp32, bf16, int8, or auto: the fastest of this machine.", show_default="int8 if quantized, or fp32"),
]
TrustProgram = Annotated[
    bool,
    Option("--trust-program", help="Load an export that can do more than compute, for you trust whoever wrote it."),
]
Patience = Annotated[
    int | None,
    Option(
        help="Stop a text once so many layers in a row have confirmed its class, in a model trained for early exit.",
        show_default="all layers",
        min=1,
    ),
]
RegressionThreshold = Annotated[
    float | None,
    Option(help="How near two layers must be to agree on a number, in units of the labels.", show_default=False),
]
Texts = Annotated[
    list[str] | None, Argument(help="Texts, or one data file.", show_default="the file, or lines of standard input")
]
AnsweredFiles = Annotated[
    list[str] | None,
    Option(
        "--file",
        "--data",
        help="Data: .csv, .tsv, .json, .jsonl, .parquet, or lines of .txt; repeatable for an output file.",
        show_default=False,
    ),
]
AnswerFile = Annotated[
    Path | None,
    Option(
        help="Write to this file: .jsonl, .csv or .parquet.",
        show_default="JSON lines on standard output",
    ),
]
RowsFile = Annotated[
    Path | None,
    Option(
        help="Write to this file: .jsonl, .jsonl.gz, .jsonl.zst, .csv, .parquet, .tsv for GLUE; or a folder.",
        show_default="JSON lines on standard output",
    ),
]
LabelField = Annotated[
    str | None, Option(help="Add the best label to each row under this name, all else as it was.", show_default=False)
]
ScoreField = Annotated[
    str | None, Option(help="Add the probability of that label under this name.", show_default=False)
]
FilterBy = Annotated[
    list[str] | None,
    Option(help="Keep rows for which label=NAME,OTHER, score>=0.5 or scores.NAME>=0.5 holds; repeatable: all of them."),
]
LeftOut = Annotated[
    Path | None, Option(help="File of lines of JSON for the rows that are not kept.", show_default=False)
]
FolderFormat = Annotated[
    str | None,
    Option(help="Of the parts of a folder: jsonl, jsonl.gz, jsonl.zst or parquet.", show_default="jsonl"),
]
PartRows = Annotated[int | None, Option(help="Rows of a part of a folder.", show_default="500,000", min=1)]
Workers = Annotated[
    int | None,
    Option(help="Processes that answer a file.", show_default="1; the cores from 16 MB on", min=1),
]
Threads = Annotated[
    int | None, Option(help="Threads of each process.", show_default="the cores, shared by the processes", min=1)
]
AbstainBelow = Annotated[
    float | None, Option(help="Confidence below which an answer abstains.", show_default="that of the calibration")
]
AnswerBatchSize = Annotated[
    int | None, Option(help="Texts computed together at most.", show_default="as many as are fast", min=1)
]
MaxBatchTokens = Annotated[
    int | None,
    Option(
        help="Tokens computed together at most, with their padding: fewer take less memory.",
        show_default="4096 for most tasks",
        min=1,
    ),
]
MaxLength = Annotated[int | None, Option(help="Longest input in tokens.", show_default="that of training", min=4)]
OutputDir = Annotated[
    Path | None,
    Option(help="Folder for the files that the task's official scripts read, and for scores.", show_default=False),
]
TopK = Annotated[
    int | None,
    Option(help="Answers for each [MASK] or question, or classes of each text.", show_default="5, 1, or all", min=1),
]
DocStride = Annotated[
    int | None, Option(help="Tokens that two windows of a long text share.", show_default="as in training", min=0)
]
MaxAnswerLength = Annotated[
    int | None, Option(help="Longest answer to a question, in tokens.", show_default="as in training", min=1)
]
NBestSize = Annotated[
    int | None, Option(help="Answers of a question in nbest_predictions.json.", show_default="as in training", min=1)
]
NullThreshold = Annotated[
    float | None,
    Option(
        "--null-score-diff-threshold",
        help="By how much no answer must score better than any to be given.",
        show_default="what training found best",
    ),
]
HubDataset = Annotated[
    str, Option("--hub-dataset", help="Data set of the Hugging Face Hub: NAME or NAME/CONFIG.", show_default=False)
]
AnsweredSplit = Annotated[
    str, Option("--eval-split", "--split", help="Its split to answer for.", show_default="the one for validation")
]
SkipBadRows = Annotated[bool, Option("--skip-bad-rows", help="Leave out, and count, rows that cannot be used.")]
EvalSplit = Annotated[str, Option(help="Its split to evaluate on.", show_default="the one for validation")]
TaskName = Annotated[
    str | None, Option(help="A task of GLUE, such as mrpc, whose layout the data has.", show_default="that of training")
]
Long = Annotated[
    str | None, Option(help="Longer texts: truncate, or windows that are merged.", show_default="as in training")
]
TextColumn = Annotated[str | None, Option(help="Column of the text.", show_default="by the usual names")]
LabelColumn = Annotated[
    str | None, Option(help="Column of the label, or one for each class.", show_default="by the usual names")
]
PairColumn = Annotated[str | None, Option(help="Column of the second text of a pair.")]
Header = Annotated[str | None, Option(help="Comma-separated column names of a file without a header.")]
DataSettings = Annotated[list[str] | None, Option("--set", help="Any option of the task's data: key=value.")]


def given(**values: object) -> dict[str, object]:
    """Those that are not None."""
    return {name: value for name, value in values.items() if value is not None}


def device(text: str | None) -> str | int | None:
    """A device as a pipeline takes it: the number of a GPU, or a name."""
    return int(text) if text and text.removeprefix("-").isdigit() else text


def split(text: str | None) -> list[str] | None:
    """Comma-separated names, or None where none were given."""
    return None if text is None else [name.strip() for name in text.split(",") if name.strip()]


def numbers(text: str | None, option: str) -> list[int] | None:
    """Comma-separated whole numbers, or None where none were given. ConfigError for what is no number."""
    from albertkit.errors import ConfigError

    try:
        return None if text is None else [int(one) for one in split(text) or ()]
    except ValueError:
        raise ConfigError(f"{option} takes whole numbers, such as 1,2,3. Received: {text!r}.") from None


def computing(
    place: str | None,
    batch_size: int | None,
    max_batch_tokens: int | None,
    precision: str | None = None,
    patience: int | None = None,
    regression_threshold: float | None = None,
    trust_program: bool = False,
) -> Record:
    """How a pipeline computes its answers; early exit only where it is given: most tasks know no such options."""
    others = {
        "patience": patience,
        "regression_threshold": regression_threshold,
        "trust_program": trust_program or None,
    }
    given = {name: value for name, value in others.items() if value is not None}
    sizes = {"batch_size": batch_size, "max_batch_tokens": max_batch_tokens}
    return {"device": device(place), "precision": precision, **sizes, **given}


def file_options(
    settings: list[str] | None, text_column: str | None, pair_column: str | None, header: str | None, skips: bool
) -> Record:
    """The options of a file of texts whose labels do not matter."""
    columns = {"text_column": text_column, "pair_column": pair_column, "header": split(header)}
    return data_options(settings, **columns, skip_bad_rows=skips or None)


def data_options(settings: list[str] | None, **values: object) -> dict[str, object]:
    """The options of a task's data that were given: those that are not None, then the key=value texts.

    A key may have its section before it, as in a recipe: data.text_column.
    """
    from albertkit.errors import InputError

    found = {name: value for name, value in values.items() if value is not None}
    for setting in settings or ():
        key, equals, value = setting.partition("=")
        if not equals:
            raise InputError(f"A setting has the form key=value. Received: {setting!r}.")
        name = key.strip().removeprefix("data.")
        try:
            found[name] = tomllib.loads(f"value = {value}")["value"]
        except tomllib.TOMLDecodeError:  # as in recipes, what is no value is text
            found[name] = value
    return found
