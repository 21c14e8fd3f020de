"""Files of a training under JAX: whole, in pieces, in 16 bits, cut off, foreign."""

from pathlib import Path

import numpy as np
import pytest

from console.errors import InputError
from misc.jax_training import archives, log, run_files
from tests.scripts import fail_here, run_here


def write_archive(path, **arrays):
    arrays = arrays or {"generator/a": np.arange(600_000, dtype=np.float32)}
    return archives.write(path, arrays, {"model": "eusr"}, most_bytes=1_000_000)


def test_a_missing_piece_and_a_cut_file_are_told(tmp_path):
    path = tmp_path / "weights-3.npz"
    pieces = write_archive(path)
    assert [piece.name[-4:] for piece in pieces] == ["1of3", "2of3", "3of3"]
    (found,) = archives.find(pieces[1], "--a")
    arrays, arguments = archives.read(found, "--a")
    assert arguments == {"model": "eusr"} and arrays["generator/a"].shape == (600_000,)
    pieces[1].unlink()
    with pytest.raises(InputError, match="2of3 is missing"):
        archives.read(path, "--a")
    path.write_bytes(pieces[0].read_bytes())
    with pytest.raises(InputError, match="cannot be read as a file like"):
        archives.read(path, "--a")


def test_pieces_of_before_do_not_stay(tmp_path):
    path = tmp_path / "weights-3.npz"
    write_archive(path)
    (whole,) = write_archive(path, **{"generator/a": np.zeros(3, np.float32)})
    assert list(tmp_path.iterdir()) == [whole]


def test_weights_that_do_not_fit_are_refused_with_the_line_of_a_checkpoint(tmp_path):
    path = tmp_path / "weights-3.npz"
    arguments = {"model": "eusr", "architecture": {"conv_features": 4}}
    archives.write(path, {"generator/first_conv/bias": np.zeros(5)}, arguments)
    flags = (f"--input_path={path}", f"--output_path={tmp_path / 'model.ckpt-3'}")
    line = fail_here("misc/import_weights.py", *flags)
    assert "does not fit this model, which differs in" in line
    archives.write(path, {"generator/a": np.zeros(5)}, {"model": "other"})
    line = fail_here("misc/import_weights.py", *flags)
    assert "its model=other does not exist" in line
    archives.write(path, {"generator/a": np.zeros(5)}, {"model": "eusr"})
    line = fail_here("misc/import_weights.py", *flags)
    assert "does not name the network of its weights" in line
    path.write_bytes(b"nothing")
    assert "cannot be read as a file like" in fail_here(
        "misc/import_weights.py", *flags
    )
    assert run_here("misc/import_weights.py").returncode == 1
    assert list(tmp_path.iterdir()) == [path]


def write_save(folder, step, kinds=(archives.STATE, archives.WEIGHTS)):
    """Files of a run whose only weight is the step."""
    arrays = {
        archives.STATE: {"seconds": np.float64(3), "first_bad_step": np.int32(-1)},
        archives.WEIGHTS: {"generator/a": np.full((2, 2), step, np.float32)},
    }
    for kind in kinds:
        path = archives.name_archive(folder, kind, step)
        archives.write(path, arrays[kind], {"model": "eusr", "run": {}})


def test_what_a_kill_has_cut_off_is_neither_gone_on_with_nor_kept(tmp_path, capsys):
    for step in (4, 8):
        write_save(tmp_path, step)
    write_save(tmp_path, 12, kinds=[archives.STATE])
    (tmp_path / "weights-16.npz.1of2").write_bytes(b"half")
    origin = run_files.read_newest(tmp_path)
    assert origin.step == 8 and origin.state["generator"]["a"][0, 0] == 8
    assert capsys.readouterr().err == ""
    assert run_files.read_weights(tmp_path, "--a").path.name == "weights-8.npz"
    assert "2of2 is missing" in capsys.readouterr().err
    write_save(tmp_path, 20)
    write_save(tmp_path, 18)
    # As if 20 had been damaged: 18 is the run's newest, and must stay.
    run_files.remove_old(tmp_path, 1, 18)
    assert run_files.list_saved(tmp_path) == [18, 20]
    assert len(list(tmp_path.iterdir())) == 4


def test_weights_alone_are_no_run_to_begin_over(tmp_path):
    write_save(tmp_path, 8, kinds=[archives.WEIGHTS])
    with pytest.raises(InputError, match="no state-8.npz to go on from"):
        run_files.read_newest(tmp_path)


def test_what_does_not_fit_16_bits_keeps_32():
    kernel = np.full((2, 2), 1e9, np.float32)
    assert archives.to_half(kernel).dtype == np.float32
    assert archives.to_half(kernel / 1e9).dtype == np.float16


@pytest.mark.parametrize(
    "text", ["", "a,b\n1", "step,loss\n1,2,3\nx,y\n", "step\n\xff"]
)
def test_a_damaged_log_is_begun_anew(tmp_path, capsys, text):
    (tmp_path / log.NAME).write_bytes(text.encode("latin-1"))
    assert log.read(tmp_path, 5) == []
    assert text == "" or "is damaged; a new one is begun" in capsys.readouterr().err
    rows = [{"step": 2, "loss": 0.5}, {"step": 4, "psnr_y_x2": 30.25}]
    log.write(tmp_path, rows)
    assert log.read(tmp_path, 5) == rows and log.read(tmp_path, 3) == rows[:1]


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04rest", b"\x93NUMPY", b"x" * 99])
def test_foreign_files_get_a_line(tmp_path, content):
    path = tmp_path / "weights-3.npz"
    path.write_bytes(content)
    with pytest.raises(InputError, match="cannot be read as a file like"):
        archives.read(path, "--a")


def test_parts_of_new_scales_begin_as_new(capsys):
    fresh = {
        "generator": {name: np.zeros(1) for name in ("first_conv/a", "x2_a", "x4_a")}
    }
    weights = {"generator": {name: np.ones(1) for name in ("first_conv/a", "x2_a")}}
    origin = run_files.Origin(Path("a.npz"), "--restore_path", weights, {})
    state = run_files.take_state(fresh, origin)
    assert state["generator"] == {"first_conv/a": 1, "x2_a": 1, "x4_a": 0}
    assert "a.npz has no x4: the layers for" in capsys.readouterr().out
    del weights["generator"]["first_conv/a"]
    with pytest.raises(InputError, match="first_conv"):
        run_files.take_state(fresh, origin)
