"""There is one door for each kind of file, and no module of the package has a way in beside them."""

from fnmatch import fnmatchcase
from pathlib import Path

import pytest

from tests.doors import Way, ways

DOORS: dict[str, tuple[str, ...]] = {
    "config/nodes.py": ("yaml", "yaml.parse", "yaml.*Event", "yaml.SafeLoader", "yaml.CSafeLoader"),
    "config/document.py": ("yaml", "yaml.SafeDumper", "yaml.Node", "yaml.dump"),
    "files.py": ("builtins.open", "os.open", ".open"),
    "tensors.py": ("safetensors.SafetensorError", "safetensors.numpy.load", "safetensors.numpy.save"),
    "runs/folder.py": ("shutil.rmtree",),
    "frames/lines.py": ("gzip", "gzip.GzipFile", "bz2", "bz2.BZ2File"),
    "frames/archives.py": ("tarfile", "tarfile.*", "zipfile", "zipfile.*", ".open"),
    "frames/arrays.py": ("numpy.lib.format.read_magic", "numpy.lib.format.read_array_header_?_0"),
    "frames/decoding.py": ("PIL.Image.open",),
    "frames/sounds.py": ("soundfile", "soundfile.SoundFile", "soundfile.SoundFileError"),
    "frames/picture_cache.py": ("numpy.load", ".read_bytes"),
    "data/sources/parquet.py": ("pyarrow", "pyarrow.parquet", "pyarrow.parquet.ParquetFile", "pyarrow.ArrowException"),
    "nn/public.py": ("huggingface_hub",),
    "commands/workers.py": (
        "subprocess",
        "subprocess.Popen",
        "subprocess.PIPE",
        "os.fork",
        "os.fdopen",
        "sys.modules",
    ),
    "config/registry.py": ("importlib.import_module",),
}
"""Which ways in a module may take; docs/security.md says what each of them guards."""

HARMLESS: dict[str, tuple[str, ...]] = {
    "memory.py": (".read_text",),
    "engine/threads.py": (".read_text",),
    "console.py": ("os.open",),
    "frames/pictures.py": ("numpy.memmap",),
    "engine/tuning.py": ("ctypes", "ctypes.CDLL", "getattr(torch.optim.Optimizer, ...)"),
    "activations.py": ("getattr(torch.nn.functional, ...)",),
    "optimizers/__init__.py": ("getattr(torch.optim, ...)",),
    "data/sources/sklearn.py": ("getattr(sklearn.datasets, ...)",),
}
"""What only looks like a way in: the system's own files, a type's name, names that classes of the package give."""

ALLOWED = {module: (*DOORS.get(module, ()), *HARMLESS.get(module, ())) for module in DOORS | HARMLESS}


@pytest.fixture(scope="module")
def found(root: Path) -> dict[str, list[Way]]:
    """Return the ways in of each module of the package."""
    package = root / "nnkit"
    return {path.relative_to(package).as_posix(): ways(path.read_text()) for path in package.rglob("*.py")}


def test_no_module_has_another_way_in(found: dict[str, list[Way]]) -> None:
    assert len(found) > 200
    others = [
        f"nnkit/{module}:{way.line}: {way.kind}: {way.name}"
        for module, all_ways in found.items()
        for way in all_ways
        if not any(fnmatchcase(way.name, pattern) for pattern in ALLOWED.get(module, ()))
    ]
    assert not others, "a way in beside the doors of docs/security.md:\n" + "\n".join(others)


def test_nothing_is_allowed_that_is_not_used(found: dict[str, list[Way]]) -> None:
    unused = [
        f"{module}: {pattern}"
        for module, patterns in ALLOWED.items()
        for pattern in patterns
        if not any(fnmatchcase(way.name, pattern) for way in found[module])
    ]
    assert not unused


def test_the_page_on_security_names_every_door(root: Path) -> None:
    page = (root / "docs" / "security.md").read_text()
    assert not [module for module in DOORS if f"`nnkit/{module}`" not in page]


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("import pickle", "unpickles"),
        ("import pickle as p\np.loads(b'')", "unpickles"),
        ("from cloudpickle import loads", "unpickles"),
        ("def f():\n    import joblib", "unpickles"),
        ("import shelve", "unpickles"),
        ("import marshal", "unpickles"),
        ("import torch\ntorch.load('x')", "unpickles"),
        ("import torch as t\nread = t.load", "unpickles"),
        ("from torch import load as anything", "unpickles"),
        ("import torch\ngetattr(torch, 'load')('x')", "unpickles"),
        ("import torch\ntorch.jit.load('x')", "unpickles"),
        ("import torch.hub", "unpickles"),
        ("import pandas as pd\npd.read_pickle('x')", "unpickles"),
        ("import pandas as pd\npd.read_csv('x')", "unpickles"),
        ("import numpy as np\nnp.load('x')", "reads arrays"),
        ("import numpy as np\nnp.lib.format.read_array(f)", "reads arrays"),
        ("f(x, allow_pickle=True)", "runs code"),
        ("f(x, allow_pickle=flag)", "runs code"),
        ("f(x, trust_remote_code=True)", "runs code"),
        ("f(x, weights_only=True)", "runs code"),
        ("import yaml\nyaml.load(x)", "reads YAML"),
        ("from yaml import unsafe_load", "reads YAML"),
        ("import xml.etree.ElementTree as et", "reads YAML"),
        ("eval('1')", "runs code"),
        ("f = eval", "runs code"),
        ("exec(x)", "runs code"),
        ("compile(x, 'a', 'exec')", "runs code"),
        ("__import__('os')", "runs code"),
        ("__builtins__['eval']", "runs code"),
        ("import builtins\nbuiltins.eval('1')", "runs code"),
        ("import builtins\ngetattr(builtins, name)", "looks a name up"),
        ("import importlib\nimportlib.import_module(x)", "runs code"),
        ("from importlib import import_module as get", "runs code"),
        ("import importlib.util", "runs code"),
        ("import sys\nsys.modules['os'].system", "runs code"),
        ("import runpy", "runs code"),
        ("import ctypes", "runs code"),
        ("import os\nos.system('x')", "runs code"),
        ("from os import popen", "runs code"),
        ("import os\nos.execvp('x', [])", "runs code"),
        ("import os\nget = getattr(os, name)", "looks a name up"),
        ("import subprocess\nsubprocess.run('x', shell=True)", "starts a process"),
        ("run('x', shell=True)", "runs code"),
        ("import tarfile", "opens an archive"),
        ("import zipfile as z", "opens an archive"),
        ("archive.extractall()", "opens an archive"),
        ("import shutil\nshutil.unpack_archive('x')", "opens an archive"),
        ("import gzip", "unpacks"),
        ("import socket", "reaches out"),
        ("from urllib.request import urlopen", "reaches out"),
        ("import urllib.parse", "reaches out"),
        ("import http.client", "reaches out"),
        ("import requests", "reaches out"),
        ("from sklearn.datasets import fetch_openml", "reaches out"),
        ("from PIL import Image\nImage.open('x')", "reads pictures"),
        ("import PIL.Image\nPIL.Image.open('x')", "reads pictures"),
        ("import soundfile as sf", "reads sound"),
        ("import pyarrow.parquet as pq", "reads Parquet"),
        ("from safetensors.torch import load_file", "reads weights"),
        ("open('x')", "reads a file"),
        ("import io\nio.open('x')", "reads a file"),
        ("import os\nos.open('x', os.O_RDONLY)", "reads a file"),
        ("path.open()", "reads a file"),
        ("path.open('rb')", "reads a file"),
        ("path.open(mode='r+')", "reads a file"),
        ("path.open(mode)", "reads a file"),
        ("path.read_bytes()", "reads a file"),
        ("Path('x').read_text()", "reads a file"),
        ("import shutil\nshutil.rmtree('x')", "removes a folder"),
        ("from numpy import *", "imports everything"),
    ],
)
def test_a_way_in_is_found(code: str, kind: str) -> None:
    assert kind in {way.kind for way in ways(code)}


@pytest.mark.parametrize(
    "code",
    [
        "import json\njson.loads('1')",
        "import torch\ntorch.compile(network)",
        "network.eval()",
        "import re\nre.compile('x')",
        "path.open('wb')\npath.open('xb')\npath.open(mode='a')",
        "RunFolder.open(path)",
        "import numpy as np\nnp.asarray([1])",
        "f(x, allow_pickle=False)",
        "getattr(value, name)",
        "from importlib.metadata import version",
        "from torch.nn.utils import clip_grad_norm_",
        "compile: bool = True",
    ],
)
def test_what_is_no_way_in_is_left_alone(code: str) -> None:
    assert not ways(code)


def test_a_way_in_has_its_line() -> None:
    assert ways("x = 1\n\nimport pickle\n") == [Way("unpickles", "pickle", 3)]
