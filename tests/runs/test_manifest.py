import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nnkit
from nnkit.errors import RunError
from nnkit.runs.manifest import Manifest, new_manifest, parse_manifest

PATH = Path("run/manifest.json")


def as_json(**changes: Any) -> bytes:
    manifest = new_manifest("churn", ["nnkit", "train", "churn.yaml"], seed=42, threads=2, device="cpu")
    return json.dumps({**manifest.model_dump(mode="json"), **changes}).encode()


def test_it_names_what_computes() -> None:
    manifest = new_manifest("churn", ["nnkit"], seed=42, threads=2, device="cpu")
    assert manifest.nnkit == nnkit.__version__
    assert manifest.libraries["numpy"] == np.__version__
    assert manifest.status == "running"
    assert abs((datetime.now(UTC) - datetime.fromisoformat(manifest.created)).total_seconds()) < 60


def test_what_was_written_is_read() -> None:
    read = parse_manifest(PATH, as_json(data={"a.csv": "0" * 64}, files={"checkpoints/last.safetensors": "f" * 64}))
    assert read.command == ["nnkit", "train", "churn.yaml"]
    assert Manifest.model_validate(read.model_dump(mode="json")) == read


def test_a_newer_format_is_said_to_be_newer_whatever_else_is_in_it() -> None:
    with pytest.raises(RunError, match=r"run/manifest\.json: .*format 2 .*update nnkit"):
        parse_manifest(PATH, b'{"format_version": 2, "colour": "green"}')


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "not JSON"),
        (as_json()[:50], "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"[]", "not the manifest of a run"),
        (b"{}", "not the manifest of a run"),
        (as_json(format_version="1"), "format_version"),
        (as_json(status="perfect"), "status"),
        (as_json(seed="42"), "seed"),
        (as_json(folds=10**9), "folds"),
        (as_json(folds=-1), "folds"),
        (as_json(files={"spec.yaml": "123"}), "spec.yaml"),
    ],
)
def test_anything_else_is_a_run_error(data: bytes, words: str) -> None:
    with pytest.raises(RunError, match=re.escape(words)) as caught:
        parse_manifest(PATH, data)
    assert "copy the run folder again" in str(caught.value)


@pytest.mark.parametrize("name", ["/etc/passwd", "../spec.yaml", "a/../../b", "", "a//b", ".", "C:\\x", "a\0b", "a/"])
def test_a_file_outside_the_folder_cannot_be_named(name: str) -> None:
    with pytest.raises(RunError, match="inside the run folder"):
        parse_manifest(PATH, as_json(files={name: "0" * 64}))
