"""Small language models on made-up text."""

import random
from pathlib import Path
from typing import Any

from nnkit.config.document import dump_yaml
from tests.commands.changes import change
from tests.commands.experiments import Spec

WORDS = ("the", "cat", "sees", "a", "dog", "and", "runs", "home")


def sentences(count: int, seed: int = 0) -> str:
    """Return lines of a few words, each beginning with a capital and ending in a full stop."""
    draw = random.Random(seed)
    lines = (" ".join(draw.choices(WORDS, k=draw.randint(3, 7))).capitalize() for _ in range(count))
    return "".join(f"{line}.\n" for line in lines)


def text_spec(folder: Path, text: str | None = None, **changes: Any) -> Path:
    """Write a text and a spec with dropout and carried state; ``a__b=c`` changes a.b, and None takes it out."""
    source = folder / "t.txt"
    source.write_text(sentences(120) if text is None else text, encoding="utf-8")
    value: Spec = {
        "name": "small",
        "seed": 3,
        "data": {
            "source": {"type": "text", "path": str(source), "length": 12},
            "target": "next",
            "split": {"test": 0.2, "validation": 0.1},
            "transforms": [{"type": "characters", "columns": ["text"]}],
        },
        "model": {
            "type": "network",
            "layers": [
                {"type": "embedding", "output_dim": 8},
                {"type": "lstm", "units": 12, "return_sequences": True, "stateful": True, "dropout": 0.1},
                {"type": "dropout", "rate": 0.1},
                {"type": "dense", "units": "vocabulary", "activation": "softmax"},
            ],
        },
        "training": {
            "procedure": {
                "type": "supervised",
                "loss": "categorical_cross_entropy",
                "optimizer": {"type": "adam", "lr": 0.02},
            },
            "epochs": 3,
            "batch_size": 8,
            "metrics": ["log_loss", "perplexity", "bits_per_character", "accuracy"],
        },
    }
    change(value, changes)
    spec = folder / "spec.yaml"
    spec.write_text(dump_yaml(value), encoding="utf-8")
    return spec
