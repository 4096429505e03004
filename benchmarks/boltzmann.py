"""nnkit's restricted Boltzmann machine beside scikit-learn's, on the same rows, in turn, round after round.

``python -m benchmarks.boltzmann FOLDER`` with MNIST's files in the folder. Both have as many hidden units, epochs, rows
a batch, and draws that go on from step to step. scikit-learn gets float64, which it makes of anything but float32, and
with ``--float32`` that; nnkit reads its files itself and has its learning rate fall to 0, as scikit-learn's cannot. Its
time is that of the epochs with their monitors, as its history says; scikit-learn's is that of ``fit`` alone. The
processor's time, which matters where others compute beside, is of nnkit's whole command and of ``fit``.

Both machines are then judged by the same code, on pictures that neither has seen: the mean squared error of a
reconstruction without draws, the pseudo-likelihood by scikit-learn's ``score_samples``, and the accuracy of a logistic
regression on their codes.
"""

import argparse
import json
import statistics
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file
from scipy.special import expit
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import BernoulliRBM

from nnkit.commands.train import train
from nnkit.frames.idx import read_idx

SPEC = Path(__file__).resolve().parent.parent / "experiments" / "mnist_rbm.yaml"
Pixels = NDArray[np.float64]
Seconds = tuple[float, float]


def arguments() -> argparse.Namespace:
    """Return what the command line says."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path, help="the folder with MNIST's files")
    parser.add_argument("--test", default="t10k", help="how the names of the test files begin")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--batch", type=int, default=10)
    parser.add_argument("--lr", type=float, default=0.05)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--float32", action="store_true", help="give scikit-learn float32 as well")
    parser.add_argument("--out", type=Path, default=Path("runs"))
    return parser.parse_args()


def files(folder: Path, part: str) -> dict[str, str]:
    """Return the source of a part of the data."""
    return {
        "type": "idx",
        "images": str(folder / f"{part}-images-idx3-ubyte.gz"),
        "labels": str(folder / f"{part}-labels-idx1-ubyte.gz"),
    }


def read(folder: Path, part: str) -> tuple[Pixels, NDArray[Any]]:
    """Return pixels, each 0 or 1 [n, 784], and labels [n]."""
    source = files(folder, part)
    pixels = read_idx(Path(source["images"]), (3,), "pictures").reshape(-1, 784)
    return (pixels / 255 >= 0.5).astype(np.float64), read_idx(Path(source["labels"]), (1,), "labels")


def trained_by_nnkit(options: argparse.Namespace) -> tuple[Seconds, BernoulliRBM]:
    """Return the seconds of the training, those of the whole command's processor, and the machine as scikit-learn's."""
    settings = {
        "data.source": files(options.folder, "train"),
        "data.split.test": files(options.folder, options.test),
        "training.procedure.lr": options.lr,
        "training.procedure.partition": None,
        "training.epochs": options.epochs,
        "training.batch_size": options.batch,
    }
    began = time.process_time()
    run = train(SPEC, overrides=[f"{key}={json.dumps(value)}" for key, value in settings.items()], out=options.out)
    spent = time.process_time() - began
    history = [json.loads(line) for line in (run / "history.jsonl").read_text().splitlines()]
    weights = {name: array.astype(np.float64) for name, array in load_file(run / "weights.safetensors").items()}
    machine = BernoulliRBM(weights["rbm.kernel"].shape[1], random_state=0)
    machine.components_ = weights["rbm.kernel"].T
    machine.intercept_visible_, machine.intercept_hidden_ = weights["rbm.visible_bias"], weights["rbm.hidden_bias"]
    machine.n_features_in_ = len(weights["rbm.visible_bias"])
    return (sum(record["seconds"] for record in history), spent), machine


def trained_by_sklearn(options: argparse.Namespace, rows: NDArray[Any]) -> tuple[Seconds, BernoulliRBM]:
    """Return the seconds of the training, those of the processor, and the machine."""
    machine = BernoulliRBM(
        256, learning_rate=options.lr, batch_size=options.batch, n_iter=options.epochs, random_state=0
    )
    began = time.perf_counter(), time.process_time()
    machine.fit(rows)
    return (time.perf_counter() - began[0], time.process_time() - began[1]), machine


def judged(machine: BernoulliRBM, train_part: tuple[Pixels, Any], test_part: tuple[Pixels, Any]) -> dict[str, float]:
    """Return what the machine is worth on test rows."""
    (rows, labels), (unseen, truth) = train_part, test_part
    back = expit(machine.transform(unseen) @ machine.components_ + machine.intercept_visible_)
    classifier = LogisticRegression(max_iter=300, tol=1e-3).fit(machine.transform(rows), labels)
    return {
        "error": float(((unseen - back) ** 2).mean()),
        "pseudo_likelihood": float(machine.score_samples(unseen).mean()),
        "codes_accuracy": float(classifier.score(machine.transform(unseen), truth)),
    }


def main() -> None:
    """Train in turn, and print a line of JSON for each round and one of what came of it."""
    options = arguments()
    train_part, test_part = read(options.folder, "train"), read(options.folder, options.test)
    rows = {"sklearn_float64": train_part[0]}
    if options.float32:
        rows["sklearn_float32"] = train_part[0].astype(np.float32)
    seconds: dict[str, list[Seconds]] = {}
    machines: dict[str, BernoulliRBM] = {}
    for number in range(options.rounds):
        for name in ("nnkit", *rows):
            took, machines[name] = (
                trained_by_nnkit(options) if name == "nnkit" else trained_by_sklearn(options, rows[name])
            )
            seconds.setdefault(name, []).append(took)
        print(
            json.dumps({"round": number + 1, "seconds": {name: times[-1] for name, times in seconds.items()}}),
            flush=True,
        )
    for name, machine in machines.items():
        told: dict[str, Any] = {"machine": name}
        for place, what in enumerate(("seconds", "processor_seconds")):
            times = [each[place] for each in seconds[name]]
            ratios = [theirs / ours[place] for theirs, ours in zip(times, seconds["nnkit"], strict=True)]
            told |= {what: statistics.median(times), f"{what}_to_nnkit": statistics.median(ratios)}
        print(json.dumps(told | judged(machine, train_part, test_part)), flush=True)


if __name__ == "__main__":
    main()
