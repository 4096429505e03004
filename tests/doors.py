"""The ways into a program: which of them Python code takes, found in its syntax tree without running it."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass

RUNS_CODE = {
    "builtins.eval",
    "builtins.exec",
    "builtins.compile",
    "builtins.__import__",
    "builtins.__builtins__",
    "builtins.breakpoint",
    "sys.modules",
    "os.system",
    "os.popen",
    "os.exec*",
    "os.spawn*",
    "os.posix_spawn*",
    "pty",
    "code",
    "codeop",
    "runpy",
    "imp",
    "zipimport",
    "pydoc",
    "timeit",
    "logging.config",
    "importlib.util",
    "importlib.machinery",
    "importlib.import_module",
    "importlib.reload",
    "importlib.__import__",
    "ctypes",
    "cffi",
    "torch.utils.cpp_extension",
}
UNPICKLES = {
    "pickle",
    "_pickle",
    "cPickle",
    "pickletools",
    "copyreg",
    "dill",
    "cloudpickle",
    "joblib",
    "marshal",
    "shelve",
    "dbm",
    "multiprocessing",
    "h5py",
    "torch.load",
    "torch.save",
    "torch.jit",
    "torch.hub",
    "torch.package",
    "torch.export",
    "torch.serialization",
    "torch.multiprocessing",
    "torch.utils.data",
    "pandas.read_*",
    "pandas.io",
    "pandas.HDFStore",
    "sklearn.externals",
}
READS_ARRAYS = {
    "numpy.load",
    "numpy.save",
    "numpy.savez",
    "numpy.loadtxt",
    "numpy.genfromtxt",
    "numpy.fromfile",
    "numpy.fromregex",
    "numpy.memmap",
    "numpy.lib.npyio",
    "numpy.lib.format.read_*",
    "numpy.lib.format.open_memmap",
    "numpy.ctypeslib",
    "scipy.io",
}
REACHES_OUT = {
    "socket",
    "socketserver",
    "ssl",
    "asyncio",
    "urllib",
    "http",
    "httpx",
    "requests",
    "urllib3",
    "aiohttp",
    "ftplib",
    "smtplib",
    "imaplib",
    "poplib",
    "telnetlib",
    "xmlrpc",
    "webbrowser",
    "huggingface_hub",
    "datasets",
    "transformers",
    "wandb",
    "mlflow",
    "sklearn.datasets.fetch_*",
    "torch.distributed",
}
KINDS = {
    "runs code": RUNS_CODE,
    "unpickles": UNPICKLES,
    "reads arrays": READS_ARRAYS,
    "reaches out": REACHES_OUT,
    "starts a process": {"subprocess", "os.fork*", "pexpect", "sh"},
    "opens an archive": {"tarfile", "zipfile", "lzma", "py7zr", "rarfile", "shutil.unpack_archive"},
    "unpacks": {"gzip", "bz2", "brotli", "zstandard"},
    "reads YAML": {"yaml", "ruamel", "tomllib", "configparser", "xml", "lxml"},
    "reads Parquet": {"pyarrow", "fastparquet"},
    "reads weights": {"safetensors"},
    "reads pictures": {"PIL.Image.open", "PIL.ImageFile", "cv2", "imageio", "matplotlib.image", "torchvision.io"},
    "reads sound": {"soundfile", "wave", "audioread", "librosa", "torchaudio", "aifc", "sunau"},
    "reads a file": {
        "builtins.open",
        "io.open",
        "os.open",
        "os.fdopen",
        "codecs.open",
        "mmap",
        "fileinput",
    },
    "removes a folder": {"shutil.rmtree", "os.removedirs"},
}
METHODS = {"read_bytes": "reads a file", "read_text": "reads a file", "extractall": "opens an archive"}
"""Methods that are a way in whatever they are called on."""
PLAIN = {"torch.nn.utils", "yaml.YAMLError"}


@dataclass(frozen=True)
class Way:
    """A way in: the kind, the name that the code uses, and its line."""

    kind: str
    name: str
    line: int


def ways(code: str) -> list[Way]:
    """Return the ways in that Python code takes, in the order of their lines."""
    found = _Walker().walk(ast.parse(code))
    return sorted(set(found), key=lambda way: (way.line, way.name))


def _matches(name: str, pattern: str) -> bool:
    if pattern.endswith("*"):
        return name.startswith(pattern[:-1])
    return name == pattern or name.startswith(f"{pattern}.")


def _kind(name: str) -> str | None:
    if any(_matches(name, plain) for plain in PLAIN):
        return None
    return next((kind for kind, names in KINDS.items() if any(_matches(name, pattern) for pattern in names)), None)


class _Walker:
    """Knows by which names the code calls modules and what is in them."""

    def __init__(self) -> None:
        self.names: dict[str, str] = {}

    def walk(self, tree: ast.AST) -> Iterator[Way]:
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                yield from self._import(node)
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                yield from self._import_from(node)
        for node in ast.walk(tree):
            yield from self._use(node)

    def _import(self, node: ast.Import) -> Iterator[Way]:
        for alias in node.names:
            self.names[alias.asname or alias.name.split(".")[0]] = (
                alias.name if alias.asname else alias.name.split(".")[0]
            )
            yield from self._way(alias.name, node)

    def _import_from(self, node: ast.ImportFrom) -> Iterator[Way]:
        for alias in node.names:
            name = f"{node.module}.{alias.name}"
            self.names[alias.asname or alias.name] = name
            yield from self._way(name, node)
            if alias.name == "*" and not str(node.module).startswith("nnkit"):
                yield Way("imports everything", name, node.lineno)

    def _use(self, node: ast.AST) -> Iterator[Way]:
        if isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, ast.Load) and (name := self._name(node)):
            yield from self._way(name, node)
        if isinstance(node, ast.Attribute) and node.attr in METHODS:
            yield Way(METHODS[node.attr], f".{node.attr}", node.lineno)
        if isinstance(node, ast.Call):
            yield from self._call(node)

    def _call(self, node: ast.Call) -> Iterator[Way]:
        called = node.func
        if isinstance(called, ast.Name) and called.id in ("getattr", "vars") and node.args:
            yield from self._looked_up(node)
        if isinstance(called, ast.Attribute) and called.attr == "open" and self._name(called) is None:
            yield from self._opened(node, called)
        for keyword in node.keywords:
            plain = isinstance(keyword.value, ast.Constant) and keyword.value.value is False
            if keyword.arg in ("shell", "allow_pickle", "trust_remote_code", "weights_only") and not plain:
                yield Way("runs code", f"{keyword.arg}=", node.lineno)

    def _looked_up(self, node: ast.Call) -> Iterator[Way]:
        """Find what is taken out of a module by a text: a way in if that is one, or if nobody can say."""
        module = self._name(node.args[0]) if isinstance(node.args[0], ast.Name | ast.Attribute) else None
        if module is None:
            return
        name = node.args[1] if len(node.args) > 1 else None
        if isinstance(name, ast.Constant):
            yield from self._way(f"{module}.{name.value!s}", node)
        elif module.split(".")[0] in MODULES_BY_TEXT or "builtins" in module:
            yield Way("looks a name up", f"getattr({module}, ...)", node.lineno)

    def _opened(self, node: ast.Call, called: ast.Attribute) -> Iterator[Way]:
        """Find ``path.open(...)`` for reading."""
        if isinstance(called.value, ast.Name) and called.value.id == "RunFolder":
            return
        given = [*node.args[:1], *(keyword.value for keyword in node.keywords if keyword.arg == "mode")]
        mode = given[0].value if given and isinstance(given[0], ast.Constant) else "r"
        if not isinstance(mode, str) or not set(mode) & set("wax") or "+" in mode:
            yield Way("reads a file", ".open", node.lineno)

    def _way(self, name: str, node: ast.AST) -> Iterator[Way]:
        if kind := _kind(name):
            yield Way(kind, name, getattr(node, "lineno", 0))

    def _name(self, node: ast.expr) -> str | None:
        """Return the full name of what an expression means, if that begins with an import or is a builtin."""
        if isinstance(node, ast.Name):
            return self.names.get(node.id) or (f"builtins.{node.id}" if node.id in BUILTINS else None)
        if isinstance(node, ast.Attribute):
            inner = self._name(node.value)
            return f"{inner}.{node.attr}" if inner else None
        return None


BUILTINS = {"eval", "exec", "compile", "__import__", "__builtins__", "breakpoint", "open", "builtins"}
MODULES_BY_TEXT = {"torch", "numpy", "os", "sys", "importlib", "pandas", "sklearn", "yaml", "shutil", "io"}
