"""``nnkit trace``: rows, values by hand, what gradients are of, specs and runs."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from nnkit.cli import run
from nnkit.commands.trace import trace
from nnkit.commands.traced import TracedNode, TraceReport
from nnkit.config.document import dump_yaml
from nnkit.errors import DataError, RunError, SpecError, UsageError
from tests.commands.conftest import Toys, make_spec, train_spec, write_csv

GRAPH = Path(__file__).resolve().parent.parent.parent / "experiments" / "computational_graph.yaml"


def nodes(report: TraceReport) -> dict[str, TracedNode]:
    return {node.name: node for node in report.nodes}


def numbers(report: TraceReport) -> dict[str, tuple[float, float | None]]:
    """Return value and gradient of nodes that are one number each."""
    return {
        name: (node.value.array.item(), None if node.gradient is None else node.gradient.array.item())
        for name, node in nodes(report).items()
    }


def gradient(node: TracedNode) -> NDArray[Any]:
    assert node.gradient is not None
    return node.gradient.array


def test_the_courses_graph() -> None:
    report = trace(GRAPH)
    expected = {"input.x": (1, -3), "input.y": (3, -3), "input.z": (-3, 4), "p": (4, -3), "g": (-12, 1)}
    assert numbers(report) == expected
    assert report.of == "g"
    assert [list(node.reads) for node in report.nodes][-2:] == [["input.x", "input.y"], ["p", "input.z"]]


def test_values_by_hand_stand_in_place_of_the_rows() -> None:
    """g = (2 + 3) * -3 = -15, three away from the -12 of the column g: loss 9, and 2 * -3 = -6 comes back."""
    report = trace(GRAPH, by_hand=["x=2"], of="loss")
    assert {name: pair for name, pair in numbers(report).items() if name in ("p", "g", "target", "loss")} == {
        "p": (5, 18),
        "g": (-15, -6),
        "target": (-12, None),
        "loss": (9, 1),
    }
    assert report.row.text().endswith("computational_graph.csv, with x=2")


def test_a_row_by_hand_alone_needs_no_data(tmp_path: Path) -> None:
    report = trace(GRAPH, by_hand=["x=2", "y=1", "z=5"])
    assert numbers(report)["g"] == (15, 1)
    assert (report.row.source, report.row.number) == (None, None)
    with pytest.raises(UsageError, match="the row has no g, the target; give it as --input g=VALUE"):
        trace(GRAPH, by_hand=["x=2", "y=1", "z=5"], of="loss")
    assert numbers(trace(GRAPH, by_hand=["x=2", "y=1", "z=5", "g=14"], of="loss"))["loss"] == (1, 1)


def test_rows_of_other_data_by_their_number(tmp_path: Path) -> None:
    data = tmp_path / "more.csv"
    data.write_text("z,y,x,other\n" + "".join(f"{n},1,2,a\n" for n in range(3000)))
    assert numbers(trace(GRAPH, data, row=2500))["g"] == (7500, 1)
    with pytest.raises(UsageError, match=r"--row 3000: .*more.csv has no such row; .* the last 2999"):
        trace(GRAPH, data, row=3000)
    (tmp_path / "one.jsonl").write_text('{"x": 1, "y": 2, "z": 3}\n')
    assert numbers(trace(GRAPH, tmp_path / "one.jsonl"))["g"] == (9, 1)


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("x", UsageError, "--input x: expected COLUMN=VALUE, such as --input x=1"),
        ("xx=1", UsageError, "the network reads no column 'xx'; did you mean 'x'? It has: x, y, z, g"),
        ("x=abc", UsageError, "--input: x: 'abc' is not a number"),
        ("x=", UsageError, "--input: x missing"),
        ("x=1e39", UsageError, "--input: x too large for float32"),
        ("g=abc", UsageError, "--input: g: 'abc' is not a number"),
    ],
)
def test_wrong_values_by_hand(text: str, error: type[Exception], message: str) -> None:
    with pytest.raises(error) as caught:
        trace(GRAPH, by_hand=[text], of="loss")
    assert message in str(caught.value)


def test_two_values_for_a_column() -> None:
    with pytest.raises(UsageError, match="x is given twice; a trace is of one row"):
        trace(GRAPH, by_hand=["x=1", "x=2"])


def test_rows_that_cannot_be_used(tmp_path: Path) -> None:
    data = tmp_path / "bad.csv"
    data.write_text("x,y,z\n1,,3\n1,two,3\n")
    for row, message in ((0, "y missing"), (1, "y: 'two' is not a number")):
        with pytest.raises(DataError, match=f"row {row} of .*bad.csv: {message}"):
            trace(GRAPH, data, row=row)
    assert numbers(trace(GRAPH, data, row=1, by_hand=["y=2"]))["p"] == (3, 3)
    data.write_text("x,y\n1,2\n")
    with pytest.raises(DataError, match="lacks the columns z"):
        trace(GRAPH, data)
    data.write_text("x,y,z\n")
    with pytest.raises(DataError, match="has no rows"):
        trace(GRAPH, data)


@pytest.mark.parametrize(
    ("of", "message"),
    [
        ("q", "--of q: there is no node 'q'. The nodes: input.x, input.y, input.z, p, g; or loss"),
        ("input.xx", "did you mean 'input.x'?"),
        ("target", "there is no node 'target'"),
        ("g[1]", "--of g[1]: g has the shape 1, and places count from 0"),
        ("g[0, 0]", "g has the shape 1"),
        ("g[-1]", "there is no node 'g[-1]'"),
        ("", "there is no node ''"),
    ],
)
def test_gradients_of_what_is_not_there(of: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        trace(GRAPH, of=of)
    assert message in str(caught.value)


def test_gradients_of_any_node() -> None:
    assert numbers(trace(GRAPH, of="p"))["input.x"] == (1, 1)
    assert numbers(trace(GRAPH, of="p"))["g"] == (-12, None)
    assert trace(GRAPH, of="g[0]").of == "g[0]"
    assert numbers(trace(GRAPH, of="output")) == numbers(trace(GRAPH))


def test_a_run_has_its_trained_weights_and_says_what_predict_says(toys: Toys) -> None:
    report = trace(toys.runs["binary"], row=7)
    assert (report.weights, report.of) == ("trained", "loss")
    [*_, probability, target, loss] = report.nodes
    assert (probability.name, target.name, loss.name) == ("dense_2.sigmoid", "target", "loss")
    lines = (toys.runs["binary"] / "predictions.csv").read_text().splitlines()[1:]
    row, truth, _, _, second = lines[0].split(",")
    report = trace(toys.runs["binary"], row=int(row))
    found = nodes(report)
    assert found["dense_2.sigmoid"].value.array.item() == pytest.approx(float(second), rel=1e-5)
    assert report.row.target == {"left": truth}
    assert found["target"].value.array.item() == (truth == "yes")


def test_gradients_are_those_of_a_network_written_apart(toys: Toys) -> None:
    """Softmax and cross-entropy, by torch's own layers, with the weights that the run holds."""
    report = nodes(trace(toys.runs["multiclass"], row=3))
    first, second = torch.nn.Linear(5, 9), torch.nn.Linear(9, 3)
    for linear, name in ((first, "dense_1"), (second, "dense_2")):
        weights = {weight.name: torch.tensor(weight.value.array) for weight in report[name].weights}
        linear.load_state_dict({"weight": weights["kernel"].T, "bias": weights["bias"]})
    x = torch.tensor(report["input"].value.array, requires_grad=True)
    logits = second(first(x).relu())
    loss = torch.nn.functional.cross_entropy(logits, torch.tensor(report["target"].value.array.item()))
    loss.backward()  # type: ignore[no-untyped-call]
    assert report["loss"].value.array.item() == pytest.approx(loss.item(), rel=1e-5)
    np.testing.assert_allclose(report["dense_2.softmax"].value.array, logits.softmax(-1).detach(), rtol=1e-5)
    assert x.grad is not None
    np.testing.assert_allclose(gradient(report["input"]), x.grad, rtol=1e-4, atol=1e-7)
    for linear, name in ((first, "dense_1"), (second, "dense_2")):
        kernel = next(weight for weight in report[name].weights if weight.name == "kernel").gradient
        assert kernel is not None
        assert linear.weight.grad is not None
        np.testing.assert_allclose(kernel.array, linear.weight.grad.T, rtol=1e-4, atol=1e-7)
    # What training teaches of softmax with cross-entropy: the gradient is the probabilities minus the truth.
    truth = np.eye(3)[report["target"].value.array.item()]
    np.testing.assert_allclose(gradient(report["dense_2"]), report["dense_2.softmax"].value.array - truth, atol=1e-6)


@pytest.mark.parametrize("kind", ["binary", "multiclass", "multilabel", "regression", "regressions"])
def test_every_task_has_a_loss_and_is_the_same_each_time(toys: Toys, kind: str) -> None:
    report = trace(toys.runs[kind], toys.data, row=1)
    assert report.of == "loss"
    assert report.nodes[-1].value.array.shape == ()
    assert report.to_json() == trace(toys.runs[kind], toys.data, row=1).to_json()


def test_a_row_without_its_target_has_the_gradients_of_the_output(toys: Toys, tmp_path: Path) -> None:
    data = write_csv(tmp_path / "fresh.csv", toys.rows[:2], ["age", "balance", "city"])
    assert trace(toys.runs["binary"], data).of == "dense_2.sigmoid"
    with pytest.raises(UsageError, match="--of loss: the row has no left, the target"):
        trace(toys.runs["binary"], data, of="loss")
    with pytest.raises(UsageError, match="add up to 1 whatever the row is"):
        trace(toys.runs["multiclass"], data)
    assert trace(toys.runs["multiclass"], data, of="output[2]").of == "dense_2.softmax[2]"


def test_by_hand_on_a_run_through_its_transforms(toys: Toys) -> None:
    run_path = toys.runs["regression"]
    row = toys.rows[5]
    by_hand = [f"{name}={row[name]}" for name in ("age", "balance", "city")]
    made, read = trace(run_path, by_hand=by_hand), trace(run_path, row=5, of="output")
    assert made.row.source is None
    assert made.nodes[-1].value.array.tolist() == read.nodes[-1].value.array.tolist()
    assert trace(run_path, by_hand=["city=Atlantis"]).row.unseen == ["city"]
    with pytest.raises(UsageError, match="--input: the target left is 'perhaps'"):
        trace(toys.runs["binary"], by_hand=["left=perhaps"])


def spec_of(folder: Path, toys: Toys, layers: list[Any], **training: Any) -> Path:
    spec = make_spec(toys.data, "regression")
    spec["model"]["layers"] = layers
    spec["training"] |= training
    path = folder / "spec.yaml"
    path.write_text(dump_yaml(spec))
    return path


def test_evaluation_mode_and_frozen_layers(toys: Toys, tmp_path: Path) -> None:
    layers = [
        {"name": "frozen", "type": "dense", "units": 4, "activation": "relu", "trainable": False},
        {"name": "dropped", "type": "dropout", "rate": 0.5},
        {"name": "normed", "type": "batch_norm"},
        {"name": "out", "type": "dense", "units": 1},
    ]
    found = nodes(trace(spec_of(tmp_path, toys, layers)))
    assert found["dropped"].value.array.tolist() == found["frozen"].value.array.tolist()
    assert [(weight.trained, weight.gradient) for weight in found["frozen"].weights] == [(False, None)] * 2
    assert found["frozen"].gradient is not None
    trained = {weight.name: weight.trained for weight in found["normed"].weights}
    assert trained == {"gamma": True, "beta": True, "moving_mean": False, "moving_variance": False}


def test_the_loss_has_no_row_weights(toys: Toys, tmp_path: Path) -> None:
    spec = make_spec(toys.data, "regression")
    spec["data"] |= {"weight": "days", "drop": ["id", "left", "kind", "rain", "wind"]}
    (tmp_path / "s.yaml").write_text(dump_yaml(spec))
    row = toys.rows[2]
    by_hand = [f"{name}={row[name]}" for name in ("age", "balance", "city", "price")]
    made, read = trace(tmp_path / "s.yaml", by_hand=by_hand), trace(tmp_path / "s.yaml", row=2)
    assert made.nodes[-1].to_json() == read.nodes[-1].to_json()


def test_seed_and_overrides_of_a_spec(toys: Toys, tmp_path: Path) -> None:
    spec = spec_of(tmp_path, toys, [{"type": "dense", "units": 1}])
    values = [trace(spec, overrides=[f"seed={seed}", "data.split.seed=1"]).nodes[1] for seed in (1, 2, 1)]
    kernels = [node.weights[0].value.array.tolist() for node in values]
    assert kernels[0] == kernels[2] != kernels[1]
    with pytest.raises(SpecError, match="unknown option"):
        trace(spec, overrides=["sed=1"])


def test_float64_is_traced_in_float64(toys: Toys, tmp_path: Path) -> None:
    spec = spec_of(tmp_path, toys, [{"type": "dense", "units": 1}], precision="float64")
    assert {node.value.array.dtype.name for node in trace(spec).nodes} == {"float64"}


def test_layers_may_be_called_loss_output_and_target(toys: Toys, tmp_path: Path) -> None:
    layers = [{"name": name, "type": "dense", "units": 1} for name in ("loss", "target", "output", "last")]
    report = trace(spec_of(tmp_path, toys, layers))
    assert [node.name for node in report.nodes][-3:] == ["last", "target'", "loss'"]
    assert report.of == "loss'"
    assert trace(spec_of(tmp_path, toys, layers), of="output").of == "output"


def test_an_activation_as_the_last_layer_is_one_node(toys: Toys, tmp_path: Path) -> None:
    spec = make_spec(toys.data, "binary")
    spec["model"]["layers"] = [
        {"name": "z", "type": "dense", "units": 1},
        {"type": "activation", "activation": "sigmoid"},
    ]
    (tmp_path / "s.yaml").write_text(dump_yaml(spec))
    report = trace(tmp_path / "s.yaml")
    assert [(node.name, list(node.reads)) for node in report.nodes[2:]] == [
        ("activation_1", ["z"]),
        ("target", []),
        ("loss", ["z", "target"]),
    ]


def test_a_thousand_layers_and_repeats(toys: Toys, tmp_path: Path) -> None:
    inner = [{"type": "dense", "units": 2}, {"type": "add", "inputs": ["input", "dense_1"]}]
    layers = [{"type": "dense", "units": 2}, {"type": "repeat", "times": 500, "layers": inner}]
    report = trace(spec_of(tmp_path, toys, [*layers, {"type": "dense", "units": 1}]), of="output")
    assert len(report.nodes) == 1003
    assert nodes(report)["repeat_1/500/add_1"].reads == ("repeat_1/499/add_1", "repeat_1/500/dense_1")


def test_damaged_runs_are_refused(toys: Toys, tmp_path: Path) -> None:
    for name in ("weights.safetensors", "pipeline.json", "resolved.yaml"):
        copy = tmp_path / name
        shutil.copytree(toys.runs["binary"], copy)
        (copy / name).write_bytes(b"x" + (copy / name).read_bytes())
        with pytest.raises(RunError, match=f"{name}: cut short or changed"):
            trace(copy)
        assert run(["trace", str(copy)]) == 5
    assert run(["trace", str(tmp_path)]) == 5
    assert run(["trace", str(tmp_path / "nothing")]) == 5
    assert run(["trace", str(tmp_path / "nothing.yaml")]) == 3


def test_a_run_of_folds_has_no_single_network(toys: Toys, tmp_path: Path) -> None:
    spec = make_spec(toys.data, "regression", folds=2)
    folds = train_spec(tmp_path, spec)
    with pytest.raises(RunError, match=r"each with its own model; choose one, as .*folds/1"):
        trace(folds)
    assert trace(folds / "folds" / "1").weights == "trained"
