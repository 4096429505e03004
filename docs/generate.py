"""Write the reference pages and the JSON Schema again: ``python docs/generate.py``."""

import json
from pathlib import Path

from nnkit.commands.catalog import schema
from nnkit.config.pages import pages
from nnkit.families import FAMILIES
from nnkit.spec import Experiment

HERE = Path(__file__).resolve().parent


def texts() -> dict[Path, str]:
    """Return what every generated file must hold."""
    made = {HERE / "reference" / name: text for name, text in pages(Experiment, FAMILIES).items()}
    return {**made, HERE / "spec.schema.json": json.dumps(schema(), indent=1, ensure_ascii=False) + "\n"}


def main() -> None:
    """Write the files, and remove pages of families that are no more."""
    wanted = texts()
    for path in (HERE / "reference").glob("*.md"):
        if path not in wanted:
            path.unlink()
    for path, text in wanted.items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
