"""Clusters from the command line: fitted by scikit-learn, kept as arrays, told for any row."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.cluster import HDBSCAN, KMeans
from sklearn.metrics import adjusted_rand_score, silhouette_score
from sklearn.mixture import GaussianMixture

from nnkit.commands.check import check
from nnkit.commands.evaluate import evaluate
from nnkit.commands.predict import predict
from nnkit.commands.train import train
from nnkit.data.prepare import prepare
from nnkit.engine.checkpoint import Checkpoint
from nnkit.errors import DataError, RunError, SpecError
from nnkit.runs.folder import RunFolder
from nnkit.tensors import read_tensors, write_tensors
from tests.commands.groups import points, write

MODELS: list[dict[str, Any]] = [
    {"type": "k_means", "clusters": 3},
    {"type": "gaussian_mixture", "components": 3},
    {"type": "hdbscan", "min_cluster_size": 10},
]
each_model = pytest.mark.parametrize("model", MODELS, ids=[model["type"] for model in MODELS])


def predicted(run: Path, data: Path | None, **options: Any) -> list[dict[str, str]]:
    text = io.StringIO()
    predict(run, data, text, **options)
    return list(csv.DictReader(io.StringIO(text.getvalue())))


def training_rows(run: Path) -> np.ndarray[Any, Any]:
    experiment = RunFolder.open(run).experiment()
    prepared = prepare(experiment.data, lambda count: "unlabelled", experiment.seed)
    rows: np.ndarray[Any, Any] = prepared.train.inputs["input"].astype(np.float64)
    return rows


def record(run: Path) -> dict[str, Any]:
    [line] = (run / "history.jsonl").read_text().splitlines()
    found: dict[str, Any] = json.loads(line)
    return found


@each_model
def test_finds_the_groups_that_are_there(tmp_path: Path, model: dict[str, Any]) -> None:
    run = train(write(tmp_path, model), out=tmp_path)
    metrics = json.loads((run / "metrics.json").read_text())
    assert list(metrics) == ["train", "validation", "test"]
    assert metrics["train"]["adjusted_rand"] > 0.8
    if model["type"] != "hdbscan":
        assert metrics["test"]["accuracy"] > 0.9
    rows = list(csv.DictReader(io.StringIO((run / "predictions.csv").read_text())))
    assert len(rows) == 30
    truth, found = [row["label"] for row in rows], [row["cluster"] for row in rows]
    assert metrics["test"]["adjusted_rand"] == pytest.approx(adjusted_rand_score(truth, found))
    assert evaluate(run).values == metrics["test"]


def test_k_means_is_that_of_scikit_learn(tmp_path: Path) -> None:
    run = train(write(tmp_path, MODELS[0]), out=tmp_path)
    rows = training_rows(run)
    peer = KMeans(3, n_init=10, random_state=0).fit(rows)
    told = record(run)
    assert told["train_loss"] == pytest.approx(peer.inertia_ / len(rows))
    assert told["train_silhouette"] == pytest.approx(silhouette_score(rows, peer.labels_))
    assert json.loads((run / "metrics.json").read_text())["train"]["inertia"] == pytest.approx(peer.inertia_, rel=1e-6)
    centres = read_tensors(run / "weights.safetensors")[0]["clusters.centres"].astype(np.float64)
    np.testing.assert_allclose(centres, peer.cluster_centers_[np.lexsort(peer.cluster_centers_.T[::-1])], rtol=1e-6)


def test_a_mixture_is_that_of_scikit_learn(tmp_path: Path) -> None:
    run = train(write(tmp_path, {**MODELS[1], "restarts": 4, "covariance": "tied"}), out=tmp_path)
    rows = training_rows(run)
    peer = GaussianMixture(3, covariance_type="tied", n_init=4, random_state=0).fit(rows)
    told = record(run)
    assert -told["train_loss"] == pytest.approx(peer.score(rows), rel=1e-4)
    assert told["train_bic"] == pytest.approx(peer.bic(rows), rel=1e-4)
    assert told["train_aic"] == pytest.approx(peer.aic(rows), rel=1e-4)


@pytest.mark.parametrize("covariance", ["full", "tied", "diagonal", "spherical"])
def test_the_information_criteria_count_what_is_free(tmp_path: Path, covariance: str) -> None:
    run = train(write(tmp_path, {**MODELS[1], "components": 1, "covariance": covariance}), out=tmp_path)
    rows = training_rows(run)
    word = {"diagonal": "diag"}.get(covariance, covariance)
    assert record(run)["train_bic"] == pytest.approx(GaussianMixture(1, covariance_type=word).fit(rows).bic(rows))


def test_hdbscan_is_that_of_scikit_learn(tmp_path: Path) -> None:
    run = train(write(tmp_path, {**MODELS[2], "min_samples": 4}), out=tmp_path)
    rows = training_rows(run)
    peer = HDBSCAN(min_cluster_size=10, min_samples=4, copy=True).fit(rows)
    told = record(run)
    assert told["train_clusters"] == peer.labels_.max() + 1
    assert told["train_noise"] == pytest.approx((peer.labels_ < 0).mean())
    assert json.loads((run / "metrics.json").read_text())["train"]["noise"] == pytest.approx((peer.labels_ < 0).mean())


@each_model
def test_fresh_rows_get_the_same_cells_in_chunks_of_any_size(tmp_path: Path, model: dict[str, Any]) -> None:
    run = train(write(tmp_path, model), out=tmp_path)
    (tmp_path / "rows.csv").rename(tmp_path / "fresh.csv")
    whole = predicted(run, tmp_path / "fresh.csv")
    assert len(whole) == 150
    assert whole == predicted(run, tmp_path / "fresh.csv", chunk_rows=7)
    first = {"k_means": "distance", "gaussian_mixture": "probability", "hdbscan": "distance"}[model["type"]]
    assert list(whole[0])[:2] == ["cluster", first]
    far = tmp_path / "far.csv"
    far.write_text("x,y\n500,500\n")
    [row] = predicted(run, far)
    assert row["cluster"] == "noise" if model["type"] == "hdbscan" else row["cluster"] in "012"


def test_rows_need_no_labels(tmp_path: Path) -> None:
    run = train(write(tmp_path, MODELS[0], data__target=None, data__drop=["odd", "group"]), out=tmp_path)
    metrics = json.loads((run / "metrics.json").read_text())
    assert set(metrics["test"]) == {"inertia", "distance"}
    assert "label" not in (run / "predictions.csv").read_text().splitlines()[0]


def test_labels_change_nothing_of_what_is_fitted(tmp_path: Path) -> None:
    with_labels = train(write(tmp_path, MODELS[0]), out=tmp_path / "a")
    without = train(write(tmp_path, MODELS[0], data__target=None, data__drop=["odd", "group"]), out=tmp_path / "b")
    assert (with_labels / "weights.safetensors").read_bytes() == (without / "weights.safetensors").read_bytes()


@each_model
def test_the_same_seed_gives_the_same_bytes(tmp_path: Path, model: dict[str, Any]) -> None:
    runs = [train(write(tmp_path, model), out=tmp_path / name) for name in "ab"]
    for name in ("weights.safetensors", "predictions.csv", "metrics.json"):
        assert (runs[0] / name).read_bytes() == (runs[1] / name).read_bytes()


def test_as_json_lines(tmp_path: Path) -> None:
    run = train(write(tmp_path, MODELS[2]), out=tmp_path)
    text = io.StringIO()
    predict(run, None, text, format="jsonl")
    first = json.loads(text.getvalue().splitlines()[0])
    assert first["cluster"] in ("noise", "0", "1", "2")
    assert isinstance(first["distance"], float)


def test_folds_and_float64(tmp_path: Path) -> None:
    split = {"folds": 3}
    run = train(write(tmp_path, MODELS[0], data__split=split, training__precision="float64"), out=tmp_path)
    metrics = json.loads((run / "metrics.json").read_text())
    assert metrics["mean"]["test"]["adjusted_rand"] > 0.8
    assert read_tensors(run / "folds/1/weights.safetensors")[0]["clusters.centres"].dtype == np.float64


def test_check_shows_what_is_kept(tmp_path: Path) -> None:
    report = check(write(tmp_path, MODELS[0]))
    assert [(row.name, row.parameters) for row in report.layers] == [("clusters", 6)]
    assert report.classes == ["ash", "birch", "cedar"]


def test_layers_without_weights_may_come_first(tmp_path: Path) -> None:
    model = {**MODELS[0], "layers": [{"type": "reshape", "shape": [2, 1]}, "flatten"]}
    run = train(write(tmp_path, model), out=tmp_path / "a")
    plain = train(write(tmp_path, MODELS[0]), out=tmp_path / "b")
    assert (run / "predictions.csv").read_bytes() == (plain / "predictions.csv").read_bytes()


def problems(spec: Path) -> list[str]:
    with pytest.raises(SpecError) as caught:
        check(spec)
    return [problem.message for problem in caught.value.problems]


@pytest.mark.parametrize(
    ("model", "changes", "message"),
    [
        ({"type": "k_means", "clusters": 200}, {}, "clusters needs 200 rows at least, and 105 rows train"),
        ({"type": "gaussian_mixture", "components": 106}, {}, "components needs 106 rows at least, and 105 rows train"),
        ({"type": "hdbscan", "min_cluster_size": 120}, {}, "min_cluster_size needs 120 rows at least"),
        ({"type": "hdbscan", "min_samples": 120}, {}, "min_samples needs 120 rows at least, and 105 rows train"),
        (MODELS[2], {"training__epochs": 5}, "hdbscan sees the rows once: expected 1, found 5"),
        (MODELS[0], {"training__batch_size": 8}, "is for training by batches and gradients; cluster has none"),
        (MODELS[0], {"training__clip_norm": 1.0}, "is for training by batches and gradients; cluster has none"),
        (MODELS[0], {"training__precision": "bfloat16"}, "expected float32 or float64, found bfloat16"),
        (MODELS[0], {"training__metrics": ["accuracy"]}, "metrics compare with targets"),
        (
            {**MODELS[0], "layers": [{"type": "dense", "units": 2}]},
            {},
            "cluster does not train dense_1, and its weights would be those of chance",
        ),
        (
            {**MODELS[0], "layers": [{"type": "flatten", "name": "clusters"}]},
            {},
            "the name clusters is that of what k_means keeps; call the layer something else",
        ),
        (MODELS[0], {"data__inputs": {"a": ["x"], "b": ["y"]}}, "k_means takes one input, found a, b"),
        (
            MODELS[0],
            {"training__procedure": "reconstruction"},
            "reconstruction trains autoencoder; model.type is k_means",
        ),
    ],
)
def test_mistakes_are_told_before_anything_is_fitted(
    tmp_path: Path, model: dict[str, Any], changes: dict[str, Any], message: str
) -> None:
    assert any(message in found for found in problems(write(tmp_path, model, **changes)))


def test_a_network_cannot_be_clustered(tmp_path: Path) -> None:
    model = {"type": "network", "layers": [{"type": "dense", "units": 2}]}
    pair = "cluster trains k_means, gaussian_mixture, hdbscan; model.type is network: choose a pair that fits"
    assert problems(write(tmp_path, model)) == [pair]


def test_fewer_different_rows_than_clusters(tmp_path: Path) -> None:
    spec = write(tmp_path, MODELS[0])
    (tmp_path / "rows.csv").write_text("x,y,group,odd\n" + "1,2,a,no\n3,4,b,no\n" * 40)
    with pytest.raises(DataError, match="k_means: 3 clusters of 2 different rows: choose at most 2 clusters"):
        train(spec, out=tmp_path)


def test_a_cell_that_is_missing(tmp_path: Path) -> None:
    spec = write(tmp_path, MODELS[0])
    text = (tmp_path / "rows.csv").read_text().splitlines()
    text[5] = "," + text[5].partition(",")[2]
    (tmp_path / "rows.csv").write_text("\n".join(text) + "\n")
    with pytest.raises(DataError, match=r"rows.csv:6: x missing; fill it by the transform impute"):
        train(spec, out=tmp_path)


def test_a_changed_number_of_kept_rows_is_noticed(tmp_path: Path) -> None:
    run = train(write(tmp_path, MODELS[2]), out=tmp_path)
    arrays, _ = read_tensors(run / "weights.safetensors")
    arrays["clusters.cores"] = arrays["clusters.cores"][:-1]
    write_tensors(run / "weights.safetensors", arrays, {})
    folder = RunFolder.open(run)
    manifest = folder.manifest
    folder.seal(manifest, "finished")
    with pytest.raises(RunError, match=r"clusters\.cores is 104, expected 105"):
        predicted(run, None)


def test_goes_on_between_two_fits_to_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from nnkit.commands.train import resume
    from nnkit.engine import fitting

    model = {**MODELS[0], "restarts": 6, "init": "random"}
    checkpoint = [{"type": "checkpoint", "every_seconds": 1e-9}]
    spec = write(tmp_path, model, training__callbacks=checkpoint)
    whole = train(spec, out=tmp_path / "whole")
    step, calls = fitting.FitPhase.step, []

    def stopped(self: fitting.FitPhase, batch: fitting.Begin) -> None:
        calls.append(batch.number)
        if len(calls) == 4:
            raise KeyboardInterrupt
        step(self, batch)

    monkeypatch.setattr("nnkit.engine.trainer.TICK_SECONDS", 0.0)
    monkeypatch.setattr(fitting.FitPhase, "step", stopped)
    with pytest.raises(KeyboardInterrupt):
        train(spec, out=tmp_path / "cut")
    [cut] = (tmp_path / "cut").glob("groups/*")
    assert Checkpoint.load(cut / "checkpoints/last.safetensors").position.step == 3
    calls.clear()
    calls.extend([0] * 10)
    resume(cut)
    assert calls[10:] == [3, 4, 5]
    for name in ("weights.safetensors", "predictions.csv", "metrics.json"):
        assert (whole / name).read_bytes() == (cut / name).read_bytes()


def test_noise_is_a_group_of_its_own_in_agreement(tmp_path: Path) -> None:
    run = train(write(tmp_path, MODELS[2], rows=300), out=tmp_path)
    rows = list(csv.DictReader(io.StringIO((run / "predictions.csv").read_text())))
    assert any(row["cluster"] == "noise" for row in rows)
    expected = adjusted_rand_score([row["label"] for row in rows], [row["cluster"] for row in rows])
    assert evaluate(run).values["adjusted_rand"] == pytest.approx(expected)


def test_evaluates_on_other_rows_with_labels_and_without(tmp_path: Path) -> None:
    run = train(write(tmp_path, MODELS[0]), out=tmp_path)
    found, groups = points(60, seed=8)
    lines = [f"{x},{y}" for x, y in found.tolist()]
    (tmp_path / "bare.csv").write_text("\n".join(["x,y", *lines]) + "\n")
    labelled = [f"{line},{group}" for line, group in zip(lines, groups, strict=True)]
    (tmp_path / "known.csv").write_text("\n".join(["x,y,group", *labelled]) + "\n")
    bare, known = evaluate(run, tmp_path / "bare.csv"), evaluate(run, tmp_path / "known.csv")
    assert set(bare.values) == {"inertia", "distance"}
    assert known.values["inertia"] == bare.values["inertia"]
    assert known.values["accuracy"] is not None
    assert known.values["accuracy"] > 0.9
