"""The compiled parts, which nnkit can do without: where there is no compiler, it is only slower."""

import sys

from setuptools import Extension, setup

FLAGS = ["/std:c++17", "/O2"] if sys.platform == "win32" else ["-std=c++17", "-O2", "-fvisibility=hidden"]

setup(
    ext_modules=[
        Extension(
            "nnkit.frames._text",
            ["nnkit/frames/_text.cpp"],
            extra_compile_args=FLAGS,
            py_limited_api=True,
            optional=True,
        )
    ],
    options={"bdist_wheel": {"py_limited_api": "cp311"}},
)
