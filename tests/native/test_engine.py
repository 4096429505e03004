"""The native engine in runs: resumed anywhere, on any kernel, by torch where it is missing, and never fooled."""

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nnkit import engines
from nnkit.commands.check import check
from nnkit.commands.train import resume, train
from nnkit.data.dataset import Dataset
from nnkit.engine import native
from nnkit.engine.checkpoint import Checkpoint
from nnkit.engine.phase import Phase
from nnkit.engine.trainer import Stop, Trainer
from nnkit.errors import InterruptError, ResourceError, SpecError
from nnkit.inference import NativeForward, Predictor
from nnkit.procedures.forward import BlockForward
from nnkit.runs.folder import RunFolder
from tests.commands.experiments import write
from tests.engine.toy import FolderStore
from tests.native.experiments import Case, Made, Result, result

KERNEL = native.kernel()
pytestmark = pytest.mark.skipif(KERNEL is None, reason="nnkit was installed without its native engine")

LAYERS: list[dict[str, Any]] = [
    {"type": "dense", "units": 9, "activation": "selu", "l2": 0.01},
    {"type": "alpha_dropout", "rate": 0.2},
    {"type": "dense", "units": 7, "use_bias": False, "max_norm": 1.0},
    {"type": "batch_norm", "momentum": 0.8},
    {"type": "activation", "activation": "tanh"},
    {"type": "dropout", "rate": 0.4},
    {"type": "dense", "units": 1, "activation": "sigmoid"},
]


DEEP: list[dict[str, Any]] = [
    {"type": "repeat", "times": 500, "layers": [{"type": "dense", "units": 2}]},
    {"type": "dense", "units": 1, "activation": "sigmoid"},
]


def case(optimizer: Any = "nadam", **loop: Any) -> Case:
    procedure = {"type": "supervised", "loss": "binary_cross_entropy", "optimizer": optimizer}
    return Case(LAYERS, procedure, {"epochs": 4, "batch_size": 6, **loop}, "binary", 5, 1, 40, 1, True)


def fit(phase: Phase, store: FolderStore, stop_at: int, checkpoint: Checkpoint | None = None) -> bool:
    """Train; the clock asks for a stop at its ``stop_at``-th look. Tells whether the end was reached."""
    stop, looks = Stop(), itertools.count()

    def clock() -> float:
        if next(looks) == stop_at:
            stop.signal_number = 15
        return float(next(looks))

    try:
        Trainer([], store, stop=stop, clock=clock, checkpoint_seconds=1e9).fit([phase], checkpoint)
    except InterruptError:
        return False
    return True


@pytest.fixture
def single_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the engine make one step at a time, so that it can be stopped after each."""
    monkeypatch.setattr(native, "CHUNK_SECONDS", 0.0)


@pytest.mark.usefixtures("single_steps")
@pytest.mark.parametrize(
    "optimizer", ["nadam", {"type": "sgd", "momentum": 0.9}, {"type": "rmsprop", "centered": True}]
)
@pytest.mark.parametrize("accumulate", [1, 2])
def test_resuming_changes_no_bit_and_neither_do_chunks(tmp_path: Path, optimizer: Any, accumulate: int) -> None:
    made = Made.of(case(optimizer, accumulate=accumulate))
    whole, expected = made.phase("native"), FolderStore(tmp_path)
    whole._chunk = 10**6  # type: ignore[attr-defined]
    assert fit(whole, expected, -1)
    stopped = 0
    for stop_at in range(0, 60, 4):
        store, phase = FolderStore(tmp_path), made.phase("native")
        if not fit(phase, store, stop_at):
            stopped += 1
            phase = made.phase("native")
            assert fit(phase, store, -1, Checkpoint.load(store.path))
        for name, array in whole.weights().items():
            np.testing.assert_array_equal(phase.weights()[name], array)
        assert [record["train_loss"] for record in store.history] == [
            record["train_loss"] for record in expected.history
        ]
    assert stopped > 10


@pytest.mark.usefixtures("single_steps")
@pytest.mark.parametrize("optimizer", ["adam", "nadam", "adagrad", {"type": "sgd", "momentum": 0.9}])
@pytest.mark.parametrize(("first", "second"), [("native", "torch"), ("torch", "native")])
def test_one_engine_goes_on_where_the_other_stopped(tmp_path: Path, optimizer: Any, first: str, second: str) -> None:
    made = Made.of(case(optimizer))
    whole, store = made.phase("torch"), FolderStore(tmp_path)
    assert fit(whole, store, -1)
    assert not fit(made.phase(first), store, 14)
    phase = made.phase(second)
    assert fit(phase, store, -1, Checkpoint.load(store.path))
    for name, array in whole.weights().items():
        np.testing.assert_allclose(phase.weights()[name], array, atol=2e-5)


@pytest.mark.parametrize("name", ["base", "avx2", "avx512"])
def test_every_kernel_that_runs_here_computes_the_same(name: str) -> None:
    assert KERNEL is not None
    made = Made.of(case())
    try:
        KERNEL.use(name)
        found: Result = result(made.phase("native"))
    except ValueError:
        pytest.skip(f"this processor does not run {name}")
    finally:
        KERNEL.use(None)
    expected = result(made.phase("torch", "float64"))
    np.testing.assert_allclose(found.losses, expected.losses, atol=1e-5)


def network() -> native.NativeNetwork:
    ops = [native.Op("dense", 2, 3, ("kernel", "bias"), trained=True), native.Op("dropout", 3, 3, constants=(0.5,))]
    return native.NativeNetwork(ops, {"kernel": np.ones((2, 3)), "bias": np.zeros(3)})


def arguments(**changes: Any) -> tuple[Any, ...]:
    """Return what trains two steps of two rows, with changes."""
    net, floats = network(), np.float32
    loss, optimizer = native.Rule("mean_squared_error"), native.Rule("adam", (0, 0.9, 0.99, 1e-8), slots=("a", "b"))
    names = ("layers", "constants", "loss", "optimizer", "clip", "weights", "slots", "clock")
    slots = np.zeros(2 * net.flat.size, floats)
    program = dict(zip(names, net.program(loss, optimizer, np.zeros(2), slots, np.zeros(2)), strict=True))
    data = {
        "x": np.ones((4, 2), floats),
        "y": np.ones((4, 3), floats),
        "row_weights": None,
        "order": np.arange(4),
        "draws": np.full((4, 3), 65535, np.uint16),
        "rates": np.full(2, 0.1),
        "losses": np.empty(2, floats),
        "outputs": np.empty((4, 3), floats),
        "norms": np.empty(len(net.ops)),
    }
    sizes = {"batch": 2, "part": 2}
    for key, value in changes.items():
        next(part for part in (program, data, sizes) if key in part)[key] = value
    return tuple(program.values()), tuple(data.values()), *sizes.values()


def test_arrays_that_do_not_fit_are_refused_before_anything_is_computed() -> None:
    assert KERNEL is not None
    assert KERNEL.train(*arguments()) > 0
    layers = network().layers
    wrong: dict[str, list[Any]] = {
        "layers": [layers[:1], layers[::-1].copy(), layers + 100, np.empty((0, 8), np.int32)],
        "weights": [np.zeros(3, np.float32)],
        "slots": [np.zeros(9, np.float32)],
        "x": [np.ones((3, 2), np.float32)],
        "y": [np.ones((4, 2), np.float32), None],
        "row_weights": [np.ones(3, np.float32)],
        "order": [np.array([0, 1, 2, 4]), np.array([-1, 0, 1, 2]), np.arange(3), None],
        "draws": [np.zeros(11, np.uint16), None],
        "rates": [np.zeros(1)],
        "losses": [np.empty(3, np.float32)],
        "outputs": [np.empty(5, np.float32)],
        "norms": [np.empty(1)],
        "batch": [0, -2, 5],
        "part": [0, 5],
        "loss": [np.full(13, 99.0), np.full(13, np.nan), np.zeros(3)],
        "optimizer": [np.full(13, -1.0), np.zeros(3)],
        "clip": [np.zeros(1)],
        "clock": [np.zeros(1)],
    }
    for name, values in wrong.items():
        for value in values:
            with pytest.raises(ValueError, match=r"the native engine was given .* of the wrong size"):
                KERNEL.train(*arguments(**{name: value}))


def test_classes_out_of_range_are_refused() -> None:
    assert KERNEL is not None
    chosen = np.zeros(13)
    chosen[0] = KERNEL.LOSSES["categorical_cross_entropy"]
    assert KERNEL.train(*arguments(loss=chosen, y=np.array([0, 1, 2, 0]))) > 0
    for bad in ([0, 1, 2, 3], [-1, 0, 0, 0]):
        with pytest.raises(ValueError, match="classes"):
            KERNEL.train(*arguments(loss=chosen, y=np.array(bad)))


@pytest.mark.parametrize(
    ("changes", "engine", "reason"),
    [
        ({}, "native", "it is the faster one"),
        ({"training__engine": "torch"}, "torch", "training.engine asks for it"),
        ({"training__device": "cuda"}, "torch", "it runs on the CPU, and training.device is cuda"),
        ({"training__precision": "float64"}, "torch", "it computes in float32, and training.precision is float64"),
        ({"training__compile": True}, "torch", "training.compile is torch's"),
        ({"training__procedure__optimizer": "muon"}, "torch", "it has no muon"),
        ({"training__batch_size": 100_000}, "torch", "it uses all cores"),
        ({"training__batch_size": 5_000, "model__layers": DEEP}, "native", "up to 25,050,000 it is the faster one"),
        ({"training__batch_size": 100_000, "model__layers": DEEP}, "torch", "above 25,050,000 it uses all cores"),
        ({"training__batch_size": 100_000, "training__engine": "native"}, "native", "training.engine asks for it"),
    ],
)
def test_check_says_which_engine_and_why(tmp_path: Path, changes: dict[str, Any], engine: str, reason: str) -> None:
    report = check(write(tmp_path, **changes))
    assert report.engine == engine
    assert reason in report.engine_reason


@pytest.mark.parametrize(
    ("layer", "reason"),
    [
        ({"type": "noise", "stddev": 0.1}, "it has no noise, as the layer noise_1 is"),
        ({"type": "add", "inputs": ["a", "a"]}, "it has no graphs, and the layer add_1 reads a and a"),
        ({"type": "reshape", "shape": [4, 2]}, "it takes rows of numbers, and the layer reshape_1 has more than one"),
    ],
)
def test_what_the_engine_lacks_is_torchs_or_an_error_that_says_so(
    tmp_path: Path, layer: dict[str, Any], reason: str
) -> None:
    below = [{"type": "flatten"}] if layer["type"] == "reshape" else []
    layers = [{"type": "dense", "units": 8, "name": "a"}, layer, *below, LAYERS[-1]]
    assert reason in check(write(tmp_path, model__layers=layers)).engine_reason
    with pytest.raises(SpecError, match=f"training.engine: the native engine cannot train this: .*{reason}.*auto"):
        check(write(tmp_path, model__layers=layers, training__engine="native"))


def test_without_the_compiled_part_torch_does_everything(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path)
    run = train(path, out=tmp_path / "runs")
    folder = RunFolder.open(run)
    assert folder.manifest.engine == "native"
    rows = np.random.default_rng(0).normal(size=(20, 5)).astype(np.float32)
    made = Predictor(folder)
    assert isinstance(made._network, NativeForward)

    expected = made.outputs(Dataset({"input": rows}, np.arange(20)))
    for module in (native, engines):
        monkeypatch.setattr(module, "kernel" if module is native else "built", lambda: None)
    other = Predictor(RunFolder.open(run))
    assert isinstance(other._network, BlockForward)
    np.testing.assert_allclose(other.outputs(Dataset({"input": rows}, np.arange(20))), expected, atol=1e-6)
    assert "missing: nnkit was installed without it: install a C compiler" in check(path).engine_reason
    with pytest.raises(ResourceError, match=r"training\.engine: native: nnkit was installed without it"):
        check(write(tmp_path, training__engine="native"))


def test_a_manifest_that_claims_the_native_engine_is_not_taken_at_its_word(tmp_path: Path) -> None:
    layers = [{"type": "dense", "units": 8}, {"type": "noise", "stddev": 0.1}, LAYERS[-1]]
    run = train(write(tmp_path, model__layers=layers), out=tmp_path / "runs")
    expected = (run / "predictions.csv").read_bytes()
    folder = RunFolder.open(run)
    assert folder.manifest.engine == "torch"
    manifest = run / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"engine": "torch"', '"engine": "native"'))
    assert isinstance(Predictor(RunFolder.open(run))._network, BlockForward)
    manifest.write_text(manifest.read_text().replace('"status": "finished"', '"status": "running"'))
    assert resume(run) == run
    assert (run / "predictions.csv").read_bytes() == expected


def test_a_row_predicts_the_same_alone_and_among_others(tmp_path: Path) -> None:
    folder = RunFolder.open(train(write(tmp_path), out=tmp_path / "runs"))
    predictor = Predictor(folder)

    rows = np.random.default_rng(0).normal(size=(77, 5)).astype(np.float32)
    together = predictor.outputs(Dataset({"input": rows}, np.arange(77)))
    for number in range(77):
        alone = predictor.outputs(Dataset({"input": rows[number : number + 1]}, np.arange(1)))
        assert alone[0] == together[number]
