"""What fine-tuning for text classification is told of its data."""

from dataclasses import dataclass, replace
from typing import Literal, Self

from albertkit.tasks.data_options import option
from albertkit.tasks.text_classification import glue
from albertkit.tasks.text_classification.label_columns import LabelOptions


@dataclass(frozen=True)
class ClassificationOptions(LabelOptions):
    """Which columns hold texts and labels, and what a label is."""

    task_name: str = option(
        "",
        "A task of GLUE, such as mrpc: columns, classes and scores are its own, and its folder will do as data.",
        is_kept=True,
        aliases=("task",),
    )
    problem: Literal["auto", "single", "multi", "regression"] = option("auto", "auto, single, multi or regression.")
    class_weights: str = option("", "Weights of classes in the training loss: balanced, or name=weight,...")
    long: Literal["truncate", "windows"] = option(
        "truncate", "Texts longer than --max-length: truncate, or windows, whose logits are averaged.", is_kept=True
    )
    doc_stride: int = option(0, "Tokens that two windows of a text share; 0: a quarter of them.", ge=0, is_kept=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.task_name:
            glue.get(self.task_name)  # an error for a name that is none

    @property
    def is_pair(self) -> bool:
        """Whether the texts are known to be pairs."""
        return len(glue.get(self.task_name).texts[0]) > 1 if self.task_name else super().is_pair

    def with_classes(self) -> Self:
        """The same with the classes and the problem of the task of GLUE, where there is one."""
        if not self.task_name:
            return self
        classes = list(glue.get(self.task_name).classes)
        problem = self.problem if self.problem != "auto" else "single" if classes else "regression"
        return replace(self, class_names=self.class_names or classes, problem=problem)
