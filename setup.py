"""The part of the build that pyproject.toml cannot say: what is compiled, left out where no compiler is."""

import sys

from setuptools import Extension, setup

text = Extension(
    "nnkit._text",
    sources=["nnkit/native/text.cpp"],
    define_macros=[("Py_LIMITED_API", "0x030B0000")],
    py_limited_api=True,
    extra_compile_args=["/std:c++17", "/O2"]
    if sys.platform == "win32"
    else ["-std=c++17", "-O2", "-fvisibility=hidden"],
    optional=True,
)
setup(ext_modules=[text], options={"bdist_wheel": {"py_limited_api": "cp311"}})
