"""Compare predictions with the net's in float64: ``check_predictions.py NETWORK DATA ANSWERS`` prints what differs.

NETWORK is what export_network.py wrote, DATA the rows, ANSWERS a CSV or JSON Lines file of predictions.
"""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def inputs(frame: pd.DataFrame, scaling: dict[str, list[float]]) -> Floats:
    """Return scaled inputs [rows, 11]; ``Gender=Male`` is 1 where Gender is Male."""
    columns = []
    for name, (shift, scale) in scaling.items():
        column, _, word = name.partition("=")
        values = frame[column] == word if word else frame[column]
        columns.append((values.to_numpy(dtype=np.float64) - shift) / scale)
    return np.stack(columns, axis=1)


def chances(network: dict[str, Any], frame: pd.DataFrame) -> Floats:
    """Return the probability of class 1 for each row."""
    values = inputs(frame, network["scaling"])
    *hidden, last = network["layers"]
    for layer in hidden:
        values = np.maximum(values @ np.array(layer["kernel"]) + np.array(layer["bias"]), 0)
    logits: Floats = (values @ np.array(last["kernel"]) + np.array(last["bias"]))[:, 0]
    return 1 / (1 + np.exp(-logits))


def read_answers(path: Path) -> pd.DataFrame:
    """Return predictions and probabilities, a row each."""
    text = path.open(encoding="utf-8").read(1)
    if text != "{":
        return pd.read_csv(path)
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    names = ("0", "1")
    return pd.DataFrame(
        [{"prediction": r["prediction"], **{f"probability_{n}": r["probabilities"][n] for n in names}} for r in rows]
    )


def main() -> None:
    """Print rows missing, the largest difference of a probability, and predictions that are another class."""
    network_path, data, answers_path = map(Path, sys.argv[1:])
    network = json.loads(network_path.read_text(encoding="utf-8"))
    truth = chances(network, pd.read_csv(data))
    answers = read_answers(answers_path)
    missing = len(truth) - len(answers)
    found: dict[str, float] = {"missing": missing}
    if missing == 0:
        both = np.stack([answers["probability_0"] - (1 - truth), answers["probability_1"] - truth])
        sure = np.abs(truth - 0.5) > 1e-6
        found["worst"] = float(np.abs(both).max())
        found["flipped"] = int(((answers["prediction"] == 1) != (truth > 0.5))[sure].sum())
    print(json.dumps(found))


main()
