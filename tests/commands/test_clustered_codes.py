"""Clusters of codes that the encoder of another run makes."""

import csv
import io
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.cluster import KMeans

from nnkit.commands.encode import encode
from nnkit.commands.predict import predict
from nnkit.commands.train import train
from nnkit.errors import SpecError
from nnkit.tensors import read_tensors
from tests.commands.groups import write

AUTOENCODER: dict[str, Any] = {
    "type": "autoencoder",
    "encoder": [
        {"type": "dense", "units": 5, "activation": "tanh", "name": "wide"},
        {"type": "dense", "units": 3, "name": "code"},
    ],
    "decoder": [{"type": "dense", "units": 2}],
}


def lower(folder: Path, **model: Any) -> Path:
    settings: dict[str, Any] = {
        "training__procedure": "reconstruction",
        "training__epochs": 3,
        "data__transforms": ["standard_scale"],
    }
    return train(write(folder, AUTOENCODER | model, "lower", **settings), out=folder / "runs")


def upper(folder: Path, run: Path, **layer: Any) -> Path:
    model = {"type": "k_means", "clusters": 3, "layers": [{"type": "pretrained", "run": str(run), **layer}]}
    return write(folder, model, "upper")


def codes(run: Path) -> NDArray[np.float64]:
    text = io.StringIO()
    encode(run, None, text)
    rows = list(csv.reader(io.StringIO(text.getvalue())))
    return np.array(rows[1:], dtype=np.float64)


def cells(run: Path, data: Path | None = None) -> list[dict[str, str]]:
    text = io.StringIO()
    predict(run, data, text)
    return list(csv.DictReader(io.StringIO(text.getvalue())))


def test_clusters_are_those_of_the_codes_and_need_the_other_run_no_more(tmp_path: Path) -> None:
    below = lower(tmp_path)
    made = codes(below)
    run = train(upper(tmp_path, below), out=tmp_path / "runs")
    shutil.rmtree(below)
    np.testing.assert_allclose(codes(run), made, rtol=1e-5)
    centres = read_tensors(run / "weights.safetensors")[0]["clusters.centres"].astype(np.float64)
    assert centres.shape == (3, 3)
    found = [int(row["cluster"]) for row in cells(run)]
    every = np.linalg.norm(made[:, None] - centres, axis=2)
    assert (every.argmin(axis=1) == found).all()
    told = json.loads((run / "history.jsonl").read_text())
    rows = len((run / "predictions.csv").read_text().splitlines()) - 1
    assert rows == 30
    assert told["train_loss"] <= KMeans(3, n_init=1, random_state=0).fit(made).inertia_ / 105


def test_layers_up_to_one_of_the_encoder(tmp_path: Path) -> None:
    run = train(upper(tmp_path, lower(tmp_path), until="wide"), out=tmp_path / "runs")
    assert read_tensors(run / "weights.safetensors")[0]["clusters.centres"].shape == (3, 5)


def test_the_transforms_of_the_other_run_are_used(tmp_path: Path) -> None:
    run = train(upper(tmp_path, lower(tmp_path)), out=tmp_path / "runs")
    assert json.loads((run / "pipeline.json").read_text())["transforms"][0]["transform"]["type"] == "standard_scale"


def test_a_layer_that_the_encoder_does_not_have(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"has no layer 'wid'; did you mean 'wide'\? It has: wide, code"):
        train(upper(tmp_path, lower(tmp_path), until="wid"), out=tmp_path / "runs")


def test_a_run_without_layers_to_build_upon(tmp_path: Path) -> None:
    below = train(write(tmp_path, {"type": "k_means", "clusters": 3}, "lower"), out=tmp_path / "runs")
    with pytest.raises(SpecError, match="the run's model is a k_means; expected a network or an autoencoder"):
        train(upper(tmp_path, below), out=tmp_path / "runs")


def test_codes_that_the_encoder_alone_does_not_make(tmp_path: Path) -> None:
    below = lower(tmp_path, code={"type": "vector_quantised", "codes": 4})
    with pytest.raises(SpecError, match=r"the run's codes are vector_quantised, .*until, .*: wide, code"):
        train(upper(tmp_path, below), out=tmp_path / "runs")
    run = train(upper(tmp_path, below, until="code"), out=tmp_path / "runs")
    assert read_tensors(run / "weights.safetensors")[0]["clusters.centres"].shape == (3, 3)


def test_a_classifier_on_top_of_an_encoder(tmp_path: Path) -> None:
    layers = [
        {"type": "pretrained", "run": str(lower(tmp_path))},
        {"type": "dense", "units": 3, "activation": "softmax"},
    ]
    procedure = {"type": "supervised", "loss": "categorical_cross_entropy"}
    spec = write(tmp_path, {"type": "network", "layers": layers}, "upper", training__procedure=procedure)
    run = train(spec, out=tmp_path / "runs")
    assert json.loads((run / "metrics.json").read_text())["test"]["accuracy"] > 0.6
