import os
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from console.errors import InputError
from console.made import NAME
from imaging.files import load_image, save_image
from tests.pictures import draw_picture
from tests.scripts import fail_here, run_here, succeed_here
from tests.small import make_small
from training.checkpoint_writer import CheckpointWriter
from upscaling import run
from upscaling.jobs import Jobs
from upscaling.output import Output


def fill(folder, *names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(draw_picture(9, 12)).save(path)
    return folder


def touch(folder, *names):
    folder.mkdir()
    for name in names:
        (folder / name).touch()
    return folder


def find(inputs, output, **options):
    jobs = Jobs(inputs, Output(output, **options))
    return {job.source.name: job.target for job in jobs}


def test_subfolders_are_kept(tmp_path):
    folder = fill(tmp_path / "in", "a.png", "b/c d.jpg", "b/é/f.webp")
    jobs = find([folder], tmp_path / "out")
    assert jobs == {
        "a.png": tmp_path / "out" / "a.png",
        "c d.jpg": tmp_path / "out" / "b" / "c d.jpg",
        "f.webp": tmp_path / "out" / "b" / "é" / "f.webp",
    }


def test_names_get_suffix_and_format(tmp_path):
    folder = fill(tmp_path / "in", "a.b.JPG")
    jobs = find([folder], tmp_path, suffix="_x4")
    assert jobs == {"a.b.JPG": tmp_path / "a.b_x4.JPG"}
    jobs = find([folder], tmp_path, suffix="_x4", output_format="png")
    assert jobs == {"a.b.JPG": tmp_path / "a.b_x4.png"}


def test_a_file_of_no_known_ending_becomes_a_png(tmp_path):
    source = tmp_path / "picture"
    Image.fromarray(draw_picture(9, 12)).save(source, format="PNG")
    assert find([source], tmp_path / "out") == {
        "picture": tmp_path / "out" / "picture.png"
    }


def test_several_paths_are_taken_each_picture_once(tmp_path):
    folder = fill(tmp_path / "in", "a.png", "b.png")
    other = fill(tmp_path / "more", "c.png")
    jobs = find([folder / "a.png", folder, other], tmp_path / "out")
    assert list(jobs) == ["a.png", "b.png", "c.png"]


def test_results_among_the_pictures_are_not_taken_again(tmp_path):
    folder = fill(tmp_path, "a.png", "SR/a.png", ".hidden/b.png")
    assert list(find([folder], folder / "SR")) == ["a.png"]
    # In the same folder the suffix tells them.
    fill(tmp_path, "a_x4.png", "a_x4.png.compare.png", "b_x4.png")
    jobs = Jobs([folder], Output(folder, suffix="_x4"))
    names = [str(job.source.relative_to(folder)) for job in jobs]
    assert names == ["SR/a.png", "a.png", "b_x4.png"]


def test_a_folder_of_results_alone_is_nothing_to_do(tmp_path):
    folder = fill(tmp_path, "SR/a.png")
    with pytest.raises(InputError, match="all pictures lie in --output"):
        find([folder], folder / "SR")


@pytest.mark.parametrize("link", [False, True])
def test_no_source_is_written_over(tmp_path, link):
    folder = fill(tmp_path / "in", "a.png")
    output = tmp_path / "link" if link else folder
    if link:
        output.symlink_to(folder)
    with pytest.raises(InputError, match="would overwrite .*a.png.* or a --suffix"):
        find([folder], output)


def test_two_results_of_one_name_are_refused(tmp_path):
    one = fill(tmp_path, "one/a.png", "b/a.png")
    paths = one / "one" / "a.png", one / "b" / "a.png"
    with pytest.raises(InputError, match="would be written to a.png.bmp"):
        find(paths, tmp_path / "out", output_format="bmp")


def test_folders_with_files_of_one_name_are_kept_apart(tmp_path, capsys):
    one = fill(tmp_path / "one", "a.png", "sub/b.png")
    other = fill(tmp_path / "other", "a.png", "c.png")
    single = fill(tmp_path, "d.png") / "d.png"
    out = tmp_path / "out"
    jobs = Jobs([one, other, single], Output(out))
    names = ["one/a.png", "one/sub/b.png", "other/a.png", "other/c.png", "d.png"]
    assert [str(job.target.relative_to(out)) for job in jobs] == names
    assert "each folder has its own in" in capsys.readouterr().out
    (other / "a.png").unlink()
    assert find([one, other], out)["c.png"] == out / "c.png"
    # Folders of one name, too, cannot be told apart.
    third = fill(tmp_path / "deep" / "one", "a.png")
    with pytest.raises(InputError, match="would be written to a.png; rename"):
        find([one, third], out)


def test_results_of_several_scales_are_not_enlarged_again(tmp_path):
    fill(tmp_path / "in", "a.png", "b_x2.png")

    def run(scale, *inputs):
        flags = f"--scale={scale}", f"--suffix=_x{scale}", "--compare", *inputs
        folder = tmp_path / "in"
        paths = [] if inputs else [folder]
        return succeed_here(
            *("test.py", "--model=bicubic", f"--output_path={folder}", *flags, *paths)
        )

    assert "Upscaled 2 of 2" in run(2)
    # What has such a name and is no result of ours is a picture.
    said = run(4)
    assert "Upscaled 2 of 2" in said and "Left out of the pictures: 4 results" in said
    names = {path.name for path in (tmp_path / "in").glob("*.png")}
    assert {"a_x4.png", "b_x2_x4.png"} < names and "a_x2_x4.png" not in names
    assert "Upscaled 1 of 1" in run(4, tmp_path / "in" / "a_x2.png")


def test_pictures_of_all_kinds_are_found_and_other_files_are_counted(tmp_path, capsys):
    names = ("a.jfif", "b.jpe", "c.MPO", "d.gif", "e.avif", "f.dib", "g.jp2", "h.pgm")
    names += ("i.HEIC", "j.hif", "k.avifs", "l.jxl")
    folder = touch(tmp_path / "in", *names, "x.svg", "y.svg", "z.dds", ".svg")
    results = find([folder], tmp_path / "out")
    assert [path.name for path in results.values()] == [
        *("a.jpg", "b.jpg", "c.jpg", "d.png", "e.avif", "f.bmp", "g.png", "h.png"),
        *("i.HEIC", "j.heic", "k.avif", "l.jxl"),
    ]
    assert capsys.readouterr().out == f"Left out of {folder}: 2 .svg, 1 .dds.\n"


def test_results_whose_ending_changes_keep_the_old_one_if_they_share_a_name(tmp_path):
    names = ("a.png", "a.gif", "a.JPG", "b.gif", "c.ico", "c.tga")
    folder = touch(tmp_path / "in", *names)
    results = find([folder], tmp_path / "out", suffix="_x2")
    assert {source: path.name for source, path in results.items()} == {
        "a.png": "a_x2.png",
        "a.gif": "a.gif_x2.png",
        "a.JPG": "a_x2.JPG",
        "b.gif": "b_x2.png",
        "c.ico": "c.ico_x2.png",
        "c.tga": "c.tga_x2.png",
    }
    results = find([folder], tmp_path / "out", output_format="png")
    assert [path.name for path in results.values()] == [
        *("a.JPG.png", "a.gif.png", "a.png", "b.png", "c.ico.png", "c.tga.png")
    ]


def test_two_links_to_one_picture_are_two_pictures(tmp_path):
    folder = fill(tmp_path / "in", "a.png")
    (folder / "b.png").symlink_to("a.png")
    assert len(find([folder], tmp_path / "out")) == 2


def command(folder, *flags):
    return (
        *("test.py", "--model=bicubic", "--scale=2"),
        *(f"--input_path={folder / 'in'}", f"--output_path={folder / 'out'}"),
        *flags,
    )


def test_what_is_done_is_kept_and_the_rest_is_done(tmp_path):
    fill(tmp_path / "in", "a.png")
    succeed_here(*command(tmp_path))
    kept = tmp_path / "out" / "a.png"
    before = kept.stat()
    fill(tmp_path / "in", "sub/b.jpg")
    said = succeed_here(*command(tmp_path))
    assert "Kept 1 of 2 results" in said and "Upscaled 1 of 1 pictures" in said
    # However tiles are cut, and whatever number stands for a scale.
    said = succeed_here(*command(tmp_path, "--tile_size=64", "--scale=2.0"))
    assert "Kept 2 of 2 results" in said and "Upscaled" not in said
    assert kept.stat() == before
    succeed_here(*command(tmp_path, "--overwrite"))
    assert kept.stat() != before


def test_what_was_made_otherwise_is_kept_and_told(tmp_path):
    folder = fill(tmp_path / "in", "a.png", "b.jpg", "c.png")
    succeed_here(*command(tmp_path))
    outputs = [tmp_path / "out" / name for name in ("a.png", "b.jpg", "c.png")]
    before = [path.read_bytes() for path in outputs]

    def tell(*flags):
        done = run_here(*command(tmp_path, *flags))
        assert done.returncode == 1 and done.stderr.startswith("Warning: not made")
        assert [path.read_bytes() for path in outputs] == before
        return done.stderr

    a, b, c = outputs
    assert (
        f"not made: 3 of 3 results. Already there: {a} (and 2 more), made by bicubic "
        "--scale=2 instead of bicubic --scale=4. --overwrite replaces"
    ) in tell("--scale=4")
    assert "--scale=2 --self_ensemble" in tell("--self_ensemble")
    # The quality is JPEG's alone.
    line = tell("--jpeg_quality=50")
    assert "1 of 3" in line and f"{b}, made by bicubic --scale=2 --jpeg_qual" in line
    # Nothing is mixed: of what is missing nothing is made, either.
    fill(tmp_path / "in", "d.png")
    assert "not made: 4 of 4 results" in tell("--scale=4")
    assert not (tmp_path / "out" / "d.png").exists()
    # What tiles show of their borders depends on how they are cut.
    assert "--tile_overlap=0 --tile_size=8" in tell("--tile_size=8", "--tile_overlap=0")
    os.utime(folder / "a.png", (1, 1))
    save_image(c, draw_picture(9, 7))
    before[2] = c.read_bytes()
    line = tell()
    assert f"{a}, made before {folder / 'a.png'} changed; and {c}, made by an" in line
    assert (tmp_path / "out" / "d.png").exists()


def test_a_comparison_that_is_missing_is_made(tmp_path):
    fill(tmp_path / "in", "a.png")
    succeed_here(*command(tmp_path))
    assert "Upscaled 1 of 1" in succeed_here(*command(tmp_path, "--compare"))
    assert (tmp_path / "out" / "a.png.compare.png").exists()
    assert "Kept 1 of 1" in succeed_here(*command(tmp_path, "--compare"))


def test_a_damaged_memory_is_no_memory(tmp_path):
    fill(tmp_path / "in", "a.png")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / NAME).write_bytes(b"\xff\n[1]\n" + b"[" * 100_000 + b"\n{}")
    assert "Upscaled 1 of 1" in succeed_here(*command(tmp_path))
    assert "Kept 1 of 1" in succeed_here(*command(tmp_path))
    (tmp_path / "out" / NAME).unlink()
    (tmp_path / "out" / NAME).mkdir()
    assert f"{NAME} is a folder" in fail_here(*command(tmp_path))


def test_results_are_those_of_weights_not_of_a_place(tmp_path):
    fill(tmp_path / "in", "a.png")
    script, _, *flags = command(tmp_path)
    model = make_small()
    one, other = (
        CheckpointWriter(model.checkpoint_items(), tmp_path / name, 1).save(0)
        for name in ("one", "other")
    )
    succeed_here(script, *flags, f"--restore_path={one}")
    said = succeed_here(script, *flags, f"--restore_path={other}")
    assert "Kept 1 of 1 results" in said
    model.generator.weights[0].assign_add(1.0 + 0 * model.generator.weights[0])
    third = CheckpointWriter(model.checkpoint_items(), tmp_path / "third", 1).save(0)
    done = run_here(script, *flags, f"--restore_path={third}")
    assert done.returncode == 1
    assert re.search(r"made by (\S+ \(\w+\)) .* instead of (?!\1)", done.stderr)


def test_a_broken_picture_is_listed_at_the_end(tmp_path):
    fill(tmp_path / "in", "a.png", "b.png", "c.png")
    (tmp_path / "in" / "b.png").write_bytes(b"no picture")
    (tmp_path / "in" / "d.png").symlink_to("gone.png")
    done = run_here(*command(tmp_path))
    assert done.returncode == 1
    assert "b.png: is not an image" in done.stderr
    assert "d.png: is a link to gone.png" in done.stderr
    last = done.stdout.strip().splitlines()[-3:]
    assert last[0] == "Left out, for the reasons above:"
    assert [line.strip() for line in last[1:]] == [
        str(tmp_path / "in" / name) for name in ("b.png", "d.png")
    ]
    assert {p.name for p in (tmp_path / "out").iterdir()} == {"a.png", "c.png", NAME}


def test_paths_need_no_flag(tmp_path):
    fill(tmp_path / "in", "a.png", "b.png")
    flags = [f for f in command(tmp_path) if not f.startswith("--input_path")]
    said = succeed_here(*flags, tmp_path / "in" / "a.png", tmp_path / "in" / "b.png")
    assert "Upscaled 2 of 2 pictures" in said
    line = fail_here(*flags, "scale=3")
    assert "--input_path=scale=3: does not exist" in line


def test_crops_are_drawn_beside_a_result(tmp_path):
    fill(tmp_path / "in", "a.png")
    succeed_here(*command(tmp_path, "--compare"))
    names = {path.name for path in (tmp_path / "out").iterdir()} - {NAME}
    assert names == {"a.png", "a.png.compare.png"}
    with Image.open(tmp_path / "out" / "a.png.compare.png") as image:
        assert image.mode == "RGB" and image.width > 3 * 100


def test_a_suffix_is_no_path(tmp_path):
    fill(tmp_path / "in", "a.png")
    line = fail_here(*command(tmp_path, "--suffix=/x"))
    assert "--suffix=/x: expected a part of a file name" in line


@pytest.mark.parametrize(
    ("flag", "said"),
    [
        ("--scale=0.5", "--scale=0.5: expected a number of at least 1"),
        ("--scale=20", "--scale=20: the model supports x2 and x3 and x4 and x6"),
        ("--tile_size=small", "expected a whole number of at least 1, or auto"),
        ("--memory_limit=0.1", "expected a finite number of at least 1"),
        ("--output_format=psd", "--output_format=psd: "),
    ],
)
def test_a_mistake_gets_a_line(tmp_path, flag, said):
    fill(tmp_path / "in", "a.png")
    assert said in fail_here(*command(tmp_path, flag))
    assert not Path(tmp_path / "out").exists()


def test_an_original_of_another_format_is_not_written_over(tmp_path):
    folder = fill(tmp_path, "in/photo.jpg", "in/photo.png") / "in"
    before = (folder / "photo.png").read_bytes()
    flags = [f for f in command(tmp_path) if not f.startswith("--output_path")]
    line = fail_here(
        *flags, f"--output_path={folder}", "--output_format=png", "--overwrite"
    )
    assert "holds the input picture" in line and "photo.jpg;" in line
    assert (folder / "photo.png").read_bytes() == before


def test_a_result_of_another_format_is_not_taken_again(tmp_path):
    folder = fill(tmp_path, "z.jpg", "z_x.png")
    jobs = find([folder], folder, suffix="_x", output_format="webp")
    assert jobs == {"z.jpg": folder / "z_x.webp"}


def test_each_result_has_its_own_comparison(tmp_path):
    fill(tmp_path / "in", "a.png", "a.jpg")
    succeed_here(*command(tmp_path, "--compare"))
    names = {path.name for path in (tmp_path / "out").iterdir()} - {NAME}
    assert names == {"a.png", "a.jpg", "a.png.compare.png", "a.jpg.compare.png"}
    fill(tmp_path / "in", "a.jpg.compare.png")
    assert "several pictures would be written to a.jpg.compare.png" in fail_here(
        *command(tmp_path, "--compare")
    )


def test_folders_behind_links_are_looked_into_and_loops_end(tmp_path):
    folder = fill(tmp_path / "in", "a.png")
    fill(tmp_path / "other", "b.png")
    fill(folder, "z/deep/c.png")
    (folder / "link").symlink_to(tmp_path / "other")
    (folder / "loop").symlink_to(folder)
    (tmp_path / "other" / "back").symlink_to(folder)
    (folder / "b").symlink_to(folder / "z" / "deep")
    (folder / "self.png").symlink_to("self.png")
    jobs = Jobs([folder], Output(tmp_path / "out"))
    names = [str(job.source.relative_to(folder)) for job in jobs]
    # What a link shows is shown in its own place, too.
    assert names == ["a.png", "b/c.png", "link/b.png", "self.png", "z/deep/c.png"]


def test_a_folder_that_may_not_be_read_is_named(tmp_path, monkeypatch):
    folder = fill(tmp_path / "in", "a.png", "secret/b.png")
    scan = os.scandir

    def refuse(path):  # Root may read anything.
        if str(path).endswith("secret"):
            raise PermissionError(13, "Permission denied", str(path))
        return scan(path)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(InputError, match="secret: this folder is not readable"):
        find([folder], tmp_path / "out")


def test_results_are_not_mixed_with_pictures_that_nothing_tells_apart(tmp_path):
    folder = fill(tmp_path, "in/photo.jpg") / "in"
    with pytest.raises(
        InputError, match="holds the input picture .*photo.jpg; .* --suffix"
    ):
        find([folder], folder, output_format="png")
    assert find([folder], folder, output_format="png", suffix="_x2")


def test_what_stands_in_the_way_of_one_result_stops_no_other(tmp_path):
    fill(tmp_path / "in", "a.png", "b.png", f"{'c' * 210}.png")
    (tmp_path / "out" / "a.png").mkdir(parents=True)
    done = run_here(*command(tmp_path, f"--suffix={'_' * 50}"))
    assert done.returncode == 1 and "File name too long" in done.stderr
    done = run_here(*command(tmp_path))
    assert done.returncode == 1 and "a.png: is a folder; move it away" in done.stderr
    assert (tmp_path / "out" / "b.png").is_file()
    fill(tmp_path / "in", "sub/d.png")
    (tmp_path / "out" / "sub").write_text("a file")
    done = run_here(*command(tmp_path))
    assert done.returncode == 1 and "sub: File exists" in done.stderr


def test_a_failure_to_write_is_told_of_the_picture_that_it_was(tmp_path, monkeypatch):
    fill(tmp_path / "in", "a.png", "b.png", "c.png", "d.png")
    save = run.save_picture

    def fail(path, *arguments):
        if path.name in ("b.png", "d.png"):
            raise MemoryError
        save(path, *arguments)

    monkeypatch.setattr(run, "save_picture", fail)
    done = run_here(*command(tmp_path))
    assert done.returncode == 1 and "Upscaled 2 of 4 pictures" in done.stdout
    for name in ("b.png", "d.png"):
        assert f"{name}: out of memory" in done.stderr
    assert {p.name for p in (tmp_path / "out").iterdir()} == {"a.png", "c.png", NAME}


def test_turned_ways_are_averaged_and_narrow_tiles_taken(tmp_path):
    fill(tmp_path / "in", "a.png")
    prefix = CheckpointWriter(
        make_small().checkpoint_items(), tmp_path / "run", 1
    ).save(0)
    results = {}
    for name, *more in (
        ("plain",),
        ("tiles", "--tile_size=3"),
        ("narrow", "--tile_size=3", "--tile_overlap=0"),
        ("mean", "--self_ensemble"),
        ("mean_in_tiles", "--self_ensemble", "--tile_size=3"),
    ):
        succeed_here(
            *("test.py", f"--restore_path={prefix}", "--scale=2", *more),
            *(f"--input_path={tmp_path / 'in'}", f"--output_path={tmp_path / name}"),
        )
        results[name] = load_image(tmp_path / name / "a.png").astype(int)

    def differ(one, other):
        return np.abs(results[one] - results[other]).max()

    assert differ("plain", "tiles") <= 1 and differ("mean", "mean_in_tiles") <= 1
    assert differ("plain", "narrow") > 1 and differ("plain", "mean") > 1


def test_a_single_result_may_be_named(tmp_path):
    source = fill(tmp_path, "a.png") / "a.png"
    flags = "test.py", "--model=bicubic", "--scale=2", f"--input_path={source}"
    target = f"--output_path={tmp_path / 'large.JPG'}"
    assert f"a.png (12x9) -> {tmp_path / 'large.JPG'}" in succeed_here(*flags, target)
    with Image.open(tmp_path / "large.JPG") as image:
        assert (image.format, image.size) == ("JPEG", (24, 18))
    assert "Kept 1 of 1 results" in succeed_here(*flags, target)
    line = fail_here(*flags, f"--output_path={source}", "--overwrite")
    assert "would overwrite the input picture" in line
    for flag in ("--suffix=_x2", "--output_format=png"):
        line = fail_here(*flags, target, flag)
        assert f"names a file; leave {flag.partition('=')[0]} out" in line
    succeed_here(*flags, target, "--output_format=jpeg")
    fill(tmp_path, "in/b.png")
    line = fail_here(*flags, target, tmp_path / "in")
    assert "names a file, but there are 2 pictures; give a folder" in line


def test_a_folder_may_be_named_like_a_picture(tmp_path):
    folder = fill(tmp_path / "in", "a.png")
    assert find([folder], f"{tmp_path}/b.png/") == {"a.png": tmp_path / "b.png/a.png"}
    (tmp_path / "b.png").mkdir()
    assert find([folder], tmp_path / "b.png") == {"a.png": tmp_path / "b.png/a.png"}
