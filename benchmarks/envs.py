"""Virtual environments of the peers, made once from the files in requirements/."""

import json
import subprocess
import sys
import venv
from importlib import metadata

from benchmarks.settings import ENVS, HERE, python

SHOWN = ("torch", "numpy", "pandas", "pyarrow", "polars", "scikit-learn", "matplotlib", "safetensors", "typer")
NNKIT = "nnkit"


def names() -> list[str]:
    """Return the environments that there can be."""
    return sorted(path.stem for path in (HERE / "requirements").glob("*.txt"))


def ready(name: str) -> None:
    """Make an environment unless it is there with the same requirements; raises ``CalledProcessError`` from pip."""
    wanted = (HERE / "requirements" / f"{name}.txt").read_text(encoding="utf-8")
    done = ENVS / name / "installed.txt"
    if done.exists() and done.read_text(encoding="utf-8") == wanted:
        return
    print(f"setting up {name}: this takes minutes", file=sys.stderr)
    venv.create(ENVS / name, with_pip=True)
    requirements = str(HERE / "requirements" / f"{name}.txt")
    subprocess.run([python(name), "-m", "pip", "install", "--quiet", "-r", requirements], check=True)
    done.write_text(wanted, encoding="utf-8")


def versions(name: str) -> dict[str, str]:
    """Return the versions of an environment's packages: all that its requirements name, or of nnkit's what matters."""
    if name == NNKIT:
        found = {item.name: item.version for item in metadata.distributions()}
        return {key: found[key] for key in (NNKIT, *SHOWN) if key in found}
    listing = [python(name), "-m", "pip", "list", "--format", "json"]
    packages = json.loads(subprocess.run(listing, check=True, capture_output=True, text=True).stdout)
    lines = (HERE / "requirements" / f"{name}.txt").read_text(encoding="utf-8").splitlines()
    wanted = {line.partition("==")[0] for line in lines if "==" in line}
    return {package["name"]: package["version"] for package in packages if package["name"] in wanted}


def same_torch(found: dict[str, dict[str, str]]) -> str | None:
    """Return why the environments are not to be compared: more than one version of torch among them; else None."""
    releases = {name: packages["torch"] for name, packages in found.items() if "torch" in packages}
    if len(set(releases.values())) < 2:
        return None
    listed = ", ".join(f"{name} {release}" for name, release in releases.items())
    return (
        f"expected one version of torch, found {listed}; change requirements/torch.txt or install nnkit's torch again"
    )
