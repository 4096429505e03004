"""The compiled parts, which nnkit can do without: where there is no compiler, it is only slower."""

import sys
from pathlib import Path

from setuptools import Extension, setup

KERNEL = Path("nnkit/native")
STABLE = {"py_limited_api": True, "optional": True}
TEXT_FLAGS = ["/std:c++17", "/O2"] if sys.platform == "win32" else ["-std=c++17", "-O2", "-fvisibility=hidden"]

kernel = Extension(
    "nnkit._native",
    sources=sorted(map(str, KERNEL.glob("*.c"))),
    depends=sorted(map(str, KERNEL.glob("*.h"))),
    define_macros=[("Py_LIMITED_API", "0x030B0000")],
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
text = Extension("nnkit.frames._text", ["nnkit/frames/_text.cpp"], extra_compile_args=TEXT_FLAGS, **STABLE)

setup(ext_modules=[kernel, text], options={"bdist_wheel": {"py_limited_api": "cp311"}})
