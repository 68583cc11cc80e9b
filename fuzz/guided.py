"""Let a coverage-guided fuzzer feed a reader: it keeps the inputs that reach new code.

    pip install atheris
    python fuzz/guided.py pdparams -runs=100000 -timeout=5 -rss_limit_mb=1500 -max_len=4096

What follows the target's name are options of libFuzzer. It begins with 300 inputs of the target.
"""

from __future__ import annotations

import random
import sys
import tempfile
from pathlib import Path

import atheris

sys.path.insert(0, str(Path(__file__).resolve().parent))
with atheris.instrument_imports(include=["paddle_oct.weights", "paddle_oct.training.data"]):
    from targets import TARGETS


def main() -> None:
    """Run the fuzzer on the target that the command line names."""
    name, *options = sys.argv[1:]
    target = TARGETS[name]
    place = Path(tempfile.mkdtemp(dir="/dev/shm" if Path("/dev/shm").is_dir() else None))
    corpus = place / "corpus"
    corpus.mkdir()
    for index in range(300):
        (corpus / str(index)).write_bytes(target.make(random.Random(index)))

    def read(data: bytes) -> None:
        path = place / target.file
        path.write_bytes(data)
        try:
            target.read(path)
        except ValueError as error:
            assert path.name in str(error)  # noqa: PT017
            assert len(str(error)) < 1000  # noqa: PT017

    atheris.Setup([sys.argv[0], *options, str(corpus)], read)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
