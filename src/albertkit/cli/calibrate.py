"""albertkit calibrate: fit the confidence of a trained model to held-out rows, and keep it with the model."""

import json
from typing import Annotated

import typer
from typer import Argument, Option

from albertkit.cli import options


def command(
    model: Annotated[str, Argument(help="Folder of a trained model.")],
    data: Annotated[str, Argument(help="Labelled data that training has not seen, as for `evaluate`.")],
    target_accuracy: Annotated[
        float | None,
        Option(help="Abstain where answers would be right less often, such as 0.95.", show_default="never abstain"),
    ] = None,
    task_name: options.TaskName = None,
    text_column: options.TextColumn = None,
    pair_column: options.PairColumn = None,
    label_column: options.LabelColumn = None,
    header: options.Header = None,
    skip_bad_rows: options.SkipBadRows = False,
    max_length: options.MaxLength = None,
    batch_size: options.AnswerBatchSize = None,
    max_batch_tokens: options.MaxBatchTokens = None,
    device: options.Device = None,
    framework: options.AnsweringFramework = None,
    trust_program: options.TrustProgram = False,
    settings: options.DataSettings = None,
) -> None:
    """Fit a temperature, thresholds and where to abstain, and keep them with the model.

    `predict`, `evaluate` and pipelines use them from then on. Prints JSON, which is kept as calibration.json.
    """
    from albertkit.cli.progress import RowProgress
    from albertkit.pipelines import pipeline
    from albertkit.tasks import calibration
    from albertkit.training import calibration_files

    folder = calibration_files.require_folder(model)
    columns = {"text_column": text_column, "pair_column": pair_column, "label_column": label_column}
    rows = {"header": options.split(header), "skip_bad_rows": skip_bad_rows or None}
    given = options.data_options(settings, task_name=task_name, **rows, **columns)
    on = options.computing(device, batch_size, max_batch_tokens, trust_program=trust_program)
    answerer = pipeline("auto", model, framework, max_length, **on)
    with RowProgress() as progress:
        answerer.progress = progress.update
        _, results = answerer.calibrate(data, target_accuracy, **given)
    calibration_files.save(folder, getattr(answerer.config, calibration.TRAINED), results)
    bins_first = sorted(results, key=lambda name: not name.startswith("bins"))  # so that a screen ends in the figures
    typer.echo(json.dumps({name: results[name] for name in bins_first}, indent=2))
