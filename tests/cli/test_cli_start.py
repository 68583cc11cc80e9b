"""What the command line does before any command runs, and how it refuses."""

import resource
import subprocess
import sys

import click
import pytest
from helpers import slow_but

from paddle_oct.cli import cli
from paddle_oct.cli.options import Bounded

SECONDS = 0.5  # of processor time


def start(*arguments):
    """Run the command line in a process of its own: status, output, errors, processor time.

    The last line of the errors says whether Paddle was imported.
    """
    program = (
        "import sys\n"
        "from paddle_oct.cli import main\n"
        "try:\n"
        "    main()\n"
        "finally:\n"
        "    print('paddle' in sys.modules, file=sys.stderr)\n"
    )
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments], capture_output=True, text=True
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return done.returncode, done.stdout, done.stderr, seconds


@pytest.mark.parametrize(
    "arguments", [["--help"], ["-h"], ["--version"], [], ["summary", "--help"]], ids=" ".join
)
def test_help_needs_no_paddle(arguments):
    seconds = []
    for _ in range(5):  # what else the machine does can only make it longer
        status, out, err, took = start(*arguments)
        assert (status, err) == (0, "False\n")
        assert out
        seconds.append(took)
        if took < SECONDS:
            break
    assert min(seconds) < SECONDS


def test_no_arguments_are_a_call_for_help(run):
    assert run() == run("--help")
    assert run()[0] == 0
    assert "Commands:\n" in run()[1]


def test_every_command_is_told_in_a_line_that_is_whole(run):
    _, out, _ = run("--help")
    overview = out[out.index("Commands:") :]
    for name, command in cli.commands.items():
        assert command.short_help.endswith(".")
        assert f"\n  {name} " in overview
    assert "..." not in overview


def test_every_option_says_what_it_is(run):
    for name, command in cli.commands.items():
        assert run(name, "--help")[0] == 0
        for option in command.params:
            if option.param_type_name == "option":
                assert option.help, f"{name} {option.name}"


def test_every_whole_number_is_bounded():
    of_numbers = [
        (f"{name} --{option.name}", option.type)
        for name, command in cli.commands.items()
        for option in command.get_params(click.Context(command, info_name=name))
        if isinstance(option.type, click.types.IntParamType)
    ]
    assert len(of_numbers) > 20
    for name, kind in of_numbers:
        assert isinstance(kind, Bounded), name
        with pytest.raises(click.BadParameter, match=r"2,147,483,647|not in the range"):
            kind.convert("9" * 20, None, None)
        with pytest.raises(click.BadParameter) as refused:
            kind.convert("9" * 10**6, None, None)
        assert len(str(refused.value)) < 300


@pytest.mark.parametrize(
    "arguments",
    slow_but(
        [["convs", "--kernel", "9" * 20], ["summary", "oct_mobilenet_v1", "-o", "scale=1e300"]],
        [
            ["convs", "--kernel", "9" * 20],
            ["convs", "--kernel", "9999999"],
            ["convs", "--in", "2147483647"],
            ["bench", "oct_mobilenet_v1", "--against", "mobilenet_v1", "--batch-sizes", "9" * 20],
            ["summary", "oct_mobilenet_v1", "--classes", "2147483647"],
            ["summary", "oct_mobilenet_v1", "-o", f"num_classes=1{'0' * 20}"],
            ["summary", "oct_mobilenet_v1", "-o", "scale=1e300"],
            ["summary", "oct_mobilenet_v1", "-o", f"scale={'(' * 300}"],
            ["summary", "oct_mobilenet_v1", "--image-size", "2147483647"],
        ],
    ),
    ids=lambda arguments: " ".join(arguments)[:60],
)
def test_a_number_that_is_too_large_is_an_error_of_one_line(arguments):
    # In a process of its own: Paddle is asked for more memory than there is.
    command = [sys.executable, "-m", "paddle_oct", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("paddle-oct: error: ")
    assert done.stderr.count("\n") == 1
    assert len(done.stderr) < 600


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train", "oct_mobilnet"], "unknown model 'oct_mobilnet'; did you mean oct_mobilenet"),
        (["train", "--data", "cifra10"], "unknown data set 'cifra10'; did you mean cifar10"),
        (["train", "--alhpa", "1"], "No such option"),
        (
            ["train", "-o", "sclae=1"],
            "unknown option of oct_mobilenet_v1 'sclae'; did you mean scale",
        ),
        (["train", "-o", "scale"], "'scale' is not of the form KEY=VALUE"),
        (["train", "--alpha", "1.5"], "alpha must be in [0, 1], got 1.5"),
        (["train", "--alpha", "nan"], "alpha must be in [0, 1], got nan"),
        (["train", "--alpha", "half"], "'half' is not a number"),
        (["train", "--alpha", ".5,.5"], "alpha must be a number or 4 of them"),
        (["train", "resnet18", "--alpha", ".5"], "unknown option of resnet18 'alpha'"),
        (["train", "--epochs", "0"], "epochs must be in [1, 1000000]"),
        (["train", "--optimizer", "admw"], "did you mean adamw"),
        (["train", "--limit", "0"], "limit must be at least 1"),
        (["train", "--data", "cifar10", "--data-file", "nowhere"], "nowhere: no such file"),
        (["train", "--data", "folder"], "name the folder with --data-file"),
        (["train", "--resume", "nowhere"], "nowhere holds no run"),
        (
            ["train", "--resume", "nowhere", "--epochs", "3"],
            "--resume takes everything from the run",
        ),
        (["eval", "nowhere"], "nowhere holds no run"),
        (["summary", "resnet5"], "unknown model 'resnet5'"),
        (["models", "vgg*"], "no model matches 'vgg*'"),
        (["trian"], "No such command 'trian'"),
    ],
)
def test_an_error_is_one_line_and_status_2(run, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    status, _, err = run(*arguments)
    assert status == 2
    assert message in err
    assert err.startswith("paddle-oct: error: ")
    assert err.count("\n") == 1
    assert not list(tmp_path.iterdir())  # nothing half-written
