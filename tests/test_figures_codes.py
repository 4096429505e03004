"""The picture of codes: which dots are drawn, in which colours, and what the legend says."""

import io

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from nnkit.figures import canvas
from nnkit.figures.codes import codes

DRAW = np.random.default_rng(0)
POINTS = np.concatenate([DRAW.normal(size=(40, 2)), DRAW.normal(size=(60, 2)) + 9])
NONE = np.full(100, -1)
GROUPS = np.repeat([0, 1], [40, 60])


def colours(picture: bytes) -> set[tuple[int, ...]]:
    pixels = np.asarray(Image.open(io.BytesIO(picture)))
    return {tuple(pixel) for pixel in pixels.reshape(-1, 3).tolist()}


def written(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    found: list[str] = []
    monkeypatch.setattr("nnkit.figures.codes.legend", lambda axes, handles, labels, **_: found.extend(labels))
    return found


def test_groups_are_named_with_their_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    found = written(monkeypatch)
    codes(POINTS, GROUPS, ["few", "many"], "Codes")
    assert found == ["few (40)", "many (60)"]


def test_of_many_groups_the_largest_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    found = written(monkeypatch)
    groups = np.repeat(np.arange(12), [1, 2] + [97 // 10] * 9 + [16])[:100]
    codes(POINTS, groups, [f"g{number}" for number in range(12)], "Codes")
    assert found[0] == "others"
    assert len(found) == 1 + len(canvas.COLOURS)
    assert not any(label.startswith(("g0 ", "g1 ")) for label in found)


def test_rows_of_no_group_are_grey(monkeypatch: pytest.MonkeyPatch) -> None:
    found = written(monkeypatch)
    codes(POINTS, np.where(np.arange(100) < 10, -1, GROUPS), ["few", "many"], "Codes")
    assert found == ["none", "few (30)", "many (60)"]


def test_the_same_picture_has_the_same_bytes() -> None:
    first = codes(POINTS, GROUPS, ["a", "b"], "Codes", ("one", "two"), of=1000)
    assert first == codes(POINTS, GROUPS, ["a", "b"], "Codes", ("one", "two"), of=1000)
    assert first != codes(POINTS, GROUPS, ["a", "b"], "Codes", ("one", "two"))


@pytest.mark.parametrize("points", [np.empty((0, 2)), np.zeros((1, 2)), np.ones((5, 2))])
def test_few_or_equal_points_can_be_drawn(points: NDArray[np.float64]) -> None:
    assert codes(points, np.full(len(points), -1), [], "Codes").startswith(b"\x89PNG")


def test_without_groups_there_is_one_colour_and_no_legend(monkeypatch: pytest.MonkeyPatch) -> None:
    found = written(monkeypatch)
    picture = codes(POINTS, NONE, [], "Codes")
    assert found == []
    assert len(colours(picture)) > 2
