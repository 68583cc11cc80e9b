"""The READMEs and the pages: generated parts are fresh, code runs, links lead somewhere."""

import ast
import posixpath
import re
from pathlib import Path

import costs
import generate
import pytest
import rooms
import speeds
from paddle import nn

import paddle_oct

ROOT = Path(__file__).parents[1]
READMES = (ROOT / "README.md", ROOT / "README_zh.md")
GUIDE = sorted((ROOT / "docs" / "guide").glob("*.md"))
PAGES = generate.pages()
# Pages of a guide that run as they stand; the others need a download, an engine or data.
RUNNABLE = ("layers", "networks", "lightweight")

pair_of_pages = pytest.mark.parametrize(
    ("english", "chinese"),
    [READMES, *((page, ROOT / "docs" / "zh" / page.name) for page in GUIDE)],
    ids=["README", *(page.stem for page in GUIDE)],
)


def read(path):
    return path.read_text(encoding="utf-8")


def code(path, language):
    return re.findall(rf"^```{language}\n(.*?)^```$", read(path), re.M | re.S)


def generated():
    """Every generated block: its page, its name, its content."""
    return [(page, *block) for page in PAGES for block in generate.blocks(read(page))]


# What is generated.


def test_every_block_is_known_and_none_is_empty():
    for page, name, content in generated():
        assert name in generate.BLOCKS, page
        assert len(content.splitlines()) > 3, f"{page}: {name}"


def test_pages_have_their_blocks():
    found = {(page.relative_to(ROOT).as_posix(), name) for page, name, _ in generated()}
    for page in ("README.md", "README_zh.md"):
        assert {(page, "costs"), (page, "speed")} <= found
    for folder in ("docs/guide", "docs/zh"):
        assert {(f"{folder}/costs.md", "parameters"), (f"{folder}/deploy.md", "speed")} <= found
    assert ("ARCHITECTURE.md", "rooms") in found


@pytest.mark.parametrize("name", ["commands", "rooms", "speed"])
def test_blocks_are_fresh(name):
    for page, block, content in generated():
        if block == name:
            assert content == generate.BLOCKS[name](generate.language(page)), (
                f"{page}: run python docs/generate.py {name}"
            )


@pytest.mark.slow
@pytest.mark.parametrize("name", ["costs", "parameters"])
def test_blocks_of_measured_networks_are_fresh(name):
    for page, block, content in generated():
        if block == name:
            assert content == generate.BLOCKS[name](generate.language(page)), (
                f"{page}: run python docs/generate.py {name}"
            )


@pytest.mark.parametrize("name", ["costs", "parameters", "speed"])
def test_blocks_say_the_same_in_both_languages(name):
    bodies = {language: set() for language in ("en", "zh")}
    for page, block, content in generated():
        if block == name:
            numbers = re.findall(r"[\d.,–]*\d\S*", "\n".join(content.splitlines()[2:]))
            bodies[generate.language(page)].add(tuple(numbers))
    assert len(bodies["en"]) == 1
    assert bodies["en"] == bodies["zh"]


def test_the_first_line_of_the_costs_is_fresh():
    line = costs.short_line("mobilenet_v1", "oct_mobilenet_v1")
    assert line == "| `oct_mobilenet_v1` | 3,239,114 | 0.568 G | 87% | 75% | 56% | 43% |"
    for page, name, content in generated():
        if name == "costs":
            assert line in content.splitlines(), page


def test_the_opening_says_what_the_table_says():
    (table,) = (c for page, name, c in generated() if (page, name) == (READMES[0], "costs"))
    heads = [cell.split()[-1] for cell in table.splitlines()[0].strip("|").split("|")]
    at = heads.index("0.5")
    for name, shown in (("oct_resnet50", "Oct-ResNet-50"), ("oct_mobilenet_v1", "Oct-MobileNetV1")):
        (line,) = (line for line in table.splitlines() if f"`{name}`" in line)
        share = line.strip("|").split("|")[at].strip()
        for readme in READMES:
            opening = read(readme).partition("\n## ")[0]
            assert re.search(rf"{shown} (为 )?{share}", opening), (readme, shown, share)


def test_the_page_of_networks_has_every_network():
    page = read(ROOT / "docs" / "networks.md")
    for part in re.split(r"^## ", page, flags=re.M)[1:]:
        assert set(re.findall(r"^\| `(\w+)`", part, re.M)) == set(paddle_oct.list_models())


def test_a_block_is_replaced_and_its_surroundings_are_not():
    text = "a\n<!-- x -->\n<!-- /x -->\nb\n<!-- y -->\nold\n<!-- /y -->\n"
    new = generate.replace(text, "x", "| 1 |\n")
    assert new == "a\n<!-- x -->\n\n| 1 |\n\n<!-- /x -->\nb\n<!-- y -->\nold\n<!-- /y -->\n"
    assert dict(generate.blocks(new)) == {"x": "| 1 |\n", "y": "old\n"}


def test_speeds_are_read_from_both_kinds_of_tables():
    text = """# t
## Exported, on the engines
| engine | networks | batch | ms | ratio | ms, far | ratio |
|---|---|---|---|---|---|---|
| E | oct_a / a | 8 | 1 ± 0 / 2 | **0.605** | 3 | **0.611** |
| E | oct_a / a | 1 | 1 ± 0 / 2 | **0.700** | (no turns) |  |

| engine | network   | input       | time ratio | MAC ratio |
|--------|-----------|-------------|------------|-----------|
| E      | oct_a / a | 8x3x224x224 | 0.632      | 0.579     |
## Over alpha
| engine | networks | batch | ratio |
|---|---|---|---|
| E | oct_a / a | 8 | 0.1 |
"""
    found = {key: [float(v) for v in values] for key, values in speeds.ratios(text).items()}
    assert found == {("E", "oct_a", "8"): [0.605, 0.611, 0.632], ("E", "oct_a", "1"): [0.7]}


def test_an_import_of_a_later_room_is_drawn_in_red(tmp_path):
    edges = rooms.read_edges()
    rooms.draw(edges, tmp_path / "as_is.svg")
    assert rooms.UP.lower() not in read(tmp_path / "as_is.svg").lower()
    rooms.draw({**edges, "nn": ["models"]}, tmp_path / "up.svg")
    assert rooms.UP.lower() in read(tmp_path / "up.svg").lower()


# What the pages show and name.


@pair_of_pages
def test_both_languages_show_the_same_code(english, chinese):
    def without_comments(source):
        return re.sub(r"\s*#[^\n]*", "", source)

    ours, theirs = code(english, "python"), code(chinese, "python")
    assert [ast.dump(ast.parse(s)) for s in ours] == [ast.dump(ast.parse(s)) for s in theirs]
    commands = [[without_comments(s) for s in code(page, "bash")] for page in (english, chinese)]
    assert commands[0] == commands[1]


@pair_of_pages
def test_both_languages_have_the_same_parts(english, chinese):
    for pattern in (r"^#+ ", r"^\|", r"^- ", r"^!\["):
        counts = [len(re.findall(pattern, read(page), re.M)) for page in (english, chinese)]
        assert counts[0] == counts[1], pattern


def test_the_guides_have_the_same_pages():
    chinese = {page.name for page in (ROOT / "docs" / "zh").glob("*.md")}
    assert {page.name for page in GUIDE} | {"index.md"} == chinese


def test_what_the_readme_shows_runs(capsys):
    layer, network, converted = code(READMES[0], "python")
    seen = {}
    exec(layer, seen)
    assert seen["y"].shape == [1, 128, 225, 225]
    assert "# [1, 128, 225, 225]" in layer
    exec(network, seen)
    assert "Total params: 23,581,642\n" in capsys.readouterr().out
    assert "# 23,581,642 parameters" in network
    seen["my_network"] = nn.Sequential(*(nn.Conv2D(c, 16, 3, padding=1) for c in (3, 16, 16, 16)))
    exec(converted, seen)
    assert seen["model"].octave_report.replaced


@pytest.mark.parametrize("page", GUIDE, ids=lambda page: page.stem)
def test_what_the_guide_shows_runs_or_can_be_imported(page, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    seen = {}
    for snippet in code(page, "python"):
        body = ast.parse(snippet).body
        if page.stem not in RUNNABLE:
            body = [node for node in body if isinstance(node, (ast.Import, ast.ImportFrom))]
        exec(compile(ast.Module(body, []), page.name, "exec"), seen)
    if page.stem == "layers":
        assert [band.shape for band in seen["pair"]] == [[1, 24, 57, 57], [1, 8, 29, 29]]
        assert seen["y"].shape == [1, 32, 57, 57]


@pytest.mark.parametrize("mark", ["quickstart", "tests"])
@pytest.mark.parametrize("readme", READMES, ids=lambda path: path.stem)
def test_the_commands_follow_their_marks(readme, mark):
    assert re.search(rf"^<!-- {mark} -->\n```bash\n(.+\n)+?```$", read(readme), re.M)


@pytest.mark.parametrize("page", PAGES, ids=[p.relative_to(ROOT).as_posix() for p in PAGES])
def test_links_lead_to_files(page):
    prose = re.sub(r"^```.*?^```$", "", read(page), flags=re.M | re.S)
    for link in re.findall(r"\]\((?![a-z]+:|#)([^)\s#]+)", prose):
        target = posixpath.normpath(posixpath.join(page.parent.as_posix(), link))
        assert Path(target).exists(), f"{page}: {link}"


def test_every_public_room_has_a_page_in_the_reference():
    pages = {page.stem: read(page) for page in (ROOT / "docs" / "api").glob("*.md")}
    assert set(pages) == set(rooms.ROOMS) - {"base", "cli"}
    for room, text in pages.items():
        assert f"::: paddle_oct.{room}\n" in text
        assert f"api/{room}.md" in read(ROOT / "mkdocs.yml")


def test_the_citation_has_the_version():
    assert f"\nversion: {paddle_oct.__version__}\n" in read(ROOT / "CITATION.cff")
