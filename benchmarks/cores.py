"""How far apart two cores are: the time to hand a cache line from one to the other.

    python benchmarks/cores.py            # ten measurements, a second apart

Two cores that share a cache pass it on in some 50 ns, others need several times that. On a virtual
machine this changes from one second to the next, as its host moves the virtual cores, and so does
the speed of a network that two threads compute together. Needs Linux and a C compiler.
"""

from __future__ import annotations

import ctypes
import functools
import os
import subprocess
import tempfile
import time
from pathlib import Path

SOURCE = r"""
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <time.h>

static _Alignas(128) atomic_int turn;
static int rounds, cores[2];

static void stay_on(int core) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(core, &set);
    pthread_setaffinity_np(pthread_self(), sizeof set, &set);
}

static void *play(void *argument) {
    int me = *(int *)argument;
    stay_on(cores[me]);
    for (int i = 0; i < rounds; i++) {
        while (atomic_load_explicit(&turn, memory_order_acquire) != 2 * i + me) {}
        atomic_store_explicit(&turn, 2 * i + me + 1, memory_order_release);
    }
    return 0;
}

double handover(int a, int b, int n) {
    int players[2] = {0, 1};
    pthread_t threads[2];
    struct timespec start, end;
    cores[0] = a, cores[1] = b, rounds = n;
    atomic_store(&turn, 0);
    clock_gettime(CLOCK_MONOTONIC, &start);
    for (int i = 0; i < 2; i++) pthread_create(&threads[i], 0, play, &players[i]);
    for (int i = 0; i < 2; i++) pthread_join(threads[i], 0);
    clock_gettime(CLOCK_MONOTONIC, &end);
    return ((end.tv_sec - start.tv_sec) * 1e9 + end.tv_nsec - start.tv_nsec) / (2.0 * n);
}
"""
NEAR, FAR = 120, 300  # upper bounds in ns; above, the cores are busy with something else
PAUSE = 0.3  # s; after a run, Paddle's threads wait for the next one in a busy loop for 0.2 s


def state(ns):
    """Return the state of the cores, given the time of a handover in ns."""
    return "near" if ns <= NEAR else "far" if ns <= FAR else "disturbed"


@functools.lru_cache
def _handover():
    with tempfile.TemporaryDirectory() as folder:
        source, library = Path(folder, "cores.c"), Path(folder, "cores.so")
        source.write_text(SOURCE)
        command = ["cc", "-O2", "-shared", "-fPIC", "-o", library, source, "-lpthread"]
        subprocess.run(command, check=True)
        function = ctypes.CDLL(str(library)).handover
    function.restype = ctypes.c_double
    return function


def handover_ns(rounds=20_000):
    """Return how long it takes to hand a cache line between the first two cores, in ns."""
    a, b = sorted(os.sched_getaffinity(0))[:2]
    return _handover()(a, b, rounds)


def main():
    for _ in range(10):
        ns = handover_ns()
        print(f"{ns:.0f} ns, {state(ns)}", flush=True)
        time.sleep(1)


if __name__ == "__main__":
    main()
