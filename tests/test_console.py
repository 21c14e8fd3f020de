import subprocess
import sys

import pytest
from absl import flags

from console.choices import load
from console.errors import InputError, name_some
from console.files import opened_whole, written_whole
from console.flags import NumbersParser
from console.progress import to_clock, to_size
from tests.scripts import ROOT


def test_some_are_named_and_the_rest_counted():
    assert name_some("ab", 2) == "a, b"
    assert name_some("abcd", 2) == "a, b and 2 more"


def test_a_file_appears_whole(tmp_path):
    path = tmp_path / "new" / "a.txt"
    with written_whole(path) as aside:
        aside.write_text("all of it")
        assert not path.exists()
    assert [p.name for p in path.parent.iterdir()] == ["a.txt"]
    assert path.read_text() == "all of it"


def test_what_libraries_write_to_is_closed_with_its_file(tmp_path):
    with opened_whole(tmp_path / "a.bin") as file:
        file.write(b"1")
    assert file.closed and (tmp_path / "a.bin").read_bytes() == b"1"


def test_the_old_file_stays_when_writing_fails(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(KeyboardInterrupt), written_whole(path) as aside:
        aside.write_text("half")
        raise KeyboardInterrupt
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]
    assert path.read_text() == "old"


def test_a_full_disk_is_told_with_the_name_of_the_file(tmp_path):
    path = tmp_path / "a.txt"
    with (
        pytest.raises(OSError, match="No space left") as caught,
        written_whole(path) as aside,
        open("/dev/full", "w") as full,
    ):
        aside.write_text("half")
        full.write("x")
    assert caught.value.filename == str(path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("seconds", "clock"),
    [(0, "0s"), (59.4, "59s"), (250, "4m10s"), (11_100, "3h05m"), (198_000, "2d07h")],
)
def test_durations_are_written_as_people_say_them(seconds, clock):
    assert to_clock(seconds) == clock


@pytest.mark.parametrize(
    ("count", "size"),
    [
        (0, "0 bytes"),
        (999, "999 bytes"),
        (4100, "4.10 kB"),
        (57_600_000, "57.6 MB"),
        (123_456_789, "123 MB"),
        (9_100_000_000, "9.10 GB"),
    ],
)
def test_sizes_are_written_in_a_unit_that_suits_them(count, size):
    assert to_size(count) == size


def test_two_processes_of_one_number_write_to_different_files(tmp_path, monkeypatch):
    monkeypatch.setattr("os.getpid", lambda: 7)
    with (
        written_whole(tmp_path / "a.txt") as one,
        written_whole(tmp_path / "a.txt") as two,
    ):
        one.write_text("1")
        two.write_text("2")
    assert one != two
    assert (tmp_path / "a.txt").read_text() == "1"


def test_an_unknown_name_gets_those_that_exist():
    with pytest.raises(InputError, match="--x=c does not exist; expected one of: a, b"):
        load({"b": "os:path", "a": "os:path"}, "c", "--x")


def test_numbers_are_read_with_commas_and_what_is_none_is_refused():
    assert NumbersParser(int).parse("2,4, 8") == (2, 4, 8)
    assert NumbersParser(float).parse("1.5") == (1.5,)
    for wrong in ("2,x", "", "2;4", "2.5"):
        with pytest.raises(ValueError, match="comma-separated whole numbers"):
            NumbersParser(int).parse(wrong)


def run_python(program, *arguments):
    return subprocess.run(
        [sys.executable, "-c", program, *arguments],
        capture_output=True,
        text=True,
        cwd=ROOT,
    )


def test_importing_keras_is_quiet_whatever_backend_and_home_the_user_has(
    tmp_path, monkeypatch
):
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    # Matplotlib, which Keras imports, cannot write to such a home.
    (tmp_path / "file").touch()
    for name in ("MPLCONFIGDIR", "XDG_CONFIG_HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "file"))
    done = run_python(
        "from console import quiet\nwith quiet.imports():\n    import keras\n"
        "print(keras.backend.backend())"
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "tensorflow\n", "")


def test_what_matters_is_still_said():
    done = run_python(
        "import os\nfrom console import quiet\n"
        "with quiet.imports():\n"
        "    os.write(2, b'I0000 00:00:1 1 port.cc:1] oneDNN\\nlibcuda is too old\\n')"
    )
    assert done.stderr == "libcuda is too old\n"


def test_all_is_said_when_the_import_fails():
    done = run_python(
        "import os\nfrom console import quiet\n"
        "with quiet.imports():\n"
        "    os.write(2, b'I0000 00:00:1 1 port.cc:1] a hint\\n')\n"
        "    import no_such_module"
    )
    assert done.returncode == 1
    assert "a hint" in done.stderr and "no_such_module" in done.stderr


APP = """
import dataclasses, os, sys
from console import app
from console.errors import InputError
from console.settings import Settings, option
@dataclasses.dataclass(frozen=True)
class Named(Settings):
    name: str = option(None, "A name.", is_required=True)
def main():
    {body}
app.run(main, (Named,))
"""


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        ("raise InputError('a.png: broken')", 1, "Error: a.png: broken\n"),
        ("raise KeyboardInterrupt", 130, "Stopped.\n"),
        ("open('/proc/none')", 1, "Error: /proc/none: No such file or directory.\n"),
        (
            "raise OSError(28, 'No space left on device', 'x')",
            1,
            "Error: x: no space left on the disk; free some and run again.\n",
        ),
        ("Named.from_flags()", 1, "Error: --name must be given; see --helpshort.\n"),
        ("return 7", 7, ""),
    ],
)
def test_a_users_mistake_is_one_line_at_the_scripts_edge(body, status, said):
    done = run_python(APP.format(body=body))
    assert (done.returncode, done.stderr) == (status, said)


def test_a_defect_of_ours_keeps_its_traceback():
    done = run_python(APP.format(body="raise ValueError('ours')"))
    assert done.returncode == 1
    assert "Traceback" in done.stderr and "ValueError: ours" in done.stderr


def test_nothing_is_declared_by_importing():
    names = set(flags.FLAGS)
    import models.eusr  # noqa: F401

    assert set(flags.FLAGS) == names
