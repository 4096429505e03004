"""Start-up: what a user waits for before anything happens."""

from collections.abc import Sequence

from benchmarks.rows import Kind, Row, Workload
from benchmarks.settings import Settings, nnkit, python
from benchmarks.workloads.common import EXPERIMENT, KERAS


def workloads(settings: Settings) -> list[Workload]:
    """Return commands that do next to nothing."""
    return [
        Workload(
            "startup",
            "Start-up",
            "The whole process of a command that does next to nothing, beside the imports it could not do without.",
            [
                _row("nnkit --help", "nnkit", "nnkit", nnkit("--help")),
                _row("nnkit check", "nnkit", "nnkit", nnkit("check", str(EXPERIMENT))),
                *(
                    _importing(f"import {name}", "nnkit", f"import {name}")
                    for name in ("typer", "numpy", "pandas", "torch")
                ),
                _importing("import sklearn.neural_network", "sklearn", "import sklearn.neural_network"),
                _importing("import keras, on TensorFlow", "tensorflow", "import keras"),
                _importing("import keras, on JAX", "jax", "import keras"),
                _importing("nothing", "nnkit", "pass"),
            ],
            often=3,
        )
    ]


def _row(name: str, kind: Kind, env: str, command: Sequence[str]) -> Row:
    return Row(name, kind, env, lambda _: command, variables=KERAS.get(env, {}))


def _importing(name: str, env: str, code: str) -> Row:
    return _row(f"python: {name}", "import", env, [python(env), "-c", code])
