"""Doing many things that wait for others at once, with their results in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

_Input = TypeVar("_Input")
_Output = TypeVar("_Output")


def in_order(
    act: Callable[[_Input], _Output], inputs: Iterable[_Input], at_once: int
) -> Iterator[tuple[_Input, _Output]]:
    """Yield inputs with what a function makes of them, in order, some of them made ahead in threads.

    Args:
        act: the function.
        inputs: read no further than a few times `at_once` ahead.
        at_once: how many are made at once; 1 for no threads.
    """
    if at_once == 1:
        for value in inputs:
            yield value, act(value)
        return
    pool = ThreadPoolExecutor(at_once)
    try:
        ahead: deque[tuple[_Input, Future[_Output]]] = deque()
        for value in inputs:
            ahead.append((value, pool.submit(act, value)))
            if len(ahead) > 4 * at_once:
                done, future = ahead.popleft()
                yield done, future.result()
        while ahead:
            done, future = ahead.popleft()
            yield done, future.result()
    finally:
        pool.shutdown(cancel_futures=True)  # After a failure, or where the caller takes no more.
