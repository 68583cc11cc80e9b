"""Training in several processes, each with its part of every batch.

``python -m paddle.distributed.launch`` starts them. The first, that of rank 0, writes the run's
folder and speaks; the others compute the same. Without the launcher there is one process, the
first.
"""

from __future__ import annotations

import itertools
import json
import time
from typing import Any, Callable, Sequence, TypeVar
from weakref import WeakKeyDictionary

import numpy as np
import paddle
import paddle.distributed as dist
from paddle import nn

from paddle_oct.base.private import gradient_reducer, norm_settings, process_store

T = TypeVar("T")

_NORMS = (nn.BatchNorm, nn.BatchNorm1D, nn.BatchNorm2D, nn.BatchNorm3D, nn.SyncBatchNorm)


# Every process counts alike.
_MEETINGS = itertools.count()
# As long as a network lives, see ``gradient_reducer``.
_REDUCERS: WeakKeyDictionary[nn.Layer, list[Any]] = WeakKeyDictionary()


def count_processes() -> int:
    """Return how many processes train together."""
    return dist.get_world_size()


def is_first_process() -> bool:
    """Whether this is the process that writes and speaks."""
    return dist.get_rank() == 0


def join_processes() -> None:
    """Connect this process with the others; each takes the device that the launcher gave it."""
    if count_processes() > 1 and not dist.is_initialized():
        dist.init_parallel_env()


def from_first_process(function: Callable[[], T]) -> T:
    """Call a function in the first process alone, and return its result in all of them.

    Every process must call this.

    Args:
        function: its result must be what JSON can hold.

    Raises:
        ValueError: in the other processes, with the message of any exception that the function
            raises in the first.
    """
    if count_processes() == 1:
        return function()
    join_processes()
    answer, error = "", None
    if is_first_process():
        try:
            answer = json.dumps([None, function()])
        except Exception as raised:  # the others wait for an answer in any case
            error, answer = raised, json.dumps([str(raised), None])
    message, result = json.loads(_meet(answer))
    if error is not None:
        raise error
    if message is not None:
        raise ValueError(message)
    return result


def wait_for_processes() -> None:
    """Wait until all processes have come here, for half an hour or ``PADDLE_PG_TIMEOUT`` ms.

    Raises:
        RuntimeError: they did not; the launcher ends all if one fails, but only on its machine.
    """
    if count_processes() > 1:
        join_processes()
        _meet("")


def _meet(said: str) -> str:
    """Wait until all processes have come here, and return what the first has said."""
    store, number = process_store(), next(_MEETINGS)
    said_key, come, gone = (f"paddle_oct/{number}/{what}" for what in ("said", "come", "gone"))

    def wait(key: str, processes: int) -> None:
        pause, last = 0.001, time.monotonic() + dist.ParallelEnv().pg_timeout / 1000
        while store.add(key, 0) < processes:
            if time.monotonic() > last:
                raise RuntimeError("another process did not come; see its log/workerlog.N")
            time.sleep(pause)
            pause = min(1.5 * pause, 0.05)

    if is_first_process():
        store.set(said_key, said)
    store.add(come, 1)
    wait(come, count_processes())
    heard = store.get(said_key).decode()
    if is_first_process():
        wait(gone, count_processes() - 1)  # the store ends with this process
    else:
        store.add(gone, 1)
    return heard


def sum_over_processes(values: Sequence[float]) -> list[float]:
    """Return the sums of some numbers over all processes, in double precision.

    Every process must call this, with as many numbers.
    """
    sums = paddle.to_tensor(np.asarray(values, "float64"))
    if count_processes() > 1:
        wait_for_processes()
        dist.all_reduce(sums)
    return [float(value) for value in sums.numpy()]


def allow_further_training(model: paddle.Model) -> None:
    """Let the network of a model be trained again by another model, in several processes."""
    _REDUCERS.setdefault(model.network, []).append(gradient_reducer(model))


def average_statistics(network: nn.Layer) -> None:
    """Set the running statistics of a network's batch norms to their means over all processes.

    Paddle leaves them different in every process, as each sees images of its own. All else that is
    not trained becomes what it is in the first process. Every process must call this.
    """
    if count_processes() == 1:
        return
    wait_for_processes()
    norms = [layer for layer in network.sublayers(include_self=True) if isinstance(layer, _NORMS)]
    settings = [norm_settings(norm) for norm in norms]
    averaged = {
        id(tensor): tensor
        for own in settings
        if not own.frozen
        for tensor in (own.mean, own.variance)
    }
    with paddle.no_grad():
        for tensor in averaged.values():
            mean = tensor.clone()
            dist.all_reduce(mean)
            tensor.set_value(mean / count_processes())
        for tensor in (*network.parameters(), *network.buffers()):
            if tensor.stop_gradient and id(tensor) not in averaged:
                dist.broadcast(tensor, src=0)
