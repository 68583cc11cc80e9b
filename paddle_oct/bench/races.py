"""Races of two networks under several conditions: engines, threads, batch sizes, alphas."""

from __future__ import annotations

import itertools
from typing import Iterator, Sequence

from .race import RaceResult, check_engine, race


def races(
    model: str,
    against: str,
    engines: Sequence[str],
    *,
    threads: Sequence[int] = (2,),
    batch_sizes: Sequence[int] = (1,),
    alphas: Sequence[float] = (0.5,),
    image_size: int = 224,
    repeats: int = 20,
) -> Iterator[RaceResult]:
    """Race a network against another under every combination of the conditions.

    Args:
        model, against, repeats: as in :func:`race`.
        engines: names in ``RACE_ENGINES``.
        threads: numbers of threads that each network may use.
        batch_sizes: numbers of images in a batch.
        alphas: the alphas of ``model``, if it has one.
        image_size: height and width of the images.

    Returns:
        An iterator that runs each race when its result is asked for, in the order of engines,
        threads, batch sizes and alphas.

    Raises:
        ValueError: an engine is unknown or not installed (raised at once); or as :func:`race`.
    """
    for engine in engines:
        check_engine(engine)
    return (
        race(
            model,
            against,
            engine,
            alpha,
            input_size=(batch, 3, image_size, image_size),
            threads=count,
            repeats=repeats,
        )
        for engine, count, batch, alpha in itertools.product(engines, threads, batch_sizes, alphas)
    )
