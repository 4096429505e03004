"""Trees with their nodes coloured by class, as a picture."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from nnkit.figures.canvas import EDGE, GREY, INK, TITLE_BAND, new_axes, new_figure, place, png, short, size_of, write

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from nnkit.frames.trees import Trees

MOST_TREES = 4
FEWEST_WORDS, MOST_WORDS = 4, 12
"""Trees with so many words are drawn; where there are none, those with fewer."""
WIDE, HIGH = 0.62, 0.28
"""Inches between two words, and what a node is the higher for each word that is under it."""
RADIUS = 0.14
LONGEST_WORD = 14
LEGEND = 0.4


def trees(predicted: "Trees", truth: "NDArray[np.generic]", classes: Sequence[str]) -> bytes:
    """Draw a few trees, each node in the colour of its predicted class; returns PNG.

    ``truth`` are the classes of all nodes; where a prediction is another, the true class stands beside the node.
    """
    import numpy as np

    title = "Predicted trees (above a node that is predicted wrong: its true class)"
    rows = _chosen(predicted)
    parts = [(predicted[row : row + 1], truth[predicted.nodes_of(np.array([row]))]) for row in rows]
    drawn = [_Drawn(tree, known, classes) for tree, known in parts]
    width = max([6.5, *(tree.width for tree in drawn)])
    figure = new_figure(width, 1, title)
    panels = [(new_axes(figure), tree) for tree in drawn]
    rooms = [tree.height + tree.name_leaves(axes) for axes, tree in panels]
    figure.set_size_inches(width, TITLE_BAND + LEGEND + sum(rooms) + EDGE * len(rooms))
    top = TITLE_BAND + LEGEND
    total = figure.get_size_inches()[1]
    for (axes, tree), room in zip(panels, rooms, strict=True):
        place(axes, (width - tree.width) / 2, total - top - tree.height, tree.width, tree.height)
        tree.draw(axes)
        top += room + EDGE
    key = new_axes(figure)
    place(key, EDGE, total - TITLE_BAND - LEGEND, width - 2 * EDGE, LEGEND)
    _draw_key(key, classes, width - 2 * EDGE)
    return png(figure)


def _chosen(trees: "Trees") -> list[int]:
    """Return the rows of the trees to draw: of those that can be read, the ones with the most classes in them."""
    words = ((trees.sizes + 1) // 2).tolist()
    fitting = [row for row, count in enumerate(words) if FEWEST_WORDS <= count <= MOST_WORDS]
    small = [row for row, count in enumerate(words) if count <= MOST_WORDS]
    rows = fitting or small or sorted(range(len(words)), key=words.__getitem__)[:1]
    starts = trees.starts.tolist()
    classes = {row: len(set(trees.labels[starts[row] : starts[row + 1]].tolist())) for row in rows}
    return sorted(rows, key=lambda row: -classes[row])[:MOST_TREES]


def _colours(classes: int) -> "NDArray[np.float64]":
    """Return a colour for each class: from red over grey to blue, as classes are in order from bad to good."""
    import numpy as np
    from matplotlib import colormaps

    # Not to the dark ends, on which no letter could be read.
    rainbow: NDArray[np.float64] = colormaps["RdYlBu"](np.linspace(0.12, 0.88, max(classes, 2)))
    return rainbow


class _Drawn:
    """A tree and where its nodes go, in inches from the lower left corner of its panel."""

    def __init__(self, tree: "Trees", truth: "NDArray[np.generic]", classes: Sequence[str]) -> None:
        self._tree = tree
        self._classes = classes
        self._predicted = tree.classes(classes).tolist()
        self._truth = truth.tolist()
        self._children = list(zip(tree.left.tolist(), tree.right.tolist(), strict=True))
        leaves = sum(left < 0 for left, _ in self._children)
        self.width = max(leaves, 2) * WIDE + 2 * EDGE
        self.height = (leaves - 1) * HIGH + 2 * RADIUS + 2 * EDGE
        self._places = self._placed()

    def _placed(self) -> list[tuple[float, float]]:
        """Return x and y of each node: above the middle of its words, the higher the more they are.

        So each node is the top of a triangle over its words, and no line crosses another or a node.
        """
        spans: list[tuple[int, int]] = []
        leaves = 0
        for left, right in self._children:
            spans.append((leaves, leaves) if left < 0 else (spans[left][0], spans[right][1]))
            leaves += left < 0
        return [
            (EDGE + (0.5 + (first + last) / 2) * WIDE, EDGE + RADIUS + (last - first) * HIGH) for first, last in spans
        ]

    def name_leaves(self, axes: "Axes") -> float:
        """Write the words under the leaves; returns the inches that they take."""
        texts = []
        for word, (x, _) in zip(self._tree.words.tolist(), self._places, strict=True):
            if word >= 0:
                style: dict[str, Any] = {"ha": "right", "va": "top", "rotation": 40, "rotation_mode": "anchor"}
                name = short(self._tree.vocabulary[word], LONGEST_WORD)
                texts.append(write(axes, (x + 0.05) / self.width, 0, name, **style))
        return size_of(texts)[1] + EDGE

    def draw(self, axes: "Axes") -> None:
        """Draw the tree into axes of its size."""
        from matplotlib.collections import EllipseCollection, LineCollection

        axes.set(xlim=(0, self.width), ylim=(0, self.height))
        places = self._places
        lines = [
            [places[node], places[child]] for node, pair in enumerate(self._children) for child in pair if child >= 0
        ]
        axes.add_collection(LineCollection(lines, colors=GREY, linewidths=0.9, zorder=1))
        colours = _colours(len(self._classes))[self._predicted]
        size = [2 * RADIUS] * len(places)
        circles = EllipseCollection(
            size, size, [0] * len(places), units="xy", offsets=places, offset_transform=axes.transData
        )
        circles.set(facecolor=colours, edgecolor=INK, linewidth=0.6, zorder=2)
        axes.add_collection(circles)
        for (x, y), predicted, truth in zip(places, self._predicted, self._truth, strict=True):
            name: dict[str, Any] = {"ha": "center", "va": "center", "transform": axes.transData, "fontsize": 8}
            write(axes, x, y, short(self._classes[predicted], 4), **name)
            if predicted != truth:
                right = short(self._classes[truth], 8)
                write(axes, x, y + RADIUS + 0.02, right, **(name | {"va": "bottom", "fontsize": 7}))


def _draw_key(axes: "Axes", classes: Sequence[str], width: float) -> None:
    """Name the colours, as many as there is room for."""
    from matplotlib.collections import EllipseCollection

    axes.set(xlim=(0, width), ylim=(0, LEGEND))
    step = 1.1
    shown = list(range(min(len(classes), int(width / step))))
    left = (width - step * len(shown)) / 2
    places = [(left + step * (number + 0.3), LEGEND / 2) for number in shown]
    size = [2 * RADIUS] * len(shown)
    circles = EllipseCollection(
        size, size, [0] * len(shown), units="xy", offsets=places, offset_transform=axes.transData
    )
    circles.set(facecolor=_colours(len(classes))[shown], edgecolor=INK, linewidth=0.6)
    axes.add_collection(circles)
    for number, (x, y) in zip(shown, places, strict=True):
        write(axes, x + RADIUS + 0.07, y, short(classes[number], 10), ha="left", va="center", transform=axes.transData)
