"""What fine-tuning does where nothing is said: settings of the ALBERT paper by benchmark, rates by task and model.

Source: table 14 of arXiv 1909.11942. Its steps stand here as passes over the training data, which for the whole of that
data are as many steps, and for a part of it as many fewer.
"""

import math
from typing import NamedTuple

from albertkit.config import AlbertConfig
from albertkit.errors import ConfigError, did_you_mean
from albertkit.typing import Json, Record

PAPER = "table 14 of the ALBERT paper (arXiv 1909.11942)"


class Settings(NamedTuple):
    """A row of the table, with the number of training rows of the benchmark."""

    title: str
    learning_rate: float
    batch_size: int
    dropout: float
    """Inside the encoder; before the classifier it is 0.1 in all rows, as in the published configs."""
    steps: int
    warmup: int
    max_length: int
    rows: int

    @property
    def epochs(self) -> float:
        """Passes over the data."""
        return self.steps / math.ceil(self.rows / self.batch_size)


BENCHMARKS = {
    "cola": Settings("CoLA", 1e-5, 16, 0, 5336, 320, 512, 8551),
    "stsb": Settings("STS-B", 2e-5, 16, 0, 3598, 214, 512, 5749),
    "sst2": Settings("SST-2", 1e-5, 32, 0, 20935, 1256, 512, 67349),
    "mnli": Settings("MNLI", 3e-5, 128, 0, 10000, 1000, 512, 392702),
    "qnli": Settings("QNLI", 1e-5, 32, 0, 33112, 1986, 512, 104743),
    "qqp": Settings("QQP", 5e-5, 128, 0.1, 14000, 1000, 512, 363846),
    "rte": Settings("RTE", 3e-5, 32, 0.1, 800, 200, 512, 2490),
    "mrpc": Settings("MRPC", 2e-5, 32, 0, 800, 200, 512, 3668),
    "wnli": Settings("WNLI", 2e-5, 16, 0.1, 2000, 250, 512, 635),
    "squad": Settings("SQuAD 1.1", 5e-5, 48, 0, 3649, 365, 384, 87599),
    "squadv2": Settings("SQuAD 2.0", 3e-5, 48, 0, 8144, 814, 512, 130319),
    "race": Settings("RACE", 2e-5, 32, 0.1, 12000, 1000, 512, 87866),
}
_ALIASES = {"sts": "stsb", "sst": "sst2", "mnlim": "mnli", "mnlimatched": "mnli", "multinli": "mnli"}
_ALIASES |= {"squad11": "squad", "squadv1": "squad", "squad2": "squadv2", "squad20": "squadv2"}
_RACE_V2 = 1e-5
"""The rate of RACE for the second release, which its README gives, with no dropout: at the table's it diverges."""
_NARROW, _NARROW_FACTOR, _NARROW_MOST = 512, 15.0, 3e-4
"""Models narrower than any published one take rates so much higher, up to a highest one: from the model of the package,
entities of WikiANN have an F1 of 0.52 after 313 steps at 3e-4, and of 0.38 at 1e-4."""
_RATES = 2e-5, 1e-5
"""Those of base and of wider models, which fail at higher rates."""
_BY_TASK = {"question-answering": (3e-5, 3e-5), "sentence-embedding": (5e-5, 1e-5)}
"""The same where a task has its own: that of SQuAD 2.0, at which 1.1 trains, too, and those of SimCSE."""


def benchmark(name: str) -> Settings | None:
    """The settings of a benchmark by its name in any spelling, or None where the paper has none."""
    plain = "".join(filter(str.isalnum, name.lower()))
    return BENCHMARKS.get(_ALIASES.get(plain, plain))


def named(content: Record) -> str:
    """The benchmark that the tables of a recipe name: `training.defaults`, or else `data.task_name`."""
    sections = [content.get(name) for name in ("training", "data")]
    training, data = (one if isinstance(one, dict) else {} for one in sections)
    return str(training.get("defaults") or data.get("task_name") or "")


def filled_in(content: Record) -> Record:
    """The tables of a recipe with what they leave open as the paper has it for the benchmark that they name.

    ConfigError where `training.defaults` names none.
    """
    settings = benchmark(named(content))
    training, data = content.get("training", {}), content.get("data", {})
    if not isinstance(training, dict) or not isinstance(data, dict):
        return content
    if settings is None:
        if name := training.get("defaults"):
            near = did_you_mean(str(name), BENCHMARKS)
            raise ConfigError(
                f"`training.defaults` must be one of {', '.join(BENCHMARKS)}. Received: {name!r}.{near} Leave it out "
                "for those of any other data."
            )
        return content
    of_steps: Record = {}
    if not training.get("per_device_batch_size"):
        of_steps["batch_size"] = settings.batch_size
    if not training.get("max_steps"):
        of_steps["epochs"] = settings.epochs
    if not training.get("warmup_steps"):
        of_steps["warmup_ratio"] = settings.warmup / settings.steps
    return {
        **content,
        "training": {**of_steps, **training},
        "data": {"max_length": settings.max_length, **data},
    }


def is_first_release(config: AlbertConfig) -> bool:
    """Whether a model is of the first release: its configs name another activation than those of the second."""
    return config.hidden_act == "gelu"


def learning_rate(task: str, name: str, config: AlbertConfig, is_new: bool) -> float:
    """A peak rate by task, benchmark, width of the model, its release, and how it starts.

    A new model takes one by its width alone. Of published widths it is the table's where the paper has the benchmark
    called `name`, and else one for base and one above.
    """
    width, settings = config.hidden_size, benchmark(name)
    if is_new:
        return 1e-3 if width <= 256 else 1e-4 if width <= 1024 else 3e-5
    rate = _BY_TASK.get(task, _RATES)[width > 768]
    if settings is not None:
        is_milder = settings.title == "RACE" and not is_first_release(config)
        rate = _RACE_V2 if is_milder else settings.learning_rate
    return min(rate * _NARROW_FACTOR, _NARROW_MOST) if width < _NARROW else rate


def with_dropout(config: AlbertConfig, name: str, given: Record) -> AlbertConfig:
    """The config with the dropout of the paper for a benchmark, unless it is `given` or the model was trained with it.

    The first release was trained with dropout, and keeps it. RACE takes none with the second one; see its README.
    """
    settings, keys = benchmark(name), ("hidden_dropout_prob", "attention_probs_dropout_prob")
    if settings is None or any(key in given for key in keys) or config.hidden_dropout_prob:
        return config
    dropout = 0.0 if settings.title == "RACE" and not is_first_release(config) else settings.dropout
    return config.changed(**dict.fromkeys(keys, dropout)) if dropout else config


def described(name: str, training: Record, max_length: int, config: AlbertConfig, is_chosen: bool) -> str:
    """Where the settings of a run come from, for its first lines; nothing where all was given.

    `training` are those in effect, `is_chosen` says whether the rate was left open.
    """
    settings = benchmark(name)
    rate = f"Peak rate {training['learning_rate']:.1e}, for a model of width {config.hidden_size} and this task"
    if settings is None:
        return f"{rate}; --learning-rate sets another." if is_chosen else ""
    own: dict[str, Json] = {
        "batch_size": settings.batch_size,
        "epochs": settings.epochs,
        "warmup_ratio": settings.warmup / settings.steps,
        "learning_rate": settings.learning_rate,
    }
    agreed = [f"{key} {value:.4g}" for key, value in own.items() if training[key] == value]
    agreed += ["max_length " + str(max_length)] * (max_length == settings.max_length)
    agreed += [f"dropout {settings.dropout:g}"] * (config.hidden_dropout_prob == settings.dropout)
    found = f"Of {settings.title} in {PAPER}: {', '.join(agreed)}." if agreed else ""
    if is_chosen and training["learning_rate"] != settings.learning_rate:
        found += f" {rate}, where the paper has {settings.learning_rate:.1e}."
    return found.strip()
