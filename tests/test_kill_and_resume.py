from tests.scripts import succeed


def test_a_run_killed_ends_with_the_bits_of_one_that_ran_through():
    said = succeed("benchmarks/kill_and_resume.py", "--kills=3", "--steps=90")
    assert "Killed 3 times" in said
    assert "the last checkpoint has the same bits." in said
