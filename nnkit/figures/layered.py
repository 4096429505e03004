"""Where the boxes of a directed graph go: in layers from top to bottom, with few crossings and straight lines.

The steps are those of Sugiyama, Tagawa and Toda (1981): layers by longest path, stops on the way of edges that pass
layers, an order in each layer by the middle of the neighbours, then places. All is plain Python and without recursion.
"""

from bisect import bisect_right, insort
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

Point = tuple[float, float]
Layers = list[list[int]]

GAP_ACROSS, GAP_DOWN, STOP, PORT, END = 28.0, 40.0, 10.0, 22.0, 9.0
"""Points between boxes of a layer, between layers, that an edge takes where it passes a layer, between the ends of
edges at one box, and that an edge runs straight at its end."""
SWEEPS, PULLS = 8, 24
"""Sweeps over the layers for their order, and for the places in them; both go down and up in turn."""
MOST_STOPS = 100_000
"""Where edges pass more layers than that in sum, they run straight across them."""


@dataclass(frozen=True)
class Layout:
    """The middle of each box, the points of each edge, and the size of the whole.

    An edge runs straight from its first point to the second, bends to the third, runs straight to the fourth, ...
    """

    middles: list[Point]
    paths: list[list[Point]]
    width: float
    height: float


def lay_out(sizes: Sequence[tuple[float, float]], edges: Sequence[tuple[int, int]]) -> Layout:
    """Place boxes of these widths and heights; an edge (a, b) goes from a box to one that comes later."""
    ranks = _ranks(len(sizes), edges)
    routes = _routes(ranks, edges)
    widths = [width for width, _ in sizes] + [STOP] * (len(ranks) - len(sizes))
    links = _Links(len(ranks), routes)
    layers = _ordered(_in_layers(ranks), links)
    x = _across(layers, widths, links)
    heights = [max((sizes[v][1] for v in layer if v < len(sizes)), default=0.0) for layer in layers]
    tops = list(accumulate(heights[:-1], lambda top, height: top + height + GAP_DOWN, initial=0.0))
    bands = [(tops[rank], tops[rank] + heights[rank]) for rank in ranks]
    middles = [(x[v], sum(bands[v]) / 2) for v in range(len(sizes))]
    right = max(x[v] + width / 2 for v, width in enumerate(widths))
    return Layout(middles, _paths(routes, sizes, x, bands), right, tops[-1] + heights[-1])


def _ranks(count: int, edges: Sequence[tuple[int, int]]) -> list[int]:
    """Return the layer of each box: below all that it reads; what reads nothing is just above what reads it first."""
    readers: list[list[int]] = [[] for _ in range(count)]
    ranks = [0] * count
    inner = {b for _, b in edges}
    for a, b in sorted(edges, key=lambda edge: edge[1]):
        readers[a].append(b)
        ranks[b] = max(ranks[b], ranks[a] + 1)
    for v in range(count):
        if v not in inner and readers[v]:
            ranks[v] = min(ranks[b] for b in readers[v]) - 1
    return ranks


def _routes(ranks: list[int], edges: Sequence[tuple[int, int]]) -> list[list[int]]:
    """Return for each edge the numbers that it runs through, and add the ranks of its stops to ``ranks``.

    All edges of one box share their stops, so that they run as one line until they part.
    """
    if sum(ranks[b] - ranks[a] - 1 for a, b in edges) > MOST_STOPS:
        return [[a, b] for a, b in edges]
    stops: dict[tuple[int, int], int] = {}
    routes = []
    for a, b in edges:
        route = [a]
        for rank in range(ranks[a] + 1, ranks[b]):
            if (a, rank) not in stops:
                stops[a, rank] = len(ranks)
                ranks.append(rank)
            route.append(stops[a, rank])
        routes.append([*route, b])
    return routes


class _Links:
    """What each number is connected with in the layers above and below."""

    def __init__(self, count: int, routes: Sequence[Sequence[int]]) -> None:
        self.above: Layers = [[] for _ in range(count)]
        self.below: Layers = [[] for _ in range(count)]
        for a, b in dict.fromkeys(pair for route in routes for pair in pairwise(route)):
            self.above[b].append(a)
            self.below[a].append(b)


def _in_layers(ranks: Sequence[int]) -> Layers:
    layers: Layers = [[] for _ in range(max(ranks) + 1)]
    for v, rank in enumerate(ranks):
        layers[rank].append(v)
    return layers


def _ordered(layers: Layers, links: _Links) -> Layers:
    """Return the layers in the order that has the fewest crossings of those that sweeps down and up find."""
    best, fewest = layers, _crossings(layers, links)
    for sweep in range(SWEEPS):
        if not fewest:
            break
        layers = _swept(layers, links.above if sweep % 2 == 0 else links.below, down=sweep % 2 == 0)
        if (found := _crossings(layers, links)) < fewest:
            best, fewest = layers, found
    return best


def _swept(layers: Layers, neighbours: Layers, down: bool) -> Layers:
    """Return the layers, each sorted by the mean place of its neighbours in the layer before."""
    place = _places(layers)
    swept = [list(layer) for layer in layers]
    for layer in swept if down else reversed(swept):
        means = {v: _mean([place[u] for u in neighbours[v]], place[v]) for v in layer}
        layer.sort(key=means.__getitem__)
        place.update((v, float(number)) for number, v in enumerate(layer))
    return swept


def _places(layers: Layers) -> dict[int, float]:
    return {v: float(number) for layer in layers for number, v in enumerate(layer)}


def _mean(values: Sequence[float], otherwise: float) -> float:
    return sum(values) / len(values) if values else otherwise


def _crossings(layers: Layers, links: _Links) -> int:
    """Return how many pairs of edges cross."""
    place = _places(layers)
    crossings = 0
    for layer in layers:
        ends: list[float] = []
        for v in layer:
            below = sorted(place[w] for w in links.below[v])
            crossings += sum(len(ends) - bisect_right(ends, end) for end in below)
            for end in below:
                insort(ends, end)
    return crossings


def _across(layers: Layers, widths: Sequence[float], links: _Links) -> list[float]:
    """Return how far to the right the middle of each number is: near those of its neighbours, and clear of others."""
    x = [0.0] * len(widths)
    for sweep in range(PULLS + 1):
        both = sweep == PULLS
        for layer in layers if sweep % 2 == 0 else reversed(layers):
            near = {v: (links.above[v] if both or sweep % 2 == 0 else []) for v in layer}
            near = {v: us + (links.below[v] if both or sweep % 2 else []) for v, us in near.items()}
            wanted = [_mean([x[u] for u in near[v]], x[v]) for v in layer]
            for v, middle in zip(layer, _apart(wanted, [widths[v] for v in layer]), strict=True):
                x[v] = middle
    left = min(middle - width / 2 for middle, width in zip(x, widths, strict=True))
    return [middle - left for middle in x]


def _apart(wanted: Sequence[float], widths: Sequence[float]) -> Iterator[float]:
    """Yield the middles nearest to those wanted, by least squares, at which boxes in this order don't overlap.

    What is at least a gap apart once each box is moved left by the room before it never falls: isotonic regression,
    by pooling neighbours that do (Ayer and others, 1955).
    """
    room = list(accumulate(((a + b) / 2 + GAP_ACROSS for a, b in pairwise(widths)), initial=0.0))
    pools: list[tuple[float, int]] = []
    for middle, before in zip(wanted, room, strict=True):
        pool = (middle - before, 1)
        while pools and pools[-1][0] >= pool[0]:
            mean, count = pools.pop()
            pool = ((mean * count + pool[0] * pool[1]) / (count + pool[1]), count + pool[1])
        pools.append(pool)
    levels = [mean for mean, count in pools for _ in range(count)]
    return (level + before for level, before in zip(levels, room, strict=True))


def _paths(
    routes: Sequence[Sequence[int]], sizes: Sequence[tuple[float, float]], x: Sequence[float], bands: Sequence[Point]
) -> list[list[Point]]:
    """Return the points of each edge; those that end at one box end side by side, in the order they come from."""
    ends: dict[int, list[tuple[float, int]]] = {}
    for number, route in enumerate(routes):
        ends.setdefault(route[-1], []).append((x[route[-2]], number))
    ports = {
        number: (place - (len(coming) - 1) / 2) * min(PORT, 0.8 * sizes[b][0] / len(coming))
        for b, coming in ends.items()
        for place, (_, number) in enumerate(sorted(coming))
    }
    paths = []
    for number, route in enumerate(routes):
        first, last = route[0], route[-1]
        bottom, top = (sum(bands[v]) / 2 + side * sizes[v][1] / 2 for v, side in ((first, 1), (last, -1)))
        path = [(x[first], bottom), (x[first], bands[first][1])]
        path += [(x[v], y) for v in route[1:-1] for y in bands[v]]
        end = x[last] + ports[number]
        paths.append([*path, (end, bands[last][0] - END), (end, top)])
    return paths
