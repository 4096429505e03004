"""Overlapping: work on one thing while the next is being made."""

from collections.abc import Callable
from queue import Queue
from threading import Thread
from types import TracebackType
from typing import Generic, Self, TypeVar

Item = TypeVar("Item")
DEPTH = 2
"""Items that may wait: enough for neither side to stand still, and few, since they are in memory."""


class Overlap(Generic[Item]):
    """Calls ``work`` with each item in order: with the first at once, with the others on a thread of its own.

    So what is small needs no thread. An exception of ``work`` is raised when the next item is given, or at the end;
    where it is an exception of the giver that ends the work, all items given before are worked on first.
    """

    def __init__(self, work: Callable[[Item], None]) -> None:
        self._work = work
        self._items: Queue[Item | None] = Queue(DEPTH)
        self._thread: Thread | None = None
        self._is_first = True
        self._fault: BaseException | None = None

    def give(self, item: Item) -> None:
        """Work on an item, sooner or later; waits where too many wait already."""
        if self._is_first:
            self._is_first = False
            self._work(item)
            return
        if self._thread is None:
            self._thread = Thread(target=self._run, name="nnkit worker", daemon=True)
            self._thread.start()
        if self._fault is not None:
            raise self._fault
        self._items.put(item)

    def _run(self) -> None:
        while (item := self._items.get()) is not None:
            if self._fault is None:
                try:
                    self._work(item)
                except BaseException as fault:  # noqa: BLE001 - it is raised where the items come from
                    self._fault = fault

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._thread is not None:
            self._items.put(None)
            self._thread.join()
            if self._fault is not None and self._fault is not error:
                raise self._fault
