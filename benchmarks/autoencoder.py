"""nnkit's autoencoder with 32 codes beside scikit-learn's principal components, as many, of the same training rows.

``python -m benchmarks.autoencoder FOLDER`` with MNIST's files in the folder trains ``mnist_autoencoder``; ``--run RUN``
judges a run of it that is there. Both are judged by the same code: the mean squared error of a pixel from 0 to 1, over
the pictures of the test files, which neither has seen.
"""

import argparse
import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import PCA

from nnkit.commands.train import train
from nnkit.data.dataset import Dataset
from nnkit.frames.idx import read_idx
from nnkit.inference import Predictor
from nnkit.runs.folder import RunFolder

SPEC = Path(__file__).resolve().parent.parent / "experiments" / "mnist_autoencoder.yaml"
CODES = 32


def main() -> None:
    """Print both errors as JSON."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path, help="the folder with MNIST's files")
    parser.add_argument("--test", default="t10k", help="how the names of the test files begin")
    parser.add_argument("--run", type=Path, help="a finished run of mnist_autoencoder, instead of training one")
    parser.add_argument("--out", type=Path, default=Path("runs"))
    given = parser.parse_args()
    learned, unseen = (_pixels(given.folder, part) for part in ("train", given.test))
    run = given.run or train(SPEC, overrides=_settings(given.folder, given.test), out=given.out)
    found = {"nnkit": _own(run, unseen), "PCA": _components(learned, unseen)}
    print(json.dumps({"run": str(run), **found}, indent=2))


def _settings(folder: Path, test: str) -> list[str]:
    files = {"data.source": "train", "data.split.test": test}
    kinds = {"images": "images-idx3", "labels": "labels-idx1"}
    return [
        f"{place}.{kind}={(folder / f'{part}-{name}-ubyte.gz').resolve()}"
        for place, part in files.items()
        for kind, name in kinds.items()
    ]


def _pixels(folder: Path, part: str) -> NDArray[np.uint8]:
    """Return pictures [n, 28, 28, 1]."""
    images = read_idx(folder / f"{part}-images-idx3-ubyte.gz", (3,), "pictures")
    return images.reshape(len(images), 28, 28, 1)


def _own(run: Path, unseen: NDArray[np.uint8]) -> float:
    errors = Predictor(RunFolder.open(run)).outputs(Dataset({"input": unseen}, np.arange(len(unseen))))
    return float(errors[:, 0].mean())


def _components(learned: NDArray[np.uint8], unseen: NDArray[np.uint8]) -> float:
    rows, others = (pictures.reshape(len(pictures), -1) / np.float32(255) for pictures in (learned, unseen))
    components = PCA(CODES, random_state=0).fit(rows)
    back = components.inverse_transform(components.transform(others))
    return float(np.square(back - others).mean())


if __name__ == "__main__":
    main()
