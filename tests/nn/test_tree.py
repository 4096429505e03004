"""Trees computed height by height against a recursive loop over the same weights."""

import numpy as np
import pytest
import torch
from torch import nn

from benchmarks.trees import KINDS, by_height, modules, nodes_a_second, random_trees, recursive
from nnkit.engine.batches import Batch
from nnkit.engine.forest import forest, to_tree_batch


def gradients(*parts: nn.Module) -> list[torch.Tensor]:
    found = [weight.grad for part in parts for weight in part.parameters()]
    for part in parts:
        part.zero_grad(set_to_none=True)
    assert all(grad is not None and bool((grad != 0).any()) for grad in found)
    return [grad for grad in found if grad is not None]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(3))
def test_outputs_and_gradients_are_those_of_a_recursive_loop(kind: str, seed: int) -> None:
    trees = random_trees(9, 8, 20, seed)
    parts = modules(kind, 6, 20, seed)
    factors = torch.randn(len(trees.left), 6, generator=torch.Generator().manual_seed(seed))
    fast, slow = by_height(*parts, trees), recursive(*parts, trees)
    torch.testing.assert_close(fast, slow, rtol=1e-5, atol=1e-6)
    (fast * factors).sum().backward()  # type: ignore[no-untyped-call]
    of_fast = gradients(*parts)
    (slow * factors).sum().backward()  # type: ignore[no-untyped-call]
    for one, other in zip(of_fast, gradients(*parts), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


def test_the_tensor_is_the_papers_formula() -> None:
    composition, _ = modules("tensor", 3, 1)
    left, right = torch.randn(1, 3), torch.randn(1, 3)
    x = torch.cat((left, right), 1)[0]
    with torch.no_grad():
        weights = dict(composition.named_parameters())
        expected = [
            torch.tanh(x @ weights["tensor"][:, :, k] @ x + x @ weights["kernel"][:, k] + weights["bias"][k])
            for k in range(3)
        ]
        torch.testing.assert_close(composition.compose(left, right)[0], torch.stack(expected))


def test_many_nodes_are_computed_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    trees, parts = random_trees(9, 8, 20), modules("tensor", 6, 20)
    whole = by_height(*parts, trees)
    monkeypatch.setattr("nnkit.nn.tree.MOST_VALUES", 5 * 12 * 6)
    torch.testing.assert_close(by_height(*parts, trees), whole)


def test_a_tree_gives_the_same_alone_and_among_others() -> None:
    trees = random_trees(20, 8, 20)
    composition, words = modules("tensor", 6, 20)
    composition.double()
    words.double()
    together = by_height(composition, words, trees)
    alone = torch.cat([by_height(composition, words, trees[row : row + 1]) for row in range(20)])
    torch.testing.assert_close(alone, together, rtol=1e-12, atol=1e-12)


def targets_of(batch: Batch) -> torch.Tensor:
    return batch.aligned(torch.empty(0))[1]


def test_batches_are_cut_and_put_into_order_by_trees() -> None:
    trees = random_trees(7, 5, 9)
    targets = np.arange(len(trees.left))
    whole = to_tree_batch("input", trees, targets, targets / 2, torch.device("cpu"))
    assert (len(whole), whole.apart) == (7, trees.sizes.max())
    order = torch.tensor([4, 0, 6, 2, 2])
    mixed = whole.at(order)
    expected = np.concatenate([targets[trees.starts[row] : trees.starts[row + 1]] for row in order.tolist()])
    assert targets_of(mixed).tolist() == expected.tolist()
    assert mixed.weights is not None
    assert mixed.weights.tolist() == (expected / 2).tolist()
    parts = list(mixed.split(2))
    assert [len(part) for part in parts] == [2, 2, 1]
    assert torch.cat([targets_of(part) for part in parts]).tolist() == expected.tolist()
    last = parts[-1].floats(torch.float32)["input"]
    assert torch.equal(last.words, forest(trees[2:3], torch.device("cpu")).words)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_by_height_is_ten_times_as_fast_as_a_recursive_loop(kind: str) -> None:
    trees, parts = random_trees(64, 19, 1000), modules(kind, 30, 1000)
    fast = nodes_a_second(lambda: by_height(*parts, trees), len(trees.left))
    assert fast >= 10 * nodes_a_second(lambda: recursive(*parts, trees), len(trees.left))
