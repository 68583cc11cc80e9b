"""Every notebook runs, and was committed with the outputs of a complete run of its code."""

import copy
import importlib.util
import re
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
QUICK = ("01_octave_feature_and_layer",)
notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


@pytest.fixture(scope="module")
def build():
    spec = importlib.util.spec_from_file_location("build", ROOT / "notebooks" / "build.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def code_cells(content):
    return [cell for cell in content.cells if cell.cell_type == "code"]


def problems(content):
    """What a reader should not meet in a notebook's outputs."""
    found = []
    for number, cell in enumerate(code_cells(content), start=1):
        if cell.execution_count != number:
            found.append(f"cell {number} has the execution count {cell.execution_count}")
        for output in cell.outputs:
            if output.output_type == "error":
                found.append(f"cell {number} ends in {output.ename}: {output.evalue}")
            if output.get("name") == "stderr":
                found.append(f"cell {number} writes to stderr: {output.text[:200]}")
            text = output.get("text", "") or output.get("data", {}).get("text/plain", "")
            for where in re.findall(r"(?:/home|/root|/tmp|/work|/usr|/opt)/\S+", text):
                found.append(f"cell {number} names a path of somebody's machine: {where}")
    return found


def test_there_are_notebooks():
    assert NOTEBOOKS


@notebook
def test_outputs_are_kept_and_clean(path):
    content = nbformat.read(path, as_version=4)
    nbformat.validate(content)
    assert problems(content) == []
    assert any(cell.outputs for cell in code_cells(content))


@notebook
def test_outputs_are_of_the_present_code(path, build):
    content = nbformat.read(path, as_version=4)
    kept, present = build.kept_fingerprint(content), build.code_fingerprint(content)
    assert kept == present, f"the outputs are out of date: python notebooks/build.py {path.name}"


def test_a_change_of_the_code_is_noticed(build):
    content = nbformat.read(NOTEBOOKS[0], as_version=4)
    before = build.code_fingerprint(content)
    changed = copy.deepcopy(content)
    for cell in changed.cells:  # text and outputs may change
        if cell.cell_type == "markdown":
            cell.source += " More text."
        else:
            cell.outputs = []
    assert build.code_fingerprint(changed) == before
    code_cells(changed)[-1].source += "\n1"
    assert build.code_fingerprint(changed) != before
    moved = copy.deepcopy(content)  # a line goes over from one cell to the next
    first, second, *_ = code_cells(moved)
    lines = first.source.splitlines(keepends=True)
    first.source, second.source = "".join(lines[:-1]).rstrip("\n"), lines[-1] + "\n" + second.source
    assert build.code_fingerprint(moved) != before


@pytest.mark.parametrize(
    "path",
    [
        pytest.param(path, id=path.stem, marks=() if path.stem in QUICK else pytest.mark.slow)
        for path in NOTEBOOKS
    ],
)
def test_a_notebook_runs(path, build, tmp_path):
    kept = nbformat.read(path, as_version=4)
    for name in written_files(kept):  # as if it had been run in this folder before
        (tmp_path / name).touch()
    content = build.execute(path, tmp_path)  # raises where a cell does
    errors = [problem for problem in problems(content) if "stderr" not in problem]
    assert errors == []
    for number, (fresh, old) in enumerate(zip(code_cells(content), code_cells(kept)), start=1):
        assert printed(fresh) == printed(old), (
            f"the outputs of cell {number} are out of date: python notebooks/build.py {path.name}"
        )


def written_files(content):
    """The files that a notebook's code names by their suffix."""
    code = "\n".join(cell.source for cell in code_cells(content))
    return set(re.findall(r'"([\w.-]+\.(?:onnx|pdmodel|png|json|csv))"', code))


def printed(cell):
    """What a cell prints, but for numbers: times differ, and the last digits of floats."""
    texts = [output.get("text", "") for output in cell.outputs if output.get("name") != "stderr"]
    texts += [output.get("data", {}).get("text/plain", "") for output in cell.outputs]
    words = re.sub(r"\d[\d.,]*|[-=]{2,}", "0", "\n".join(texts))
    return " ".join(words.split())


def test_outputs_that_differ_by_more_than_numbers_are_noticed():
    new = nbformat.v4

    def cell(text):
        return new.new_code_cell("x", outputs=[new.new_output("stream", text=text)])

    old = cell("network     ms\n-------  -----\nResNet   10.25\n")
    assert printed(cell("network    ms\n-------  ----\nResNet   9.75\n")) == printed(old)
    assert printed(cell("network    ms\n-------  ----\nOctNet   9.75\n")) != printed(old)
    written = new.new_notebook(cells=[new.new_code_cell('export(net, "a.onnx"); draw("b.png")')])
    assert written_files(written) == {"a.onnx", "b.png"}


def test_problems_are_found():
    new = nbformat.v4
    unrun, failed, warned, placed = (new.new_code_cell("x", execution_count=i) for i in range(4))
    failed.outputs = [new.new_output("error", ename="ValueError", evalue="no", traceback=[])]
    warned.outputs = [new.new_output("stream", name="stderr", text="UserWarning: old")]
    placed.outputs = [new.new_output("stream", name="stdout", text="saved in /home/me/run")]
    unrun.execution_count = None
    found = problems(new.new_notebook(cells=[unrun, failed, warned, placed]))
    for word in ("count None", "ValueError: no", "UserWarning: old", "/home/me/run"):
        assert any(word in problem for problem in found)
