"""Call a function on many inputs in threads, and yield the results in order."""

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
    """Yield each input with the function's result for it, in order; threads work a few inputs ahead.

    (`Executor.map(buffersize=…)` of Python 3.14 does the same.)

    Args:
        act: the function.
        inputs: read no further ahead than a few times `at_once`.
        at_once: how many calls run at once; 1 for no threads.
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
        pool.shutdown(cancel_futures=True)  # After a failure, or when the caller stops early.
