"""``paddle-oct summary``, ``models``, ``convs`` and ``structure``."""

import pytest


def test_summary_prints_the_published_numbers(run):
    status, out, _ = run("summary", "oct_mobilenet", "--alpha", ".5", "--classes", "10")
    assert status == 0
    assert "3,239,114" in out
    _, out, _ = run("summary", "oct_mobilenet_v1")
    assert "(318.2 M)" in out


def test_convs_prints_the_published_numbers(run):
    _, out, _ = run("convs", "--in", "6", "--out", "4", "--p", "3", "--groups", "2")
    rows = {line.split("  ")[0]: line.split() for line in out.splitlines()}
    assert "216" in rows["standard"]
    assert "88" in rows["HetConv, p = 3"]
    assert "0.407" in rows["HetConv, p = 3"]


@pytest.mark.slow
def test_structure_prints_the_tree_and_writes_the_graph(run, tmp_path):
    status, out, _ = run(
        "structure", "oct_mobilenet_v1", "--classes", "10", "--image-size", "32",
        "--depth", "1", "--logdir", tmp_path / "log",
    )  # fmt: skip
    assert status == 0
    assert "3,239,114  10" in out.splitlines()[1]
    (graph,) = (tmp_path / "log").glob("vdlgraph*")
    assert str(graph) in out


def test_models_lists_names_and_options(run):
    _, out, _ = run("models")
    assert "oct_resnet50 " in out
    assert "alpha=0.5" in out
    _, out, _ = run("models", "mobilenet*", "--vanilla")
    assert "mobilenet_v1 " in out
    assert "oct_" not in out
