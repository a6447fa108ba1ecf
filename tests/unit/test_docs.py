"""The reference is what the code says, every field and command is described, and links lead somewhere."""

import importlib.util
import re
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

from neuroflame.spec.loading import parse_yaml
from neuroflame.spec.network import NetworkSpec
from neuroflame.spec.sweep import SweepSpec

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("cluster/**/*.md")])


@pytest.fixture(scope="module")
def generate():
    spec = importlib.util.spec_from_file_location("generate", ROOT / "docs" / "generate.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", ["network.md", "sweep.md", "statistics.md", "cli.md"])
def test_reference_is_fresh(generate, name):
    path = ROOT / "docs" / "reference" / name
    assert path.is_file(), "run `make docs`"
    assert path.read_text(encoding="utf-8") == generate.pages()[name], "stale: run `make docs`"


@pytest.mark.parametrize("root", [NetworkSpec, SweepSpec])
def test_every_field_is_described(generate, root):
    bare = [
        f"{path}.{name}"
        for model, path in generate.models(root)
        for name, info in model.model_fields.items()
        if not (info.description or "").endswith(".")
    ]
    assert bare == [], "a sentence is missing"


def test_every_number_of_a_network_has_a_tag(generate):
    bare = [
        f"{path}.{name}"
        for model, path in generate.models(NetworkSpec)
        for name, info in model.model_fields.items()
        if generate.holds_numbers(info.annotation) and not generate.tag(info)
    ]
    assert bare == []


def test_every_command_and_argument_is_described(generate):
    commands = generate.commands(generate.make_parser())
    assert commands
    bare = [name for name, command in commands.items() if not (command.description or "").strip()]
    bare += [
        f"{name} {generate.shown_argument(action)}"
        for name, command in commands.items()
        for action in command._actions
        if not (action.help or "").strip()
    ]
    assert bare == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_and_pictures_lead_somewhere(page):
    broken = []
    for target in _targets(page):
        file, _, anchor = target.partition("#")
        if re.match(r"[a-z]+:", file):
            continue  # another site: not ours to check
        there = (page.parent / file).resolve() if file else page
        if not there.exists() or (anchor and anchor not in _anchors(there)):
            broken.append(target)
    assert broken == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_networks_and_sweeps_in_the_text_are_valid(page):
    for token in MarkdownIt().parse(page.read_text(encoding="utf-8")):
        if token.type != "fence" or token.info.strip() not in {"yaml", "yml"}:
            continue
        data = parse_yaml(token.content, file=f"{page.name}:{token.map[0] + 1}")
        if "populations" in data:
            NetworkSpec.parse(data)
        elif "space" in data:
            file = data["network"]
            SweepSpec.parse({**data, "network": ROOT / "conf" / Path(file).name})


def _targets(page):
    tokens = MarkdownIt().enable("table").parse(page.read_text(encoding="utf-8"))
    inline = [child for token in tokens for child in token.children or ()]
    return [str(t.attrGet("href") or t.attrGet("src")) for t in inline if t.type in {"link_open", "image"}]


def _anchors(page):
    """Anchors as GitHub makes them: lower case, spaces to hyphens, the rest of punctuation dropped."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_the_readme_shows_the_recorded_speeds():
    from benchmarks.readme import README, updated

    text = README.read_text(encoding="utf-8")
    assert updated(text) == text, "run: python -m benchmarks.readme"
