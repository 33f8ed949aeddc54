"""The option names of Transformers' example scripts, of its `TrainingArguments` and of the original: what each is here.

The only place that knows them. A name that is none of a recipe's own keys is looked up here, with `_` or `-` alike, and
becomes a key, or is what a run does anyway, or is refused with what to do instead. None is passed over in silence.
"""

from collections.abc import Collection, Mapping

from albertkit.errors import ConfigError
from albertkit.typing import Json

KEYS: Mapping[str, tuple[str, ...]] = {
    "model_name_or_path": ("model.name",),
    "tokenizer_name": ("model.tokenizer",),
    "train_file": ("data.train",),
    "validation_file": ("data.eval",),
    "dataset_name": ("data.hub_dataset",),
    "dataset_config_name": ("data.hub_config",),
    "train_split_name": ("data.train_split",),
    "validation_split_name": ("data.eval_split",),
    "task_name": ("data.task_name", "training.defaults"),
    "max_seq_length": ("data.max_length",),
    "block_size": ("data.max_length",),
    "doc_stride": ("data.doc_stride",),
    "max_train_samples": ("data.max_train_samples",),
    "max_eval_samples": ("data.max_eval_samples",),
    "label_all_tokens": ("data.label_all_tokens",),
    "line_by_line": ("data.line_by_line",),
    "max_answer_length": ("data.max_answer_length",),
    "n_best_size": ("data.n_best_size",),
    "text_column_name": ("data.text_column",),
    "label_column_name": ("data.label_column", "data.tag_column"),
    "mlm_probability": ("data.mlm_probability",),
    "learning_rate": ("training.learning_rate",),
    "weight_decay": ("training.weight_decay",),
    "warmup_ratio": ("training.warmup_ratio",),
    "warmup_steps": ("training.warmup_steps",),
    "max_steps": ("training.max_steps",),
    "num_train_epochs": ("training.epochs",),
    "per_device_train_batch_size": ("training.per_device_batch_size",),
    "per_device_eval_batch_size": ("training.eval_batch_size",),
    "per_gpu_train_batch_size": ("training.per_device_batch_size",),
    "per_gpu_eval_batch_size": ("training.eval_batch_size",),
    "train_batch_size": ("training.batch_size",),
    "predict_batch_size": ("training.eval_batch_size",),
    "warmup_proportion": ("training.warmup_ratio",),
    "gradient_accumulation_steps": ("training.gradient_accumulation",),
    "lr_scheduler_type": ("training.schedule",),
    "adam_beta1": ("training.beta1",),
    "adam_beta2": ("training.beta2",),
    "adam_epsilon": ("training.epsilon",),
    "max_grad_norm": ("training.max_gradient_norm",),
    "label_smoothing_factor": ("training.label_smoothing",),
    "eval_steps": ("training.evaluate_every",),
    "save_steps": ("training.save_every",),
    "early_stopping_patience": ("training.patience",),
    "metric_for_best_model": ("training.metric",),
}
"""Names, and the keys that each may be: the first one that the recipe of the task has."""

VALUES: Mapping[str, tuple[str, Mapping[Json, Json], str]] = {
    "bf16": ("training.precision", {True: "bf16", False: "fp32"}, "true or false"),
    "do_regression": ("data.problem", {True: "regression", False: "auto"}, "true or false"),
    "version_2_with_negative": ("training.defaults", {True: "squad_v2", False: "squad"}, "true or false"),
}
"""Names that are a value of a key: the key, its values by those of the name, and in words what these are."""

ALWAYS: Mapping[str, tuple[Json, str]] = {
    "do_train": (True, "Without training, score a model with `albertkit evaluate`."),
    "do_eval": (True, "Every run evaluates, for that chooses the weights that are kept: leave it out."),
    "load_best_model_at_end": (True, "The weights of the best evaluation are those that are kept: leave it out."),
    "group_by_length": (True, "Rows of nearly one length stand in a batch, so that little is padded: leave it out."),
    "return_entity_level_metrics": (True, "The scores of each type are always among the results: leave it out."),
    "evaluate_during_training": (
        True,
        "Every run evaluates, for that chooses the weights that are kept: leave it out.",
    ),
    "save_safetensors": (True, "Weights are written as safetensors: leave it out."),
    "ignore_mismatched_sizes": (True, "A classifier of other classes is begun anew, and that is said: leave it out."),
    "do_predict": (False, "Predict when the run is done: `albertkit predict FOLDER --file FILE --output ANSWERS`."),
    "pad_to_max_length": (False, "Batches are padded to their longest row alone, with the same scores: leave it out."),
    "push_to_hub": (False, "Push the folder when the run is done: `albertkit push FOLDER NAME`."),
    "overwrite_cache": (False, "There is no cache of the data: leave it out."),
    "trust_remote_code": (False, "No code of others is run: leave it out."),
    "torch_compile": (False, "Steps run as they are: leave it out."),
    "dataloader_drop_last": (False, "No example is left out of an epoch: leave it out."),
    "auto_find_batch_size": (False, "Say --batch-size, and for less memory training.gradient_accumulation."),
    "adafactor": (False, "The optimizer is AdamW: leave it out."),
    "fp16": (False, "Ask for --set training.precision=bf16: as small, and nothing overflows."),
    "gradient_checkpointing": (False, "For less memory compute a batch in parts: training.gradient_accumulation."),
}
"""Names whose one value is what a run does anyway, and what to do for another."""

INSTEAD: Mapping[str, str] = {
    "output_dir": "It is --output on the command line, and no key of a recipe.",
    "overwrite_output_dir": "It is --overwrite on the command line, and no key of a recipe.",
    "resume_from_checkpoint": "It is --resume on the command line: the newest good checkpoint of --output is taken.",
    "test_file": "Predict when the run is done: `albertkit predict FOLDER --file FILE --output ANSWERS`.",
    "max_predict_samples": "Predict when the run is done, from a file of the rows that you want.",
    "null_score_diff_threshold": "The best one is found by evaluating and kept: `albertkit evaluate` takes another.",
    "config_name": "Keys of the config are set with --set model.config.KEY=VALUE.",
    "config_overrides": "Keys of the config are set with --set model.config.KEY=VALUE.",
    "cache_dir": "The folder of the hub is that of the environment variable HF_HOME.",
    "token": "The hub's own settings are used: log in with its command line, or set HF_TOKEN.",
    "model_revision": "Load the folder of that revision first, and name it with --model.",
    "optim": "The optimizer is AdamW: leave it out. Its decay is training.weight_decay.",
    "eval_strategy": "There is an evaluation an epoch, or one every training.evaluate_every steps: leave it out.",
    "evaluation_strategy": "There is an evaluation an epoch, or one every training.evaluate_every steps: leave it out.",
    "save_strategy": "There is a checkpoint an evaluation, or one every training.save_every steps: leave it out.",
    "save_total_limit": "The best checkpoint and the last ones are kept: leave it out.",
    "logging_steps": "Every step is logged, of long runs a thousand: leave it out.",
    "logging_strategy": "Every step is logged, of long runs a thousand: leave it out.",
    "logging_dir": "The log is log.jsonl in the folder of the run: leave it out.",
    "report_to": "The log is log.jsonl in the folder of the run: leave it out.",
    "greater_is_better": "That is known of each metric: leave it out.",
    "preprocessing_num_workers": "One process is enough to encode the data: leave it out.",
    "dataloader_num_workers": "Batches are ready in memory: leave it out.",
    "remove_unused_columns": "Only the columns that are named or found are read: leave it out.",
    "dataloader_pin_memory": "Batches are ready in memory: leave it out.",
    "keep_linebreaks": "A line is a text, without its end: leave it out.",
    "validation_split_percentage": "It is --held-out, as a share: 0.05 for 5.",
    "do_lower_case": "The tokenizer's own setting holds, in its tokenizer_config.json: leave it out.",
    "use_fast_tokenizer": "Both tokenizers give the same ids: leave it out.",
    "model_type": "The config of the model says what it is: leave it out.",
    "full_determinism": "All that is random follows from --seed: leave it out.",
    "data_seed": "All that is random follows from --seed: leave it out.",
    "run_name": "A run is called as its folder: leave it out.",
    "disable_tqdm": "How far a run is stands on standard error: send that elsewhere, or leave it out.",
    "log_level": "What is said stands on standard error: send that elsewhere, or leave it out.",
    "logging_first_step": "Every step is logged, of long runs a thousand: leave it out.",
    "eval_accumulation_steps": "There is nothing to set for it: leave it out.",
    "lr_scheduler_kwargs": "Schedules have no settings beside warm-up: leave it out.",
    "label_names": "The task knows its labels: leave it out.",
    "hub_model_id": "Push the folder when the run is done: `albertkit push FOLDER NAME`.",
    "hub_token": "The hub's own settings are used: log in with its command line, or set HF_TOKEN.",
    "local_rank": "torchrun sets it for each process: leave it out.",
    "deepspeed": "Several processes are started with torchrun, or with srun for JAX: leave it out.",
    "fsdp": "Several processes are started with torchrun, or with srun for JAX: leave it out.",
    "no_cuda": "Set the environment variable CUDA_VISIBLE_DEVICES to nothing.",
    "use_cpu": "Set the environment variable CUDA_VISIBLE_DEVICES to nothing.",
}
"""Names that have no meaning in a recipe, and what to do instead."""

_TRUTHS = {"true": True, "false": False, "1": True, "0": False, "yes": True, "no": False}
_SCHEDULES = {"constant_with_warmup": "constant"}


def is_known(name: str) -> bool:
    """Whether a name is one of these, with `_` or `-`."""
    plain = name.replace("-", "_")
    return any(plain in table for table in (KEYS, VALUES, ALWAYS, INSTEAD))


def is_flag(name: str) -> bool:
    """Whether a name may stand on a command line without a value, which then is true."""
    return name.replace("-", "_") in (*VALUES, *ALWAYS, "label_all_tokens", "line_by_line")


def own_key(key: str, value: Json, known: Collection[str]) -> tuple[str, Json] | None:
    """The key of a recipe whose keys are `known`, and its value, for a key in other words.

    None for what is done anyway. A key that is known, or in no table here, comes back as it is. ConfigError for a name
    that has no meaning in this recipe, with what to do instead.
    """
    name = key.rpartition(".")[2].replace("-", "_")
    if key in known or key.startswith("model.config") or any(one.startswith(f"{key}.") for one in known):
        return key, value
    if name in VALUES and VALUES[name][0] in known:
        return _of_value(name, value)
    if name in ALWAYS:
        return _require_always(name, value)
    found = [one for one in KEYS.get(name, ()) if one in known]
    if found:
        return found[0], _changed(name, value)
    if not is_known(name):
        return key, value
    meant = KEYS.get(name) or [VALUES[name][0]] if name not in INSTEAD else []
    what = INSTEAD.get(name, f"It is {' or '.join(meant)}, which this task does not have.")
    raise ConfigError(f"`{name}` is no option of this run. Received: {value!r}. {what}")


def _of_value(name: str, value: Json) -> tuple[str, Json]:
    key, values, words = VALUES[name]
    truth = _truth(value)
    if truth not in values:
        raise ConfigError(f"`{name}` must be {words}. Received: {value!r}.")
    return key, values[truth]


def _require_always(name: str, value: Json) -> None:
    wanted, instead = ALWAYS[name]
    if _truth(value) is not wanted:
        raise ConfigError(f"`{name}` is always {str(wanted).lower()} here. Received: {value!r}. {instead}")


def _truth(value: Json) -> Json:
    return _TRUTHS.get(str(value).lower(), value)


def _changed(name: str, value: Json) -> Json:
    """A value in the words of a recipe."""
    if name == "metric_for_best_model":
        return str(value).removeprefix("eval_")
    if name == "max_steps" and value == -1:
        return 0
    if name == "lr_scheduler_type":
        return _SCHEDULES.get(str(value), value)
    return value
