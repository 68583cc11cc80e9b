"""Races of two networks under several conditions."""

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
        engines: names of ``RACE_ENGINES``.
        threads: how many each network may use.
        batch_sizes: images in a batch.
        alphas: of both networks where they have one.
        image_size: height and width of the images.

    Returns:
        An iterator that runs each race when its result is asked for: engine by engine, and in these
        by threads, batch size and alpha.

    Raises:
        ValueError: an engine is unknown or not installed; this at once. Or as :func:`race`.
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
