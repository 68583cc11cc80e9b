"""The commands that everyone needs: ``nox -l`` lists them, ``nox -s NAME`` runs one."""

from __future__ import annotations

import nox

nox.options.sessions = ["lint", "types", "tests"]
nox.options.error_on_missing_interpreters = False  # a Python that is not there is skipped


@nox.session(python=["3.9", "3.10", "3.11", "3.12", "3.13"])
def tests(session: nox.Session) -> None:
    """Run the fast tests on each Python that is there: ``nox -s tests -- tests/nn``."""
    session.install("-e", ".[test]")
    session.run("pytest", *session.posargs)


@nox.session(python="3.11")
@nox.parametrize("paddle", ["~=3.0.0", ">=3.0"], ids=["oldest", "newest"])
def paddles(session: nox.Session, paddle: str) -> None:
    """Run the fast tests with the oldest and with the newest Paddle."""
    session.install("-e", ".[test]", f"paddlepaddle{paddle}")
    session.run("pytest", *session.posargs)


@nox.session
def lint(session: nox.Session) -> None:
    """Run every hook of pre-commit on every file, ruff among them."""
    session.install("-e", ".[dev]")
    session.run("pre-commit", "run", "--all-files", *session.posargs)


@nox.session
def types(session: nox.Session) -> None:
    """Check the types of the whole package."""
    session.install("-e", ".[dev]")
    session.run("pyright", *session.posargs)


@nox.session
def docs(session: nox.Session) -> None:
    """Build the site into build/site; a warning is an error."""
    session.install("-e", ".[docs]")
    session.run("mkdocs", "build", *session.posargs)


@nox.session
def notebooks(session: nox.Session) -> None:
    """Run the notebooks and keep their outputs: ``nox -s notebooks -- 01_....ipynb``."""
    session.install("-e", ".[test]")
    session.run("python", "notebooks/build.py", *session.posargs)


@nox.session
def readme(session: nox.Session) -> None:
    """Rewrite what is generated in the READMEs and the pages: ``nox -s readme -- speed rooms``."""
    session.install("-e", ".")
    session.run("python", "docs/generate.py", *session.posargs)
