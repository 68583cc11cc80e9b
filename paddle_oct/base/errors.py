"""Messages of errors: in one line of bounded length."""

from __future__ import annotations

import re

_LONGEST = 300

# Paddle puts the kind of an error in front of what its operators say.
_KIND = re.compile(
    r"\((InvalidArgument|NotFound|OutOfRange|AlreadyExists|ResourceExhausted|PreconditionNotMet"
    r"|PermissionDenied|ExecutionTimeout|Unimplemented|Unavailable|Fatal|External|InvalidType)\) "
)
_NAMED = re.compile(r"[\w.]*(Error|Exception): ")


def first_line(error: BaseException) -> str:
    """Return the message of an error in one line, without the many lines that Paddle adds to some.

    Paddle puts a stack of C++ calls, and ``Error Message Summary:``, in front of some errors, and
    the code that it was translating in front of others. What was wrong follows in a line such as
    ``ValueError: (InvalidArgument) ...``. If there are such lines, the last one is returned, as the
    code may hold similar ones; otherwise the first line of the message.

    Returns:
        One line of 300 characters or less, without a full stop; the name of the error's class if
        the message is empty.
    """
    text = str(error).split("Error Message Summary:")[-1]
    lines = [line.strip() for line in text.splitlines() if line.strip(" -\t")]
    named = [line for line in lines if _NAMED.match(line)]
    said = named[-1] if named else next(iter(lines), "")
    said = _KIND.sub("", said, count=1).rstrip(".") or type(error).__name__
    return said if len(said) <= _LONGEST else said[: _LONGEST - 3] + "..."


def shortened(name: str | bytes | int, longest: int = 100) -> str:
    """Return a name that a file holds as a message may show it.

    Returns:
        It in ``longest`` printable characters or less; control characters are written as in Python.
    """
    text = str(name if isinstance(name, int) else name[: longest + 1])
    if not text.isprintable():
        text = ascii(text)[1:-1]
    return text if len(text) <= longest else f"{text[: longest - 3]}..."
