"""The examples of docs/dynamics.md, docs/theory.md and docs/protocols.md do what they say."""

import doctest
from pathlib import Path

import pytest


@pytest.mark.parametrize(("name", "least"), [("dynamics.md", 9), ("theory.md", 4), ("protocols.md", 9)])
def test_examples_of_the_page(name, least):
    page = Path(__file__).parents[2] / "docs" / name
    found = doctest.testfile(str(page), module_relative=False)
    assert found.attempted >= least
    assert found.failed == 0
