"""What a person may ask of a pipeline for a task and a model: options of its calls, and of the data that it reads."""

import os
from collections.abc import Mapping
from dataclasses import replace

from albertkit.config import AlbertConfig
from albertkit.errors import InputError, abbreviate
from albertkit.inference.settings import Settings, renamed, split
from albertkit.tasks import trained_on
from albertkit.tasks.base import AnyTask
from albertkit.tasks.data_options import DataOptions
from albertkit.typing import Json, Record

_OF_TRAINING = {
    *("train", "eval", "held_out", "max_length", "max_train_samples"),
    *("hub_dataset", "hub_config", "train_split", "eval_split"),
}


class PipelineOptions:
    """Options as they are given, beside those by which the model was trained."""

    def __init__(self, task: AnyTask, config: AlbertConfig, length: int, given: Mapping[str, Json]) -> None:
        """`given` are the defaults of every call, `length` is the longest input where they name none."""
        self._task, self._length, self._given = task, length, renamed(given)
        self.trained = trained_on.kept(config, task)
        """The options of the data of training that are not at their defaults."""
        self.max_length = self.split(config, {})[0].max_length
        """The longest input in tokens."""
        self._usual: DataOptions | None = None
        """What `to_encode` gave last for a call that says nothing of the data, as most do."""

    def split(self, config: AlbertConfig, options: Record) -> tuple[Settings, Record]:
        """The settings of a call and the task's own options. InputError for one that the task does not have."""
        encoding = self._task.encode_options
        known = {**self._task.answer_options, **self._as_trained(config), **dict.fromkeys(encoding)}
        general, own = split({**self._given, **renamed(options)}, self._task.name, known)
        given = {option: own.pop(name) for name, option in encoding.items()}
        trained = {option: self.trained[option] for option in given if option in self.trained}
        settings = Settings.of(self._length, config.max_position_embeddings, **general)
        return replace(settings, data={**trained, **{name: one for name, one in given.items() if one is not None}}), own

    def _as_trained(self, config: AlbertConfig) -> Record:
        """The options of answers that the model's own training decides."""
        as_trained = self._task.answers_as_trained
        found = {name: self.trained[option] for name, option in as_trained.items() if option in self.trained}
        return {**found, **trained_on.fitted(config, self._task)}

    def decided(self, config: AlbertConfig, options: Record) -> AlbertConfig:
        """The config, where options of the pipeline or of a call stand in the place of what training had fitted."""
        scoring = self._task.scoring_options
        given = {name: one for name, one in {**self._given, **options}.items() if name in scoring}
        config = trained_on.with_fitted(config, self._task, given)
        known = trained_on.fitted(config, self._task)
        for name, value in given.items():
            if known.get(name) != value:
                usual = self._task.answer_options[name]
                raise InputError(
                    f"`{name}` must be a {type(usual).__name__}, such as {usual}. Received: {abbreviate(value)}. Leave "
                    "it out for that of the model."
                )
        return config

    def of_data(self, options: Mapping[str, Json]) -> DataOptions:
        """The options of the task's data, by name.

        InputError for a name that is none, for a value of another kind, and for what only training is told.
        """
        for name in _OF_TRAINING & options.keys():
            raise InputError(
                f"`{name}` is an option of training. Received it for data to answer or score. Leave it out; the "
                "longest input is said by the pipeline's `max_length`, on the command line --max-length."
            )
        return replace(self._task.options.of(options), max_length=self.max_length)

    def of_trained_data(self, options: Mapping[str, Json]) -> DataOptions:
        """The same, with those by which the data of training was read."""
        return self.of_data({**self.trained, **options})

    def of_file(self, path: str | os.PathLike[str], options: Mapping[str, Json]) -> DataOptions:
        """The same for a file, with those by which the data of training was read where they fit it."""
        self.of_data(options)
        return self.of_data(trained_on.for_file(str(path), self.trained, options))

    def to_encode(self, settings: Settings, options: DataOptions | None) -> DataOptions:
        """The options by which examples are encoded: those of their file where there are any, or of the call."""
        usual, length = self._usual, settings.encoded_length
        if options is None and not settings.data and usual is not None and usual.max_length == length:
            return usual
        found = options or self._task.options.of({**self.trained, **settings.data})
        found = replace(found, max_length=length)
        if options is None and not settings.data:
            self._usual = found
        return found

    def of_scored_file(self, path: str | os.PathLike[str], settings: Settings, options: Record) -> DataOptions:
        """The same for a file of labelled data, with what the pipeline itself was told of the data."""
        own = {name: value for name, value in settings.data.items() if value != self.trained.get(name)}
        return self.of_file(path, {**own, **options})

    def in_calls(self, data: Mapping[str, Json]) -> Record:
        """What options of the data say of answers, under the names that they have in a call."""
        names = {**self._task.encode_options, **self._task.answers_as_trained}
        return {name: data[option] for name, option in names.items() if option in data}

    def of_lines(self, options: Mapping[str, Json]) -> DataOptions:
        """The same for texts that stand in no table. InputError for options of one, such as columns."""
        of_calls = {*self._task.encode_options.values(), *self._task.answers_as_trained.values(), "skip_bad_rows"}
        if of_tables := [name for name in options if name not in of_calls]:
            raise InputError(
                f"Columns and headers are those of a file that is a table. Received: {', '.join(of_tables)}, for texts "
                "that stand in none. Leave them out."
            )
        return self.of_data(options)
