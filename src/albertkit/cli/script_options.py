"""The option names of Transformers' example scripts on the command line, with `_` or `-`, and `--seeds 1 2 3`.

What each of them means in a recipe stands in `training.option_names`; here they are brought into the form of the own
options of a command, so that its help stays short.
"""

import dataclasses
from collections.abc import Collection, Sequence

from typer.core import TyperCommand

from albertkit.typing import Json

EPILOG = (
    "The names of Transformers' example scripts, such as max_seq_length or num_train_epochs, are understood, too: "
    "docs/fine-tuning.md."
)

_OWN = {"output_dir": "--output", "overwrite_output_dir": "--overwrite", "resume_from_checkpoint": "--resume"}
"""Names that are options of `albertkit finetune` and no keys of its recipe."""
_ANSWERING = {
    "model_name_or_path": "MODEL",
    "validation_file": "DATA",
    "test_file": "DATA",
    "max_seq_length": "--max-length",
    "per_device_eval_batch_size": "--batch-size",
    "output_file": "--output",
    "overwrite_output_dir": "--overwrite",
    "text_column_name": "--text-column",
    "label_column_name": "--label-column",
    "max_eval_samples": "max_eval_samples",
    "label_all_tokens": "label_all_tokens",
    "task_name": "task_name",
}
"""Names that `albertkit evaluate` and `predict` know: their own options, or else keys of the data."""
_FLAGS = ("--overwrite", "--resume", "label_all_tokens")
_TRUTHS = {"true": True, "false": False}


class ScriptCommand(TyperCommand):
    """`albertkit finetune TASK`: what is no option of its own becomes a setting of the recipe."""

    def parse_args(self, ctx: Json, args: list[str]) -> list[str]:
        """Parse the arguments in their own form."""
        from albertkit.training import option_names

        own = _options(self)
        found: list[str] = []
        for name, values, raw in _groups(args):
            plain = name.removeprefix("--").replace("-", "_")
            if not name:
                found += raw
            elif plain == "seeds":
                numbers = [value for value in values if _is_number(value)]
                found += ["--seeds", ",".join(numbers), *values[len(numbers) :]]
            elif (dashed := f"--{plain.replace('_', '-')}") in own:
                found += [dashed, *_plain(values, own[dashed])]
            elif plain in _OWN:
                found += _flagged(_OWN[plain], values)
            elif option_names.is_known(plain):
                value, *others = values or ["true"]
                is_bare = option_names.is_flag(plain) and value.lower() not in _TRUTHS
                value, others = ("true", values) if is_bare else (value, others)
                found += ["--set", f"{plain}={_toml(value)}", *others]
            else:
                found += raw
        return super().parse_args(ctx, found)


class AnsweringCommand(TyperCommand):
    """`albertkit evaluate` and `predict`: a model, data, and the options of answers."""

    def parse_args(self, ctx: Json, args: list[str]) -> list[str]:
        """Parse the arguments in their own form."""
        own, places = _options(self), {}
        found: list[str] = []
        for name, values, raw in _groups(args):
            plain = name.removeprefix("--").replace("-", "_")
            dashed = f"--{plain.replace('_', '-')}"
            target = _ANSWERING.get(plain, "")
            if not name:
                found += raw
            elif dashed in own:
                found += [dashed, *_plain(values, own[dashed])]
            elif target in ("MODEL", "DATA"):
                places[target] = values[0] if values else ""
                found += values[1:]
            elif target in own:
                found += _flagged(target, values)
            elif target and not target.startswith("--"):
                found += ["--set", f"{target}={_toml(values[0] if values else 'true')}", *values[1:]]
            else:
                _refuse(plain, values)
                found += raw
        if "--file" in own and "DATA" in places:
            found += ["--file", places.pop("DATA")]
        return super().parse_args(ctx, [*(places[name] for name in ("MODEL", "DATA") if name in places), *found])


class CheckCommand(TyperCommand):
    """`albertkit data check TASK`: what is no option of its own is one of the task's data, by any name in training."""

    def parse_args(self, ctx: Json, args: list[str]) -> list[str]:
        """Parse the arguments in their own form."""
        from albertkit.tasks import registry

        own = _options(self)
        task = next((registry.get(one) for one in args if registry.is_known(one)), None)
        fields = {} if task is None else {one.name: one for one in dataclasses.fields(task.options)}
        called = {alias.replace("-", "_"): name for name, one in fields.items() for alias in one.metadata["aliases"]}
        found: list[str] = []
        for name, values, raw in _groups(args):
            plain = name.removeprefix("--").replace("-", "_")
            plain = plain if f"--{plain.replace('_', '-')}" in own else _of_data(called.get(plain, plain), fields)
            if (dashed := f"--{plain.replace('_', '-')}") in own:
                found += [dashed, *_plain(values, own[dashed])]
            elif plain in fields:
                is_list = fields[plain].default_factory is not dataclasses.MISSING
                value, *others = values or ["true"]
                found += ["--set", f"{plain}={value.split(',') if is_list else _toml(value)}", *others]
            else:
                found += raw
        return super().parse_args(ctx, found)


def _of_data(name: str, fields: Collection[str]) -> str:
    """The option of the data, or of a model, that the scripts call so; another name stays as it is."""
    from albertkit.training import option_names

    keys = [key.partition(".") for key in option_names.KEYS.get(name, ())]
    meant = [last for section, _, last in keys if section == "data" and last in fields]
    return next(iter(meant), "model" if name == "model_name_or_path" else name)


def _refuse(name: str, values: Sequence[str]) -> None:
    """ConfigError for a name of the scripts that belongs to training; nothing for one that is none of them."""
    from albertkit.errors import ConfigError
    from albertkit.training import option_names

    if option_names.is_known(name):
        raise ConfigError(
            f"`{name}` is no option of this command. Received: {' '.join(values) or 'it'}. It belongs to "
            "`albertkit finetune`, or to no command: leave it out."
        )


def _options(command: Json) -> dict[str, bool]:
    """The options of a command, and whether each stands without a value."""
    return {
        name: bool(getattr(parameter, "is_flag", False))
        for parameter in command.params
        for name in (*parameter.opts, *parameter.secondary_opts)
        if name.startswith("--")
    }


def _groups(args: Sequence[str]) -> list[tuple[str, list[str], list[str]]]:
    """Arguments as options with what follows each, and both as they are given.

    What follows `--`, or comes first, has the name "".
    """
    groups: list[tuple[str, list[str], list[str]]] = [("", [], [])]
    for number, one in enumerate(args):
        if one == "--":
            groups.append(("", [], list(args[number:])))
            break
        if one.startswith("--"):
            name, equals, value = one.partition("=")
            groups.append((name, [value] if equals else [], [one]))
        else:
            groups[-1][1].append(one)
            groups[-1][2].append(one)
    return groups


def _flagged(option: str, values: Sequence[str]) -> list[str]:
    """An option with its values; a flag that is said to be true or false, as scripts may say it, is there or not."""
    if option in _FLAGS and values and values[0].lower() in _TRUTHS:
        return [*([option] if _TRUTHS[values[0].lower()] else []), *values[1:]]
    return [option, *values]


def _plain(values: Sequence[str], is_flag: bool) -> list[str]:
    """The values of an option; those of a flag without the word that it is true."""
    return list(values[1:]) if is_flag and values and values[0].lower() == "true" else list(values)


def _is_number(text: str) -> bool:
    return text.replace(",", "").isdigit()


def _toml(value: str) -> str:
    """A value as a setting is read: Python's True and False as those of TOML."""
    return value.lower() if value.lower() in _TRUTHS else value
