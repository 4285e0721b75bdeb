"""Fixtures shared by the tests of capabilities."""

import pytest


@pytest.fixture
def tree(tmp_path):
    """A folder to grant, with things around it that must stay out of reach."""
    (tmp_path / "secret").write_text("secret")
    folder = tmp_path / "granted"
    (folder / "sub").mkdir(parents=True)
    (folder / "x.csv").write_text("a,b\n1,2\n")
    (folder / "sub" / "y").write_text("why")
    return folder
