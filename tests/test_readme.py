"""The README's commands run: each block under ``<!-- run -->``, in order, in one shell, with two epochs a training."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

BLOCK = re.compile(r"^<!-- run -->\n```(console|sh)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
NNKIT = """\
#!/bin/sh
case "$*" in
    train*--resume*) ;;
    train*) set -- "$@" --set training.epochs=2 ;;
esac
exec "{python}" -m nnkit "$@"
"""

TRY_LAYER = """
import clamp, torch
from nnkit.layers.base import LAYERS

layer = LAYERS.decode({"type": "clamp", "low": 0.0})
print(layer.out_shape((3,)), layer.build((3,))(torch.tensor([-2.0, 0.5, 2.0])).tolist())
"""


def commands(text: str) -> list[str]:
    """Return the blocks to run; of a console block only what is typed, not what is answered."""
    blocks = [(kind, body) for kind, body in BLOCK.findall(text)]
    return [body if kind == "sh" else typed(body) for kind, body in blocks]


def typed(body: str) -> str:
    return "".join(f"{line[2:]}\n" for line in body.splitlines() if line.startswith("$ "))


@pytest.fixture
def folder(root: Path, tmp_path: Path) -> Path:
    """Return a folder with the README's experiments and data, and an ``nnkit`` that trains briefly."""
    for name in ("experiments", "data", "docs"):
        (tmp_path / name).symlink_to(root / name)
    command = tmp_path / "bin" / "nnkit"
    command.parent.mkdir()
    command.write_text(NNKIT.format(python=sys.executable))
    command.chmod(0o755)
    return tmp_path


def shell(script: str, folder: Path, root: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PATH": f"{folder / 'bin'}:{os.environ['PATH']}", "PYTHONPATH": str(root)}
    return subprocess.run(["bash", "-eu", "-c", script], cwd=folder, env=environment, capture_output=True, text=True)


def test_the_commands_run_as_printed(folder: Path, root: Path) -> None:
    blocks = commands((root / "README.md").read_text())
    if shutil.which("jq") is None:
        blocks = [block for block in blocks if "jq" not in block]
    assert len(blocks) >= 5
    done = shell("\n".join(blocks), folder, root)
    assert done.returncode == 0, done.stderr
    assert "nnkit has a bug" not in done.stderr


def test_the_spec_in_five_minutes_is_the_shipped_one(root: Path) -> None:
    from nnkit.config.document import load_document, parse_document

    text = re.search(r"```yaml\n(name: bank-churn\n.*?)```", (root / "README.md").read_text(), re.DOTALL)
    assert text is not None
    shipped = root / "experiments" / "bank_churn.yaml"
    assert parse_document(text[1], "README.md", shipped.parent).tree == load_document(shipped).tree


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md", "docs/guide.md", "data/README.md"])
def test_links_lead_somewhere(page: str, root: Path) -> None:
    path = root / page
    targets = re.findall(r"\]\((?!https?:|#)([^)#]+)", path.read_text())
    assert [target for target in targets if not (path.parent / target).exists()] == []


def test_every_experiment_is_in_the_table(root: Path) -> None:
    text = (root / "README.md").read_text()
    names = [path.name for path in (root / "experiments").glob("*.yaml")]
    assert [name for name in names if f"(experiments/{name})" not in text] == []


def test_the_example_layer_is_one_file_and_works(root: Path, tmp_path: Path) -> None:
    example = re.search(r'```python\n("""Clamping.*?)```', (root / "README.md").read_text(), re.DOTALL)
    assert example is not None
    (tmp_path / "clamp.py").write_text(example[1])
    environment = {**os.environ, "PYTHONPATH": f"{root}:{tmp_path}"}
    done = subprocess.run(
        [sys.executable, "-c", TRY_LAYER], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout == "(3,) [0.0, 0.5, 1.0]\n"


BROKEN = """\
name: broken
data:
  source: {type: csv, path: rows.csv}
  target: y
  split: {test: 1.2}
  transforms: [{type: onehot}]
model:
  type: network
  layers:
    - {type: dense, unit: 3}
training:
  procedure: {type: supervised, loss: binary_cross_entropy}
  batch_size: 10
  epochs: '50'
"""


def test_mistakes_are_told_as_printed(folder: Path, root: Path) -> None:
    text = (root / "README.md").read_text()
    printed = text.partition("$ nnkit check broken.yaml\n")[2].partition("   ```\n")[0]
    (folder / "broken.yaml").write_text(BROKEN)
    found = shell("nnkit check broken.yaml", folder, root)
    assert found.returncode == 3
    assert found.stderr.splitlines() == [line.strip() for line in printed.splitlines()]
