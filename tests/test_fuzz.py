import pytest

from tests.fuzz import KINDS, fuzz


@pytest.mark.parametrize("kind", KINDS)
def test_damaged_files_do_no_harm(kind, tmp_path):
    assert fuzz(kind, 20, tmp_path) > 0
