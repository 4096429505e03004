"""Write a churn run's scaling and weights as JSON: ``export_network.py RUN FILE``."""

import json
import sys
from pathlib import Path

from safetensors.numpy import load_file


def main() -> None:
    """Read pipeline.json and weights.safetensors; write each input's scaling, each layer's kernel and bias."""
    run, path = Path(sys.argv[1]), Path(sys.argv[2])
    pipeline = json.loads((run / "pipeline.json").read_text(encoding="utf-8"))
    (states,) = [step["states"] for step in pipeline["transforms"] if step["transform"]["type"] == "standard_scale"]
    weights = load_file(run / "weights.safetensors")
    names = dict.fromkeys(name.rpartition(".")[0] for name in sorted(weights))
    layers = [{part: weights[f"{name}.{part}"].tolist() for part in ("kernel", "bias")} for name in names]
    scaling = {name: [state["shift"], state["scale"]] for name, state in states.items()}
    path.write_text(json.dumps({"scaling": scaling, "layers": layers}), encoding="utf-8")


main()
