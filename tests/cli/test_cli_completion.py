"""The Tab key: what the shell is told, as click's scripts ask for it."""

import os
import shutil
import subprocess
import sys

import pytest

from paddle_oct import create_model, list_models
from paddle_oct.bench import ALPHAS, RACE_ENGINES
from paddle_oct.cli import cli, names
from paddle_oct.training import list_data


@pytest.fixture
def complete(run, monkeypatch):
    """Return a function from a line that is being typed to the words that the shell offers."""

    def complete_line(line):
        words = line.split(" ")
        monkeypatch.setenv("_PADDLE_OCT_COMPLETE", "bash_complete")
        monkeypatch.setenv("COMP_WORDS", line)
        monkeypatch.setenv("COMP_CWORD", str(len(words) - 1))
        status, out, err = run()
        assert (status, err) == (0, "")
        return [item.partition(",")[::2] for item in out.splitlines()]

    return complete_line


def plain(items):
    return [word for kind, word in items if kind == "plain"]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("paddle-oct su", ["summary"]),
        ("paddle-oct train oct_resnet2", ["oct_resnet26", "oct_resnet200"]),
        ("paddle-oct train --epochs 3 oct_mobilenet_v", ["oct_mobilenet_v1", "oct_mobilenet_v2"]),
        ("paddle-oct train resnet18 --data cifar", ["cifar10", "cifar100"]),
        ("paddle-oct train --optim", ["--optimizer"]),
        ("paddle-oct train --optimizer ada", ["adam", "adamw"]),
        ("paddle-oct compare oct_resnet50 wide", ["wide_resnet50_2", "wide_resnet101_2"]),
        ("paddle-oct sweep mobilenet", []),
        ("paddle-oct octavize squeezenet", ["squeezenet1_0", "squeezenet1_1"]),
        ("paddle-oct octavize oct_", []),
        ("paddle-oct predict --model oct_mobilenet_v1", ["oct_mobilenet_v1"]),
        ("paddle-oct export oct_resnet50 --format o", ["onnx"]),
        ("paddle-oct export oct_resnet50 --dynamic b", ["batch"]),
        ("paddle-oct bench a --against oct_densenet", ["oct_densenet121"]),
        ("paddle-oct bench a --engines eager,open", ["eager,openvino"]),
        ("paddle-oct compare a --format ma", ["markdown"]),
        ("paddle-oct completion f", ["fish"]),
    ],
)
def test_completed_words(complete, line, words):
    assert sorted(plain(complete(line))) == sorted(words)


def test_a_network_may_be_the_folder_of_a_run(complete):
    assert complete("paddle-oct summary oct_densenet") == [
        ("dir", "oct_densenet"),
        ("plain", "oct_densenet121"),
    ]


def test_the_names_are_those_of_the_rooms():
    octave, vanilla = names.octave_models(), names.vanilla_models()
    assert set(list_models()) <= set(octave)
    for alias in set(octave) - set(list_models()):
        assert create_model(alias, num_classes=0)
    assert set(list_models(vanilla=True)) == set(vanilla)
    assert set(names.DATA_SETS) == set(list_data())
    assert names.RACE_ENGINES == RACE_ENGINES
    # What the help says of a default that is the room's.
    (option,) = [option for option in cli.commands["sweep"].params if option.name == "alphas"]
    assert f"[default: {','.join(f'{alpha:g}' for alpha in ALPHAS)}]" in option.help


def shell(command, tmp_path):
    """Run a command in a shell that finds ``paddle-oct``."""
    program = tmp_path / "paddle-oct"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -X importtime -m paddle_oct "$@"\n')
    program.chmod(0o755)
    environment = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    return subprocess.run(command, capture_output=True, text=True, env=environment)


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_bash_completes_without_importing_paddle(tmp_path):
    script = (
        'eval "$(paddle-oct completion bash)"\n'
        "COMP_WORDS=(paddle-oct train oct_resnet2) COMP_CWORD=2\n"
        "_paddle_oct_completion paddle-oct\n"
        'echo "${COMPREPLY[@]}"\n'
    )
    done = shell(["bash", "-c", script], tmp_path)
    assert sorted(done.stdout.split()) == ["oct_resnet200", "oct_resnet26"]
    imported = [line.rpartition("|")[2].strip() for line in done.stderr.splitlines()]
    assert "paddle_oct.cli" in imported
    assert "paddle" not in imported
    assert all(line.startswith("import time:") for line in done.stderr.splitlines())


@pytest.mark.skipif(shutil.which("fish") is None, reason="needs fish")
def test_fish_completes(tmp_path):
    script = 'paddle-oct completion fish | source; complete -C "paddle-oct train oct_resnet2"'
    done = shell(["fish", "-c", script], tmp_path)
    assert sorted(done.stdout.split()) == ["oct_resnet200", "oct_resnet26"]


def test_the_scripts_are_those_of_click(run):
    for name, part in (
        ("bash", "_PADDLE_OCT_COMPLETE=bash_complete $1"),
        ("zsh", "_PADDLE_OCT_COMPLETE=zsh_complete paddle-oct"),
        ("fish", "_PADDLE_OCT_COMPLETE=fish_complete"),
    ):
        status, out, _ = run("completion", name)
        assert status == 0
        assert part in out
    status, _, err = run("completion", "csh")
    assert (status, err.count("\n")) == (2, 1)
    assert "'bash', 'zsh', 'fish'" in err
