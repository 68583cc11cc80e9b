"""The rooms of the package stand in one order, and every import points to an earlier one."""

import ast

import pytest
from rooms import PACKAGE, ROOMS, imports, name_of

FILES = sorted(PACKAGE.rglob("*.py"))
ROOM_FILES = [path for path in FILES if path.parent != PACKAGE]
LONGEST_FILE = 400
LONGEST_FUNCTION_OF_THE_HEART = 40


def test_every_room_has_its_place():
    assert {path.name for path in PACKAGE.iterdir() if (path / "__init__.py").is_file()} == set(
        ROOMS
    )


@pytest.mark.parametrize("path", ROOM_FILES, ids=lambda path: "/".join(name_of(path)))
def test_imports_point_to_earlier_rooms(path):
    own = ROOMS.index(name_of(path)[0])
    for target in imports(path):
        if target == ("version",):
            continue
        assert target, f"{path} imports the whole package"
        assert target[0] in ROOMS, f"{path} imports {target}"
        assert ROOMS.index(target[0]) <= own, f"{path} imports upwards, from {target}"


def test_running_exported_files_needs_the_ground_alone():
    for path in (PACKAGE / "deploy" / "engines").glob("*.py"):
        for target in imports(path):
            assert target[0] == "base" or target[:2] == ("deploy", "engines"), f"{path}: {target}"


def test_the_heart_asks_the_fast_room_through_one_door():
    for path in ROOM_FILES:
        name = name_of(path)
        if name[:2] == ("nn", "fast"):
            continue
        for target in imports(path):
            assert target[:2] != ("nn", "fast") or target == ("nn", "fast"), f"{path}: {target}"


def test_only_one_file_knows_private_modules_of_paddle():
    private = ("paddle.base", "paddle.jit.", "paddle.pir_utils", "paddle.nn.initializer.lazy_init")
    for path in FILES:
        if path.parent == PACKAGE / "base" and path.stem.startswith("private"):
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and not node.level:
                names = [f"{node.module}.{alias.name}" for alias in node.names]
            for name in names:
                assert not name.startswith(private), f"{path} imports {name}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: "/".join(name_of(path)))
def test_no_file_is_too_long(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= LONGEST_FILE


def test_nothing_in_the_heart_is_too_long():
    for path in (PACKAGE / "nn").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef):
                lines = node.end_lineno - node.lineno + 1
                if ast.get_docstring(node):
                    lines -= node.body[0].end_lineno - node.body[0].lineno + 1
                assert lines <= LONGEST_FUNCTION_OF_THE_HEART, f"{path}: {node.name}, {lines}"
