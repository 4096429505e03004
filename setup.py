"""The part of the build that pyproject.toml cannot say: what is compiled, left out where no compiler is."""

import sys
from pathlib import Path

from setuptools import Extension, setup

KERNEL = Path("nnkit/native")
STABLE = {"py_limited_api": True, "optional": True, "define_macros": [("Py_LIMITED_API", "0x030B0000")]}
TEXT_FLAGS = ["/std:c++17", "/O2"] if sys.platform == "win32" else ["-std=c++17", "-O2", "-fvisibility=hidden"]

kernel = Extension(
    "nnkit._native",
    sources=sorted(map(str, KERNEL.glob("*.c"))),
    depends=sorted(map(str, KERNEL.glob("*.h"))),
    extra_compile_args=[
        "-std=gnu11",
        "-O3",
        "-fno-math-errno",
        "-fno-trapping-math",
        "-fvisibility=hidden",
        "-Wno-psabi",
    ],
    **STABLE,
)
text = Extension("nnkit._text", ["nnkit/native/text.cpp"], extra_compile_args=TEXT_FLAGS, **STABLE)

setup(ext_modules=[kernel, text], options={"bdist_wheel": {"py_limited_api": "cp311"}})
