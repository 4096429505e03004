"""The part of the build that pyproject.toml cannot say: the native engine, left out where no compiler is."""

from pathlib import Path

from setuptools import Extension, setup

FOLDER = Path("nnkit/native")

native = Extension(
    "nnkit._native",
    sources=sorted(map(str, FOLDER.glob("*.c"))),
    depends=sorted(map(str, FOLDER.glob("*.h"))),
    define_macros=[("Py_LIMITED_API", "0x030B0000")],
    py_limited_api=True,
    extra_compile_args=["-std=gnu11", "-O3", "-fno-math-errno", "-fno-trapping-math", "-Wno-psabi"],
    optional=True,
)
setup(ext_modules=[native], options={"bdist_wheel": {"py_limited_api": "cp311"}})
