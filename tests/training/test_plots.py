"""Pictures of figures: they are drawn, with labels that can be read, or their numbers stand in the card alone."""

import pytest

from albertkit.tasks.figures import Bars, Confusion, Reliability
from albertkit.training import finetune_figures, model_card, plots
from albertkit.training.recipe import FinetuneRecipe

FIGURES = [
    Confusion("confusion", "Which for which", ["neg", "p|os"], [[5, 1], [0, 7]]),
    Bars("scores_by_type", "By type", ["人名", "PER"], {"F1": [0.5, 1.0], "recall": [0.1, 0.2]}, [3, 1000], "type"),
    Reliability("reliability", "How often", [0.5, 0.9], [0.25, 0.8], [4, 9], 0.25),
]


@pytest.mark.parametrize("figure", FIGURES)
def test_figures_are_drawn_and_no_letter_lacks_its_glyph(tmp_path, figure):
    pytest.importorskip("matplotlib")
    plots.draw(figure, tmp_path / "a.png")  # a missing glyph would be a warning, which is an error here
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")


def test_labels_that_no_font_has_are_numbers_and_others_stay(monkeypatch):
    pytest.importorskip("matplotlib")
    assert plots.readable(["neg", "été"]) == (["neg", "été"], ["DejaVu Sans"])
    assert plots.readable(["a" * 40])[0] == ["a" * 27 + "…"]
    monkeypatch.setattr(plots, "_fonts", lambda: [("Latin", "latin.ttf"), ("Kanji", "kanji.ttf")])
    characters = {"latin.ttf": frozenset(map(ord, "abc")), "kanji.ttf": frozenset(map(ord, "人名"))}
    monkeypatch.setattr(plots, "_characters", characters.__getitem__)
    assert plots.readable(["人名", "abc"]) == (["人名", "abc"], ["Latin", "Kanji"])
    assert plots.readable(["人名", "地名"]) == (["1", "2"], ["DejaVu Sans"])


@pytest.mark.parametrize("can_draw", [True, False])
def test_a_card_has_the_numbers_of_each_figure_and_its_picture_where_there_is_one(monkeypatch, can_draw):
    monkeypatch.setattr(plots, "are_possible", lambda: can_draw)
    recipe = FinetuneRecipe.load(None, {"data.train": "train.csv"})
    results = {"step": 3, "epoch": 1.0, "loss": 0.5, "accuracy": 1.0, "examples": 5, "data": "dev.csv"}
    card = model_card.model_card(recipe, results, 10, ["neg", "p|os"], [], FIGURES)
    for row in ("| neg | 5 | 1 |", "| p\\|os | 0 | 7 |", "| 人名 | 0.500 | 0.100 | 3 |", "| 0.500 | 0.250 | 4 |"):
        assert row in card
    for one in FIGURES:
        assert f"### {one.title}" in card
        assert (f"(figure_{one.name}.png)" in card) == can_draw
    assert ("curves.png" in card) == can_draw
    assert ('pip install "albertkit[plots]"' in card) != can_draw


def test_the_figures_of_the_best_evaluation_survive_a_later_one_and_the_end_of_the_process(tmp_path):
    kept = finetune_figures.BestFigures(tmp_path)
    kept.note(FIGURES)
    kept.keep(3)
    kept.note(FIGURES[:1])
    again = finetune_figures.BestFigures(tmp_path)
    assert again.of(3) == FIGURES
    assert again.of(4) == []
    (tmp_path / finetune_figures.FILE).write_text("{")
    assert again.of(3) == []
