"""The examples of docs/dynamics.md do what they say."""

import doctest
from pathlib import Path


def test_examples_of_the_page():
    page = Path(__file__).parents[2] / "docs" / "dynamics.md"
    found = doctest.testfile(str(page), module_relative=False)
    assert found.attempted >= 9
    assert found.failed == 0
