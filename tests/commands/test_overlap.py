import threading
from typing import NoReturn

import pytest

from nnkit.commands.overlap import Overlap
from nnkit.errors import DataError


def test_the_first_item_is_worked_on_at_once_and_the_others_on_a_thread_in_order() -> None:
    done: list[tuple[int, bool]] = []
    here = threading.current_thread()
    with Overlap[int](lambda item: done.append((item, threading.current_thread() is here))) as overlap:
        overlap.give(0)
        assert done == [(0, True)]
        for item in range(1, 50):
            overlap.give(item)
    assert done == [(item, item == 0) for item in range(50)]


def test_what_was_given_before_a_mistake_is_worked_on() -> None:
    done: list[int] = []
    started = threading.Event()

    def work(item: int) -> None:
        if item:
            started.wait()
        done.append(item)

    def give() -> NoReturn:
        with Overlap(work) as overlap:
            for item in range(3):
                overlap.give(item)
            started.set()
            raise DataError("row 4")

    with pytest.raises(DataError, match="row 4"):
        give()
    assert done == [0, 1, 2]


@pytest.mark.parametrize("last", [1, 2, 100])
def test_a_failure_of_the_work_is_raised_to_the_giver_and_ends_it(last: int) -> None:
    done: list[int] = []

    def work(item: int) -> None:
        done.append(item)
        if item == 1:
            raise BrokenPipeError("closed")

    def give() -> None:
        with Overlap(work) as overlap:
            for item in range(last + 1):
                overlap.give(item)
            raise DataError("a later row")

    with pytest.raises(BrokenPipeError, match="closed"):
        give()
    assert done == [0, 1]


def test_a_failure_at_the_first_item() -> None:
    def work(item: int) -> NoReturn:
        raise ValueError(str(item))

    with pytest.raises(ValueError, match="7"), Overlap(work) as overlap:
        overlap.give(7)
