"""Pictures: what is written and drawn in them, that they are the same each time, and what must not upset them."""

import io
import math
import subprocess
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from nnkit import figures
from nnkit.figures import canvas
from nnkit.figures.horizon import Shown
from nnkit.frames.brackets import TreeReader
from nnkit.frames.trees import Trees
from nnkit.metrics import METRICS

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MODULES = ("depth", "horizon", "matrix", "progress", "curves", "quality", "branches")


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> "list[Figure]":
    """The figures behind the pictures, in order."""
    kept: list[Figure] = []

    def keep(figure: "Figure") -> bytes:
        kept.append(figure)
        return canvas.png(figure)

    for module in MODULES:
        monkeypatch.setattr(f"nnkit.figures.{module}.png", keep)
    return kept


def words(figure: "Figure") -> list[str]:
    """All that is written in a figure."""
    from matplotlib.text import Text

    texts = [text for text in figure.findobj(Text) if isinstance(text, Text) and text.get_visible()]
    return [text.get_text() for text in texts if text.get_text()]


def data_lines(axes: Any) -> list[Any]:
    """The lines that show something, without the grid."""
    return [line for line in axes.get_lines() if line.get_transform() is not axes.transAxes]


def size(picture: bytes) -> tuple[int, int]:
    from PIL import Image

    with Image.open(io.BytesIO(picture)) as image:
        image.load()
        assert image.format == "PNG"
        return image.size


def two_classes(rows: int = 200) -> tuple[Any, Any]:
    draw = np.random.default_rng(0)
    truth = draw.integers(0, 2, rows)
    return truth, 1 / (1 + np.exp(-(2 * truth - 1 + draw.normal(size=rows))))


def several_classes(classes: int, rows: int = 400) -> tuple[Any, Any]:
    draw = np.random.default_rng(0)
    truth = draw.integers(0, classes, rows)
    scores = np.exp(2 * np.eye(classes)[truth] + draw.normal(size=(rows, classes)))
    return truth, scores / scores.sum(1, keepdims=True)


def records(epochs: int, **values: Callable[[int], float | None]) -> list[dict[str, Any]]:
    return [
        {"phase": "supervised", "epoch": epoch, **{name: value(epoch) for name, value in values.items()}, "lr": 1e-3}
        for epoch in range(1, epochs + 1)
    ]


def trees(text: str) -> Trees:
    reader = TreeReader("t")
    for line in text.splitlines():
        reader.feed(line, 1)
    return reader.take()[0]


BRANCH = "(1 (0 dull) (1 (1 but) (1 (0 not) (0 (1 very) (0 bad)))))"


def norms(layers: int, epochs: int = 3, name: str = "dense_{}") -> list[dict[str, Any]]:
    """A history whose gradients get smaller by a factor with each layer, as those of sigmoids do."""
    return [
        {
            "phase": "supervised",
            "epoch": epoch,
            "gradient_norms": {name.format(place): 0.25 ** (layers - place) / epoch for place in range(1, layers + 1)},
        }
        for epoch in range(1, epochs + 1)
    ]


def gradients(records: list[dict[str, Any]]) -> bytes:
    picture = figures.gradients(records)
    assert picture is not None
    return picture


def shown(rows: int = 30, quantiles: Sequence[float] = (0.1, 0.5, 0.9)) -> Shown:
    """Forecasts of two targets, three steps ahead."""
    draw = np.random.default_rng(0)
    truth = draw.normal(size=(rows, 6))
    outputs = np.repeat(truth, len(quantiles) or 1, axis=1)
    times = [f"2020-01-{day + 1:02}" for day in range(rows)]
    return Shown(truth, outputs, quantiles, {"naive": truth + 1, "seasonal_naive": truth - 2}, [""] * rows, times)


def test_forecasts_are_drawn_of_one_step_and_without_quantiles_and_windows() -> None:
    for rows in (0, 1, 500):
        assert size(figures.forecasts(shown(rows, ()), ["a", "b"], 3, 2))[0] > 400
    assert figures.forecasts(shown(8, ()), ["a", "b"], 3, 1) != figures.forecasts(shown(9, ()), ["a", "b"], 3, 1)


PICTURES: dict[str, Callable[[], bytes]] = {
    "gradients": lambda: gradients(norms(30)),
    "confusion_matrix": lambda: figures.confusion_matrix(np.array([[9, 1], [2, 8]]), ["no", "yes"]),
    "history": lambda: figures.history(records(5, train_loss=lambda e: 1 / e, validation_loss=lambda e: 2 / e)),
    "roc": lambda: figures.roc(*two_classes(), ["no", "yes"]),
    "precision_recall": lambda: figures.precision_recall(*two_classes(), ["no", "yes"]),
    "calibration": lambda: figures.calibration(*two_classes(), ["no", "yes"]),
    "forecasts": lambda: figures.forecasts(shown(), ["sales", "price"], 3, 1),
    "residuals": lambda: figures.residuals(np.arange(9.0)[:, None], np.arange(9.0)[:, None] ** 1.1, ["price"]),
    "trees": lambda: figures.trees(trees(BRANCH), trees(BRANCH).classes(["0", "1"]), ["0", "1"]),
}


def test_there_is_a_test_for_each_picture() -> None:
    assert set(PICTURES) == set(figures.__all__)


@pytest.mark.parametrize("name", PICTURES)
def test_the_same_bytes_each_time_and_matplotlib_left_alone(name: str) -> None:
    import matplotlib

    before = dict(matplotlib.rcParams)
    first, second = PICTURES[name](), PICTURES[name]()
    assert first == second
    assert b"Software" not in first
    assert min(size(first)) > 400
    assert dict(matplotlib.rcParams) == before


def test_a_packed_picture_has_every_pixel() -> None:
    from PIL import Image

    for shape in ((1, 1, 3), (7, 1, 3), (40, 33, 3)):
        pixels = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
        with Image.open(io.BytesIO(canvas.pack(pixels))) as image:
            assert (image.format, image.mode) == ("PNG", "RGB")
            assert image.info["dpi"] == pytest.approx((150, 150), abs=0.1)
            np.testing.assert_array_equal(np.asarray(image), pixels)


def test_pictures_need_no_window_and_no_pyplot() -> None:
    code = (
        "import sys\nimport numpy as np\nfrom nnkit import figures\nassert 'matplotlib' not in sys.modules\n"
        "figures.confusion_matrix(np.eye(2, dtype=int), ['a', 'b'])\nassert 'matplotlib.pyplot' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_cell_has_its_count_and_its_share_of_the_row(drawn: "list[Figure]") -> None:
    figures.confusion_matrix(np.array([[1532, 61], [213, 194]]), ["Stayed", "Exited"])
    written = words(drawn[0])
    assert {"1,532", "96.2%", "61", "3.8%", "213", "52.3%", "194", "47.7%"} <= set(written)
    assert {"Stayed", "Exited", "truth", "predicted", "Confusion matrix (2,000 rows, 86.3% right)"} <= set(written)


def test_a_class_without_rows_has_no_shares(drawn: "list[Figure]") -> None:
    figures.confusion_matrix(np.array([[3, 1], [0, 0]]), ["a", "b"])
    assert words(drawn[0]).count("-") == 2
    figures.confusion_matrix(np.zeros((2, 2), int), ["a", "b"])
    assert "Confusion matrix (no rows)" in words(drawn[1])


@pytest.mark.parametrize(("classes", "counts", "labels"), [(1, 1, 1), (12, 144, 12), (30, 30, 30), (150, 0, 50)])
def test_many_classes_stay_readable(drawn: "list[Figure]", classes: int, counts: int, labels: int) -> None:
    """Shares go first, then zeros, then counts, then some of the labels; the picture does not grow without end."""
    picture = figures.confusion_matrix(np.eye(classes, dtype=int) * 7, [f"class {n}" for n in range(classes)])
    written = words(drawn[0])
    assert written.count("7") + written.count("0") == counts
    assert sum(text.startswith("class ") for text in written) == 2 * labels
    assert max(size(picture)) < 2700


@pytest.mark.parametrize(
    ("values", "labels"),
    [
        ([], []),
        ([0.0], ["0"]),
        ([0.0, 0.25, 0.5], ["0.00", "0.25", "0.50"]),
        ([-20.0, 0.0, 20.0], ["−20", "0", "20"]),
        ([0.1 + 0.2, 0.4, 0.5], ["0.3", "0.4", "0.5"]),
        ([0.0, 2.5e6, 5e6], ["0", "2.5e6", "5e6"]),
        ([-1e-7, 0.0, 1e-7], ["−1e−7", "0", "1e−7"]),
        ([0.50001, 0.50002], ["0.50001", "0.50002"]),
        ([1000000.0, 1000001.0], ["1000000", "1000001"]),
    ],
)
def test_labels_of_ticks_tell_them_apart(values: list[float], labels: list[str]) -> None:
    assert canvas.number_labels(values) == labels


def boxes(figure: "Figure") -> list[tuple[str, Any]]:
    """Where every word of a figure is, in pixels."""
    from matplotlib.text import Text

    texts = [text for text in figure.findobj(Text) if isinstance(text, Text) and text.get_visible() and text.get_text()]
    return [(text.get_text(), text.get_window_extent()) for text in texts]


LONG = ["not going to leave the bank", "W" * 40]
FULL: dict[str, Callable[[], bytes]] = {
    **PICTURES,
    "history of phases": lambda: figures.history(
        [
            {
                "phase": f"layer {epoch // 4}",
                "train_loss": 1e7 / epoch,
                "validation_loss": 2e7 / epoch,
                "train_x": -1e-6,
            }
            for epoch in range(1, 13)
        ]
    ),
    "gradients of 1": lambda: gradients(norms(1)),
    "gradients of 3": lambda: gradients(norms(3)),
    "gradients of 12": lambda: gradients(norms(12, name="a_{}")),
    "gradients of long names": lambda: gradients(norms(9, name="blocks/1/dense_number_{}")),
    "gradients of 30": lambda: gradients(norms(30, 20)),
    "gradients of 400": lambda: gradients(norms(400)),
    "history of six": lambda: figures.history(
        records(200, **{f"train_m{n}": lambda e: -math.sin(e) for n in range(6)})
    ),
    "confusion of long names": lambda: figures.confusion_matrix(np.array([[1532000, 1], [2, 3]]), LONG),
    "confusion of 12": lambda: figures.confusion_matrix(np.eye(12, dtype=int) * 999, [f"class {n}" for n in range(12)]),
    "confusion of 13": lambda: figures.confusion_matrix(np.eye(13, dtype=int) * 999, [f"class {n}" for n in range(13)]),
    "confusion of 60": lambda: figures.confusion_matrix(np.eye(60, dtype=int), [f"class {n}" for n in range(60)]),
    "roc of 7": lambda: figures.roc(*several_classes(7), [name * 3 for name in "abcdefg"]),
    "precision-recall of 20": lambda: figures.precision_recall(*several_classes(20), [f"class {n}" for n in range(20)]),
    "calibration of 4": lambda: figures.calibration(*several_classes(4), list("abcd")),
    "calibration of long names": lambda: figures.calibration(*two_classes(), LONG),
    "residuals of 3": lambda: figures.residuals(
        *(np.outer(np.arange(90.0), [1, 1e7, 1e-7]),) * 2, ["a", "b", "c" * 40]
    ),
}


@pytest.mark.parametrize("name", FULL)
def test_no_word_is_cut_off_or_written_over_another(drawn: "list[Figure]", name: str) -> None:
    size_of_picture = size(FULL[name]())
    found = boxes(drawn[0])
    for text, box in found:
        assert 0 <= box.x0 <= box.x1 <= size_of_picture[0], text
        assert 0 <= box.y0 <= box.y1 <= size_of_picture[1], text
    if "confusion of 13" in name or "confusion of 60" in name or "long" in name:
        found = [(text, box) for text, box in found if text.isdigit() or text in ("truth", "predicted")]  # Not slanted.
    for number, (text, box) in enumerate(found):
        for other, place in found[:number]:
            apart = box.x1 <= place.x0 + 1 or place.x1 <= box.x0 + 1 or box.y1 <= place.y0 + 1 or place.y1 <= box.y0 + 1
            assert apart, (text, other)


ODD = ["$x_{", "_hidden", "a\nb\x00c", "größe 東京 🙂", "w" * 300, "", "%s {0} \\frac"]


def test_labels_are_only_text() -> None:
    truth, outputs = several_classes(len(ODD))
    hot = np.eye(len(ODD), dtype=int)[truth]
    for picture in (
        figures.confusion_matrix(np.eye(len(ODD), dtype=int), ODD),
        figures.roc(truth, outputs, ODD),
        figures.precision_recall(hot, outputs, ODD),
        figures.calibration(truth % 2, outputs[:, 0], ODD[:2]),
        figures.calibration(truth % 2, outputs[:, 0], ODD[4:6]),
        figures.residuals(outputs, outputs, ODD),
    ):
        assert min(size(picture)) > 400


def test_labels_in_a_legend_are_whole(drawn: "list[Figure]") -> None:
    truth, outputs = several_classes(3)
    figures.roc(truth, outputs, ["_a", "$b$", "c" * 40])
    legend = [text for text in words(drawn[0]) if "AUC" in text]
    assert [text.partition(" (")[0] for text in legend] == ["_a", "$b$", f"{'c' * 14}…{'c' * 13}"]


def test_long_text_is_cut_in_the_middle() -> None:
    assert canvas.short("x" * 28) == "x" * 28
    assert canvas.short("abcdefghijklmnopqrstuvwxyz0123") == "abcdefghijklmn…rstuvwxyz0123"
    assert len(canvas.short("x" * 29)) == 28


def test_history_has_a_panel_for_each_value_and_marks_the_best_epoch(drawn: "list[Figure]") -> None:
    made = records(
        8,
        train_accuracy=lambda e: e / 10,
        train_loss=lambda e: 1 / e,
        validation_loss=lambda e: (e - 5) ** 2,
        validation_accuracy=lambda e: None if e == 3 else e / 12,
    )
    figures.history(made)
    panels = [axes for axes in drawn[0].axes if axes.get_visible()]
    assert [panel.get_title() for panel in panels] == ["loss", "accuracy"]
    assert {"train", "validation", "least loss: epoch 5", "Training: supervised (8 epochs)"} <= set(words(drawn[0]))
    train, validation, best = data_lines(panels[1])
    assert np.asarray(train.get_ydata()) == pytest.approx([e / 10 for e in range(1, 9)])
    assert math.isnan(np.asarray(validation.get_ydata())[2])
    assert np.asarray(best.get_xdata()).tolist() == [5, 5]


def test_history_of_one_epoch_of_no_numbers_and_of_two_phases(drawn: "list[Figure]") -> None:
    figures.history(records(1, train_loss=lambda e: 0.5))
    assert "Training: supervised (1 epoch)" in words(drawn[0])
    figures.history(records(2, train_loss=lambda e: None))
    assert not any("least" in text for text in words(drawn[1]))
    second = [{**record, "phase": "fine"} for record in records(3, train_loss=lambda e: 1 / e)]
    figures.history(records(2, train_loss=lambda e: 1 / e) + second)
    assert "Training: supervised, fine (5 epochs)" in words(drawn[2])
    assert [line.get_xdata()[0] for line in data_lines(drawn[2].axes[0])][-1] == 2.5


@pytest.mark.parametrize("value", [math.inf, 1.7e308, 10**400, 5e-324, "high", None, [1], True])
def test_history_of_what_a_damaged_file_may_hold(value: Any) -> None:
    kept = [
        {"phase": [1], "train_loss": 1.0, "train_": 2},
        {"train_loss": value},
        {"epoch": value, "train_loss": -1.7e308},
    ]
    assert min(size(figures.history(kept))) > 400


def test_gradients_are_powers_of_ten_by_layer_for_some_epochs(drawn: "list[Figure]") -> None:
    gradients(norms(30, 10))
    *epochs, limit = data_lines(drawn[0].axes[0])
    assert [len(line.get_xdata()) for line in epochs] == [30] * 4
    for epoch, line in zip((1, 4, 7, 10), epochs, strict=True):
        expected = [math.log10(0.25 ** (30 - place) / epoch) for place in range(1, 31)]
        assert np.asarray(line.get_ydata()) == pytest.approx(expected)
    assert limit.get_ydata()[0] == pytest.approx(math.log10(1e-6 / 10))
    found = words(drawn[0])
    assert {"epoch 1", "epoch 4", "epoch 7", "epoch 10", "a millionth of those near the output"} <= set(found)
    assert "layer with weights, from the input (1) to the output (30)" in found
    assert "Gradients: norm by layer (epochs 1 to 10)" in found
    assert "1e−10" in found


def test_gradients_of_few_layers_have_their_names_and_zeros_have_marks(drawn: "list[Figure]") -> None:
    gradients([{"phase": "a", "epoch": 9, "gradient_norms": {"x": 0.0, "y": 0.5, "z": None}}])
    assert {"x", "y", "z", "exactly 0 in epoch 9", "Gradients: norm by layer (epoch 9)"} <= set(words(drawn[0]))
    line, zero = data_lines(drawn[0].axes[0])
    assert np.isnan(np.asarray(line.get_ydata())).tolist() == [True, False, True]
    assert np.asarray(zero.get_xdata()).tolist() == [1]
    gradients([{"gradient_norms": {"x": 0.0, "y": 0.0}}])
    assert "all gradients are zero, or not finite" in words(drawn[1])


def test_gradients_are_those_of_the_last_phase_that_has_any(drawn: "list[Figure]") -> None:
    assert figures.gradients([]) is None
    assert figures.gradients([{"epoch": 1}, {"epoch": 2, "gradient_norms": {}}]) is None
    gradients([*norms(4), {"phase": "fine", "epoch": 1, "gradient_norms": {"x": 1.0}}, {"phase": "none", "epoch": 1}])
    assert "x" in words(drawn[0])
    assert "dense_1" not in words(drawn[0])


@pytest.mark.parametrize("value", [math.inf, 1.7e308, 10**400, 5e-324, "high", None, [1], True, -1])
def test_gradients_of_what_a_damaged_file_may_hold(value: Any) -> None:
    kept: list[dict[str, Any]] = [
        {"phase": [1], "gradient_norms": [3]},
        {"phase": [1], "epoch": value, "gradient_norms": {"x": value, "y": 1.0}},
        {"phase": [1], "epoch": 2, "gradient_norms": {"z": value}},
    ]
    assert min(size(gradients(kept))) > 400


def test_history_draws_at_most_six_panels(drawn: "list[Figure]") -> None:
    figures.history(records(3, **{f"train_m{number}": float for number in range(9)}, train_loss=float))
    titles = [axes.get_title() for axes in drawn[0].axes if axes.get_visible()]
    assert titles == ["loss", "m0", "m1", "m2", "m3", "m4"]


@pytest.mark.parametrize(
    ("picture", "function", "measure"),
    [(figures.roc, roc_auc_score, "AUC"), (figures.precision_recall, average_precision_score, "AP")],
)
def test_curves_say_the_area_under_them(drawn: "list[Figure]", picture: Any, function: Any, measure: str) -> None:
    truth, outputs = two_classes()
    picture(truth, outputs, ["no", "yes"])
    assert f"yes ({measure} {function(truth, outputs):.3f})" in words(drawn[0])
    truth, outputs = several_classes(3)
    picture(truth, outputs, list("abc"))
    for index, name in enumerate("abc"):
        assert f"{name} ({measure} {function(truth == index, outputs[:, index]):.3f})" in words(drawn[1])


def test_of_many_classes_the_worst_are_named(drawn: "list[Figure]") -> None:
    truth, outputs = several_classes(20)
    figures.roc(truth, outputs, [f"class {n}" for n in range(20)])
    areas = {f"class {n}": roc_auc_score(truth == n, outputs[:, n]) for n in range(20)}
    named = [text.partition(" (")[0] for text in words(drawn[0]) if "AUC" in text]
    assert named == sorted(areas, key=lambda name: areas[name])[:3]
    mean = sum(areas.values()) / 20
    assert f"17 others; mean of all {mean:.3f}" in words(drawn[0])


def test_a_curve_of_a_million_rows_is_drawn_with_few_points(drawn: "list[Figure]") -> None:
    draw = np.random.default_rng(0)
    outputs = draw.random(1_000_000)
    figures.precision_recall((draw.random(1_000_000) < outputs).astype(int), outputs, ["no", "yes"])
    curve = max((np.asarray(line.get_xdata()) for line in data_lines(drawn[0].axes[0])), key=len)
    assert 100 < len(curve) <= 2000
    assert {float(curve.min()), float(curve.max())} == {0, 1}


@pytest.mark.parametrize("picture", [figures.roc, figures.precision_recall])
def test_one_class_only_is_said(drawn: "list[Figure]", picture: Any) -> None:
    picture(np.ones(4, int), np.linspace(0, 1, 4), ["no", "yes"])
    picture(np.empty(0, int), np.empty(0), ["no", "yes"])
    picture(np.array([0, 1]), np.array([np.nan, 0.5]), ["no", "yes"])
    for figure in drawn:
        assert "undefined: the rows are all of one class" in words(figure)


def test_calibration_says_the_error_that_the_metric_has(drawn: "list[Figure]") -> None:
    metric = METRICS.decode("calibration_error")
    truth, outputs = two_classes()
    figures.calibration(truth, outputs, ["no", "yes"])
    figures.calibration(*several_classes(4), list("abcd"))
    expected = metric.compute(truth, outputs, "binary"), metric.compute(*several_classes(4), "multiclass")
    for figure, error in zip(drawn, expected, strict=True):
        assert f"model (calibration error {error:.3f})" in words(figure)
    assert "probability of yes" in words(drawn[0])


def test_calibration_without_rows_is_said(drawn: "list[Figure]") -> None:
    figures.calibration(np.empty(0, int), np.empty(0), ["no", "yes"])
    assert "no rows" in words(drawn[0])


def test_residuals_say_mean_and_deviation_of_the_errors(drawn: "list[Figure]") -> None:
    truth = np.array([[1.0, 5], [2, 5], [3, 5]])
    figures.residuals(truth, truth + np.array([[1.0, 0], [2, 0], [3, 0]]), ["price", "age"])
    assert {"mean 2, deviation 0.816", "mean 0, deviation 0", "true price", "predicted age"} <= set(words(drawn[0]))


def test_residuals_of_many_targets_and_of_outputs_that_are_no_numbers(drawn: "list[Figure]") -> None:
    truth = np.ones((3, 8))
    figures.residuals(truth, truth * np.nan, list("abcdefgh"))
    assert words(drawn[0]).count("no rows") == 6
    assert "Predictions and errors, first 6 targets" in words(drawn[0])


def test_trees_show_words_predictions_and_what_is_wrong(drawn: "list[Figure]") -> None:
    tree = trees("(bad (good nice) (bad (bad not) (good _$x$)))")
    truth = np.array([1, 0, 1, 0, 1])
    picture = figures.trees(tree, truth, ["bad", "good"])
    assert picture == figures.trees(tree, truth, ["bad", "good"])
    written = words(drawn[0])
    assert [written.count(word) for word in ("nice", "not", "_$x$")] == [1, 1, 1]
    # The key has each class once; three nodes are bad, two good; the root is wrong, its truth is good.
    assert (written.count("bad"), written.count("good")) == (4, 4)


@pytest.mark.parametrize("text", ["(1 a)", "(1 (0 a) (1 b))", "(1 (0 a) " * 40 + "(1 b)" + ")" * 40])
def test_trees_of_any_size_can_be_drawn(text: str, drawn: "list[Figure]") -> None:
    tree = trees(text)
    assert figures.trees(tree, tree.classes(["0", "1"]), ["0", "1"])[:4] == b"\x89PNG"
    assert drawn[0].get_size_inches()[1] < 40


def test_trees_with_the_most_classes_are_drawn(drawn: "list[Figure]") -> None:
    plain = "(1 (1 a) (1 (1 a) (1 (1 a) (1 b))))"
    tree = trees("\n".join([plain] * 6 + ["(1 (0 c) (2 (1 c) (1 (1 c) (1 d))))"]))
    figures.trees(tree, tree.classes(["0", "1", "2"]), ["0", "1", "2"])
    assert words(drawn[0]).count("c") == 3
