"""Predict a file in pandas and torch: read_csv, the net, to_csv; option ``engine`` is read_csv's.

Option ``network`` is a JSON file with the scaling and the weights of a net, ``answers`` the file to write.
"""

import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import nn

from benchmarks.peers.job import read_job, report

USED = (
    *("CreditScore", "Geography", "Gender", "Age", "Tenure"),
    *("Balance", "NumOfProducts", "HasCrCard", "IsActiveMember", "EstimatedSalary"),
)


def rebuilt(layers: list[dict[str, Any]]) -> nn.Module:
    """Return the net of these kernels [inputs, units] and biases [units], with a sigmoid at the end."""
    modules: list[nn.Module] = []
    for layer in layers:
        kernel = torch.tensor(layer["kernel"])
        linear = nn.Linear(*kernel.shape)
        linear.load_state_dict({"weight": kernel.T, "bias": torch.tensor(layer["bias"])})
        modules += [linear, nn.ReLU()]
    return nn.Sequential(*modules[:-1], nn.Sigmoid())


def scaled(frame: pd.DataFrame, scaling: dict[str, list[float]]) -> torch.Tensor:
    """Return inputs [rows, 11] in the scaling's order; ``Gender=Male`` is 1 where Gender is Male."""
    columns = []
    for name, (shift, scale) in scaling.items():
        column, _, word = name.partition("=")
        values = frame[column] == word if word else frame[column]
        columns.append(((values - shift) / scale).to_numpy(dtype="float32"))
    return torch.from_numpy(np.stack(columns, axis=1))


def main() -> None:
    """Read, predict, write."""
    job = read_job()
    network = json.loads(Path(job.options["network"]).read_text(encoding="utf-8"))
    start = time.perf_counter()
    frame = pd.read_csv(job.data, usecols=list(USED), engine=job.options.get("engine"))
    with torch.inference_mode():
        chance = rebuilt(network["layers"])(scaled(frame, network["scaling"])).squeeze(1).numpy()
    answers = {"prediction": (chance > 0.5).astype(int), "probability_0": 1 - chance, "probability_1": chance}
    pd.DataFrame(answers).to_csv(job.options["answers"], index=False)
    report(job, len(frame), time.perf_counter() - start)


main()
