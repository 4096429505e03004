"""The picture of codes, in the run folder and by nnkit plot."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from nnkit.cli import run as command
from nnkit.commands.plot import plot
from nnkit.commands.train import train
from nnkit.errors import RunError, UsageError
from tests.commands.experiments import write as write_network
from tests.commands.groups import write

K_MEANS = {"type": "k_means", "clusters": 3}
AUTOENCODER: dict[str, Any] = {
    "type": "autoencoder",
    "encoder": [{"type": "dense", "units": 3}],
    "decoder": [{"type": "dense", "units": 2}],
}
Drawn = dict[str, Any]


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Drawn]:
    """Return what was drawn, in order."""
    found: list[Drawn] = []

    def codes(
        points: NDArray[np.float64],
        groups: NDArray[np.int64],
        names: list[str],
        title: str,
        axes: list[str],
        none: str,
        of: int,
    ) -> bytes:
        found.append(
            {"points": points, "groups": groups, "names": names, "title": title, "axes": axes, "none": none, "of": of}
        )
        return b"picture"

    monkeypatch.setattr("nnkit.figures.codes.codes", codes)
    return found


def pictures(run: Path) -> list[str]:
    return sorted(path.name for path in run.glob("codes*.png"))


def test_two_columns_are_drawn_as_they_are_by_cluster_and_by_label(tmp_path: Path, drawn: list[Drawn]) -> None:
    run = train(write(tmp_path, K_MEANS), out=tmp_path)
    assert pictures(run) == ["codes.png", "codes_by_label.png"]
    by_cluster, by_label = drawn
    assert by_cluster["axes"] == ["x", "y"]
    assert by_cluster["names"] == ["0", "1", "2"]
    assert by_label["names"] == ["ash", "birch", "cedar"]
    assert len(by_cluster["points"]) == by_cluster["of"] == 30
    told = [line.split(",")[2] for line in (run / "predictions.csv").read_text().splitlines()[1:]]
    assert by_cluster["groups"].tolist() == list(map(int, told))


def test_noise_has_its_name(tmp_path: Path, drawn: list[Drawn]) -> None:
    train(write(tmp_path, {"type": "hdbscan", "min_cluster_size": 10}), out=tmp_path)
    assert drawn[0]["none"] == "noise"
    assert drawn[0]["names"][0] == "0"
    assert -1 in drawn[0]["groups"]


def test_codes_of_an_autoencoder_by_label(tmp_path: Path, drawn: list[Drawn]) -> None:
    run = train(write(tmp_path, AUTOENCODER, training__procedure="reconstruction", training__epochs=2), out=tmp_path)
    assert pictures(run) == ["codes.png"]
    assert drawn[0]["names"] == ["ash", "birch", "cedar"]
    assert drawn[0]["title"] == "Codes by principal directions"
    assert drawn[0]["points"].shape == (30, 2)


def test_without_labels_and_clusters_there_is_one_colour(tmp_path: Path, drawn: list[Drawn]) -> None:
    changes: Drawn = {"data__target": None, "data__drop": ["group", "odd"], "training__epochs": 2}
    train(write(tmp_path, AUTOENCODER, training__procedure="reconstruction", **changes), out=tmp_path)
    assert drawn[0]["names"] == []


def test_tsne_by_the_command(tmp_path: Path, drawn: list[Drawn], capsys: pytest.CaptureFixture[str]) -> None:
    run = train(write(tmp_path, AUTOENCODER, training__procedure="reconstruction", training__epochs=2), out=tmp_path)
    assert command(["plot", str(run), "--codes", "tsne"]) == 0
    assert capsys.readouterr().out == f"{run / 'codes_tsne.png'}\n"
    assert drawn[1]["title"] == "Codes by t-SNE"
    assert (drawn[1]["groups"] == drawn[0]["groups"]).all()
    assert (plot(run, codes="tsne")[0]).read_bytes() == b"picture"
    assert (drawn[2]["points"] == drawn[1]["points"]).all()


def test_the_command_draws_what_training_drew(tmp_path: Path) -> None:
    run = train(write(tmp_path, AUTOENCODER, training__procedure="reconstruction", training__epochs=2), out=tmp_path)
    before = (run / "codes.png").read_bytes()
    [again] = plot(run, tmp_path / "pictures", codes="pca")
    assert again == tmp_path / "pictures/codes.png"
    assert again.read_bytes() == before


def test_a_model_without_codes(tmp_path: Path) -> None:
    run = train(write_network(tmp_path, training__epochs=1), out=tmp_path)
    with pytest.raises(UsageError, match=r"--codes: the model of .* makes no codes; leave it out"):
        plot(run, codes="pca")


def test_data_that_has_changed(tmp_path: Path) -> None:
    run = train(write(tmp_path, K_MEANS), out=tmp_path)
    with (tmp_path / "rows.csv").open("a") as file:
        file.write("1,1,ash,no\n")
    with pytest.raises(RunError, match="the data is not what the run was made of; put the old files back"):
        plot(run, codes="pca")
