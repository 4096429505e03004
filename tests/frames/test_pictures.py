from pathlib import Path

import numpy as np
import pytest

from nnkit.frames.kinds import Spelling, infer, typed
from nnkit.frames.pictures import Pictures
from nnkit.frames.table import Column, Raw, join

STORE = np.random.default_rng(1).integers(0, 256, (6, 2, 3, 1), dtype=np.uint8)


@pytest.mark.parametrize("mapped", [False, True])
def test_rows_are_taken_without_copies_and_read_where_they_are_named(tmp_path: Path, mapped: bool) -> None:
    np.save(tmp_path / "s.npy", STORE)
    store = np.load(tmp_path / "s.npy", mmap_mode="r") if mapped else STORE
    some = Pictures(store).take(np.array([5, 0, 3]))
    again = some.take(np.array([2, 0]))
    assert some.store is store
    assert again.store is store
    assert (again.shape, len(again), again.nbytes) == ((2, 2, 3, 1), 2, 12)
    for found, wanted in (
        (Pictures(store)[1:3], STORE[1:3]),
        (some[np.array([1, 1], dtype=np.int64)], STORE[[0, 0]]),
        (again[:], STORE[[3, 5]]),
        (np.asarray(some), STORE[[5, 0, 3]]),
    ):
        assert type(found) is np.ndarray
        assert found.dtype == np.uint8
        assert np.array_equal(found, wanted)


def test_numbers_are_from_0_to_1() -> None:
    numbers = Column(Pictures(STORE), "image").numbers
    assert numbers.dtype == np.float32
    np.testing.assert_allclose(numbers, STORE / 255, rtol=1e-6)


def test_kinds() -> None:
    assert infer(STORE, Spelling()) == "image"
    assert infer(Pictures(STORE), Spelling()) == "image"
    assert infer(STORE.astype(np.int16), Spelling()) == "array"
    assert infer(STORE[..., 0], Spelling()) == "array"
    column = Column(typed(STORE, "image", Spelling()).values, "image")
    assert column.values.store is STORE
    assert column.gaps.tolist() == [False] * 6
    assert np.array_equal(column.take(np.array([2])).values[:], STORE[[2]])


def test_parts_are_put_together() -> None:
    parts = [Raw({"image": STORE[:4]}, [1, 2, 3, 4]), Raw({"image": Pictures(STORE[4:])}, [5, 6])]
    assert np.array_equal(join(parts).cells["image"], STORE)
    assert join(parts[:1]).cells["image"] is parts[0].cells["image"]
