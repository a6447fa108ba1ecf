import re
import subprocess
import sys
import time
from html.parser import HTMLParser

import numpy as np
import pytest

from neuroflame.errors import StoreError
from neuroflame.report import build_report, page
from neuroflame.store import SweepStore
from tests.unit.test_report_tables import ring_sweep

SMALL = {"J.EE": np.linspace(5, 15, 6), "J0.E": np.linspace(0, 10, 5)}
HOSTILE = "<script>alert(1)</script> {{ 7 * 7 }} & \"quoted\" 'single'"


@pytest.fixture
def few(monkeypatch):
    """Draw one further diagram only: most tests are not about them."""
    monkeypatch.setattr(page, "MOST_DIAGRAMS", 1)


class Page(HTMLParser):
    """Tags with their attributes, and the text of a page; refuses tags that do not match."""

    VOID = ("meta", "link", "img", "br", "hr", "input")

    def __init__(self, path):
        super().__init__()
        self.tags, self.words, self.open = [], [], []
        self.source = path.read_text(encoding="utf-8")
        self.feed(self.source)
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.words).split())


def test_the_page_holds_everything_it_needs(tmp_path):
    ring_sweep(tmp_path / "ring")
    found = build_report(tmp_path / "ring")
    assert found.folder == tmp_path / "ring" / "report"
    assert next(iter(found.figures)) == "phase_bump.E.ratio"
    assert found.figures["phase_bump.E.ratio"] == found.folder / "phase_bump.E.ratio.png"
    for path in found.figures.values():
        assert path.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    shown = Page(found.page)
    addresses = [v for _, attributes in shown.tags for k, v in attributes.items() if k in ("src", "href")]
    assert addresses
    assert all(address.startswith(("data:", "#")) for address in addresses)
    assert "http://" not in shown.source
    assert "https://" not in shown.source
    assert "@import" not in shown.source
    assert not [tag for tag, _ in shown.tags if tag == "script"]
    images = [attributes for tag, attributes in shown.tags if tag == "img"]
    assert len(images) == len(found.figures)
    assert all(image["alt"] for image in images)
    targets = {attributes.get("id") for _, attributes in shown.tags}
    assert {a[1:] for a in addresses if a.startswith("#")} <= targets
    assert found.answer in shown.text
    assert "400 points computed" in shown.text
    for word in (
        "3f2a90b1c4d5e6f7",
        "0123456789abcdef0123456789abcdef01234567",
        "J0.E (Hz)",
        "CUDA out of memory",
    ):
        assert word in shown.text


@pytest.mark.usefixtures("few")
def test_hostile_words_are_escaped(tmp_path):
    ring_sweep(
        tmp_path,
        SMALL,
        name=HOSTILE,
        answer={"label": HOSTILE, "where": "rate.E.mean > 5"},
        manifest={"git_commit": HOSTILE, "device": HOSTILE},
    )
    SweepStore.open(tmp_path).append_record("run", {"note": HOSTILE})
    shown = Page(build_report(tmp_path).page)
    assert "<script" not in shown.source
    assert "<i>while" not in shown.source
    assert HOSTILE in shown.text
    assert shown.tags.count(("script", {})) == 0


@pytest.mark.usefixtures("few")
def test_an_unfinished_sweep_says_so(tmp_path):
    ring_sweep(tmp_path, SMALL, done=0.5)
    found = build_report(tmp_path)
    assert "15 of 30 points are computed" in Page(found.page).text
    assert "15 of 30 points of the sweep are computed so far" in found.answer


@pytest.mark.usefixtures("few")
@pytest.mark.parametrize(
    "options",
    [
        {"done": 0.0},
        {"space": {"J.EE": [8.0]}, "failures": 0},
        {"space": {"J.EE": np.linspace(5, 15, 9)}, "graphs": 2},
        {"space": SMALL, "traces": False, "failures": 30},
        {"space": {"J.EE": (5.0, 15.0), "J0.E": (0.1, 9.0)}, "search": {"kind": "random"}, "trials": 20},
        {"space": {"J.EE": [5.0, 9.0], "transfer": ["relu", "erf"]}, "starts": ("cold", "cued")},
    ],
    ids=["empty", "one point", "one axis", "all failed", "sampled", "names"],
)
def test_every_kind_of_table_has_a_page(tmp_path, options):
    ring_sweep(tmp_path, **options)
    found = build_report(tmp_path)
    assert found.answer in Page(found.page).text


@pytest.mark.usefixtures("few")
def test_it_can_be_built_again_and_elsewhere(tmp_path):
    ring_sweep(tmp_path / "sweep", SMALL, traces=False)
    first = build_report(tmp_path / "sweep", tmp_path / "here" / "there")
    before = sorted(path.name for path in first.folder.iterdir())
    build_report(str(tmp_path / "sweep"), str(tmp_path / "here" / "there"))
    assert sorted(path.name for path in first.folder.iterdir()) == before
    assert not [name for name in before if name.endswith(".tmp")]


@pytest.mark.usefixtures("few")
def test_a_page_that_cannot_be_finished_leaves_the_old_one(tmp_path, monkeypatch):
    ring_sweep(tmp_path, SMALL, traces=False)
    found = build_report(tmp_path)
    old = found.page.read_bytes()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(page.os, "fsync", full)
    with pytest.raises(StoreError, match="cannot be written: No space left") as caught:
        build_report(tmp_path)
    assert "\n" not in str(caught.value)
    assert found.page.read_bytes() == old
    assert not list(found.folder.glob(".*"))


def test_faults_are_one_line(tmp_path):
    with pytest.raises(StoreError, match="holds no sweep"):
        build_report(tmp_path / "nothing")
    ring_sweep(tmp_path / "sweep", SMALL, traces=False)
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot be written"):
        build_report(tmp_path / "sweep", tmp_path / "file")
    with pytest.raises(StoreError, match="local directory"):
        page._folder_of("s3://bucket/sweep")


def test_credentials_of_an_address_are_not_shown(tmp_path):
    from neuroflame.report import content, view

    data = view(ring_sweep(tmp_path, SMALL, traces=False))
    object.__setattr__(data, "table", type("Remote", (), {"uri": "s3://key:secret@host/bucket/x?token=1"})())
    assert content.shown_uri(data) == "s3://host/bucket/x"


def test_the_sweep_file_on_the_page_loads(tmp_path):
    import yaml

    from neuroflame.report import content, view

    data = view(ring_sweep(tmp_path, SMALL, traces=False))
    spec = yaml.safe_load(content.sweep_file(data))
    assert spec["space"]["J.EE"]["values"] == pytest.approx(list(SMALL["J.EE"]))
    assert spec["network"]["J"]["EE"] == 10.0


def test_nothing_heavy_is_imported(tmp_path):
    ring_sweep(tmp_path, SMALL)
    code = (
        "import sys\n"
        "from neuroflame.report import parse_condition, summary\n"
        f"summary({str(tmp_path)!r})\n"
        "assert 'matplotlib' not in sys.modules\n"
        "from neuroflame.report import build_report\n"
        f"build_report({str(tmp_path)!r})\n"
        "bad = {'torch', 'ray', 'optuna', 'neuroflame.core', 'matplotlib.pyplot'} & set(sys.modules)\n"
        "assert not bad, bad\n"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True, timeout=120)


@pytest.mark.slow
def test_large_tables_take_seconds(tmp_path):
    space = {"J.EE": np.linspace(5, 15, 150), "J0.E": np.linspace(0, 10, 150)}
    ring_sweep(tmp_path, space, traces=False)
    start = time.monotonic()
    found = build_report(tmp_path)
    assert time.monotonic() - start < 60
    assert re.search(r"of 22500 points hold a bump", found.answer)
