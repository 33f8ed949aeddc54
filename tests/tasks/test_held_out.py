"""The part that is held out: what belongs together stays on one side, and what does not is told."""

import numpy as np
import pytest

pytest.importorskip("scipy")

from albertkit.errors import InputError
from albertkit.tasks import held_out, tables, texts
from albertkit.tasks.multiple_choice.choices import Choices
from albertkit.tasks.question_answering.questions import Questions


def asked(contexts):
    """A question about each of the contexts."""
    numbers = [str(number) for number in range(len(contexts))]
    return Questions("q.json", numbers, [f"Who is {one}?" for one in numbers], list(contexts), None, numbers)


def pairs(*rows, **columns):
    data = {"premise": [one for one, _ in rows], "hypothesis": [other for _, other in rows], **columns}
    table = tables.Table("p.csv", data, list(range(2, len(rows) + 2)))
    return texts.taken(table, texts.TextOptions(text_column="premise", pair_column="hypothesis"))


def sides(examples, values, share=0.1, seed=1, classes=None):
    found = held_out.split(examples, classes, share, seed)
    assert sorted([*found.kept, *found.held_out]) == list(range(len(examples)))
    return {values[one] for one in found.kept}, {values[one] for one in found.held_out}, found


@pytest.mark.parametrize("seed", range(5))
def test_questions_of_one_context_stay_on_one_side(seed):
    contexts = [f"context {number // 4}" for number in range(200)]
    kept, held, found = sides(asked(contexts), contexts, seed=seed)
    assert not kept & held
    assert len(found.held_out) == 20
    assert found.told == ("20 examples are held out, 5 groups of them: those that share the context stay on one side.")
    assert held_out.split(asked(contexts), None, 0.1, seed) == found


def test_choices_of_one_start_stay_on_one_side_and_so_do_they_by_their_question():
    starts = [f"start {number % 30}" if number < 90 else " " for number in range(120)]
    asked = ["and then" if start != " " else f"question {number % 3}" for number, start in enumerate(starts)]
    listed = [[f"a {number}", "b"] for number in range(120)]
    places = [str(number) for number in range(120)]
    examples = Choices("c.csv", starts, asked, listed, [0] * 120, places, [""] * 120)
    values = [start if start.strip() else question for start, question in zip(starts, asked, strict=True)]
    kept, held, found = sides(examples, values, share=0.2)
    assert not kept & held
    assert 20 <= len(found.held_out) <= 28


def test_few_large_contexts_change_the_size_and_one_alone_is_parted_which_is_told():
    contexts = [f"context {number % 4}" for number in range(100)]
    kept, held, found = sides(asked(contexts), contexts)
    assert (len(held), len(found.held_out)) == (1, 25)
    assert not kept & held
    alone = held_out.split(asked(["one"] * 40), None, 0.1, 1)
    assert len(alone.held_out) == 4
    assert alone.told == (
        "4 of the 4 examples held out share the context with such as are trained on, and scores on them may be too "
        "good: name others with --eval."
    )


def test_rows_that_repeat_each_other_or_share_a_text_are_not_parted():
    rows = [(f"premise {number // 3}", f"hypothesis {number // 2}") for number in range(12)]  # connected by sixes
    rows += [("again", "and again")] * 3 + [(f"other {number}", f"text {number}") for number in range(45)]
    values = [number // 6 if number < 12 else 2 if number < 15 else number for number in range(60)]
    for seed in range(8):
        kept, held, _ = sides(pairs(*rows), values, share=0.2, seed=seed)
        assert not kept & held


def test_a_topic_is_no_source_and_that_its_rows_are_parted_is_told():
    rows = [(f"topic {number % 3}", f"what is said of it, {number}") for number in range(90)]
    sources = [f"page {number // 45}" for number in range(90)]
    found = held_out.split(pairs(*rows, title=sources), None, 0.1, 1)
    assert len(found.held_out) == 9
    assert "9 of the 9 examples held out share the title with such as are trained on" in found.told


def test_without_anything_in_common_rows_are_drawn_as_they_always_were():
    examples = asked([f"context {number}" for number in range(50)])
    classes = np.array([0] * 48 + [1, 2])
    order = np.random.default_rng(7).permutation(50)
    assert held_out.split(examples, None, 0.2, 7).held_out == sorted(order[:10].tolist())
    found = held_out.split(examples, classes, 0.2, 7)
    assert {48, 49} <= set(found.kept)
    assert len(found.held_out) == 10
    assert found.told == ""


def test_an_example_of_each_class_stays_with_all_that_belongs_to_it():
    contexts = [f"context {number // 2}" for number in range(40)]
    classes = np.array([1] * 2 + [0] * 38)
    for seed in range(20):
        kept, held, _ = sides(asked(contexts), contexts, share=0.4, seed=seed, classes=classes)
        assert "context 0" in kept - held


def test_rows_that_are_all_connected_are_parted_rather_than_too_few_held_out_which_is_told():
    chain = [(f"premise {number // 2}", f"hypothesis {(number + 1) // 2}") for number in range(96)]
    alone = [("a text", "of its own"), ("another", "of its own, too")]
    found = held_out.split(pairs(*chain, *alone), None, 0.1, 1)
    assert len(found.held_out) == 10
    assert "10 of the 10 examples held out share the text of a pair with such as are trained on" in found.told


def test_too_few_rows_are_refused():
    with pytest.raises(InputError, match=r"needs more rows. q.json has 1. Give an --eval file."):
        held_out.split(asked(["one"]), None, 0.1, 1)
