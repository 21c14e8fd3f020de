from tests.scripts import succeed_here


def test_a_run_killed_ends_with_the_bits_of_one_that_ran_through():
    said = succeed_here("benchmarks/kill_and_resume.py", "--kills=2", "--steps=40")
    assert "Killed 2 times" in said
    assert "the last checkpoint has the same bits." in said
