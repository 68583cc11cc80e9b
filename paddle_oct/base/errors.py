"""What an error says, in one line of bounded length."""

from __future__ import annotations

_LONGEST = 300


def first_line(error: BaseException) -> str:
    """Return what an error says first, without the pages that Paddle adds to some.

    Paddle's own errors end in ``Error Message Summary:`` and a line such as ``InvalidArgumentError:
    ... (InvalidArgument)``; of those, that line counts.
    """
    text = str(error).split("Error Message Summary:")[-1]
    lines = [line.strip() for line in text.splitlines() if line.strip(" -\t")]
    named = next((line for line in lines if "Error: " in line), None)
    said = named or (lines[0] if lines else type(error).__name__)
    said = said.replace("(InvalidArgument) ", "").rstrip(".")
    return said if len(said) <= _LONGEST else said[: _LONGEST - 3] + "..."
