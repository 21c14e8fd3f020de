"""The page of app.py without Gradio: files, turns, limits, and what users see."""

import asyncio
import contextlib
import dataclasses
import html
import math
import os
import socket
import subprocess
import sys
import threading
import time
import types
import zipfile
from pathlib import Path

import numpy as np
import pytest
from absl import flags
from PIL import Image

import app
from console.errors import InputError
from imaging import limits
from imaging.kinds import RESULT_ENDINGS
from imaging.saving import save_preview
from models import offered
from models.bicubic import Bicubic
from models.opening import CheckpointSettings
from page import viewer
from page.batches import Batch, Work, to_uploads
from page.server import ServerSettings
from page.sessions import Sessions, Turns, to_plain_name
from score_predictors import judging
from tests.kinds_of_pictures import KINDS
from tests.pictures import draw_picture
from tests.scripts import ROOT, fail_here, flags_of_its_own, run_here
from upscaling.choosing import EnlargingSettings

BAD_NAMES = (
    *("../../etc/passwd", "..\\..\\boot.ini", "/etc/shadow", "C:\\a\\b.png", "..", "."),
    *("", "/", "\\", "a/../b.png", "....//....//c.png", "%2e%2e%2fd.png", "~/.bashrc"),
    *(
        "a\0.png",
        "a\nb.png",
        "a\r\nSet-Cookie: b=c.png",
        "\x1b[31m.png",
        "\u202egnp.exe",
    ),
    *("<script>alert(1)</script>.png", '"><img src=x onerror=alert(1)>.png', "a.png;b"),
    *("$(reboot).png", "`reboot`.png", "a|b.png", "a&b.png", "'; DROP TABLE a;--.png"),
    *("CON", "nul.png", "COM1.jpg", "aux.tar.gz", "a:stream.png", "a?.png", "*.png"),
    *("a" * 5000 + ".png", "é" * 300 + ".png", ".htaccess", ".png", "-rf.png", " .png"),
    *(
        "\ud800.png",
        "a.png.",
        "a.png ",
        "a.PNG",
        "x.svg",
        "x.html",
        "x.php",
        "x.png.exe",
    ),
    *("file:///etc/passwd", "http://127.0.0.1/a.png", "{{7*7}}.png", "${7*7}.png"),
    *("%s%n.png", "a%00.png", "\uff0e\uff0e\u2215a.png", "lock", "uploads", "a\tb.png"),
)


@pytest.fixture
def some(tmp_path, monkeypatch):
    """Sessions in a folder of the test's."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    some = Sessions()
    yield some
    some.close()


@pytest.fixture(autouse=True)
def plain_judge(monkeypatch):
    """Scores that cost no network: the mean level of a picture."""

    def predict(patches):
        levels = patches.mean(axis=(1, 2, 3)) // 26
        return np.eye(10)[levels.astype(int)]

    monkeypatch.setattr(judging, "_open_shipped", lambda: (predict, 0))


@pytest.fixture
def page(some):
    """The page, with bicubic interpolation for all weights."""
    with flags_of_its_own():
        EnlargingSettings.define_flags()
        flags.FLAGS(["app.py"])
        yield make_page(some)


def make_page(some, **changed):
    weights = types.SimpleNamespace(
        open=lambda precision, naturalness: Bicubic(), is_mixed=False, frozen=None
    )
    return app.Page(EnlargingSettings(**changed), {"bicubic": weights}, some)


def enlarge(page, files, truths=(), user="user", kind="Scale", number=2):
    """What a user sees at last: the line and the results."""

    async def see():
        chosen = ("bicubic", kind, number, "float32", 1)
        return [each async for each in page.enlarge(user, files, truths, *chosen)]

    status, results = asyncio.run(see())[-1]
    return html.unescape(status.split('status">')[2].partition("<")[0]), results


def read(page, address):
    """The content and the name of what an address of the page offers."""
    _, key, number = address.split("/")
    path, name = page.sessions.find(key).find(number)
    return path.read_bytes(), name


def write(folder, *names):
    files = []
    for name in names:
        KINDS[name].write(folder / name)
        files.append((str(folder / name), name))
    return files


def test_results_are_to_the_byte_those_of_the_script(page, tmp_path):
    names = list(KINDS)
    (tmp_path / "in").mkdir()
    files = write(tmp_path / "in", *names)
    line, results = enlarge(page, files)
    assert line == f"Enlarged {len(names)} of {len(names)} by 2."
    done = run_here(
        "test.py",
        *("--model=bicubic", "--scale=2", f"--output_path={tmp_path / 'out'}"),
        *[path for path, _ in files],
    )
    assert done.returncode == 0
    notes = {each["name"]: each["notes"] for each in results["pictures"]}
    told = "pages.tif has 3 pages or frames; only the first is used"
    assert notes.pop("pages.tif")[0].startswith(told) and not any(notes.values())
    got = dict(reversed(read(page, each["download"])) for each in results["pictures"])
    expected = {p.name: p.read_bytes() for p in (tmp_path / "out").glob("[!.]*.*")}
    assert got == expected
    with zipfile.ZipFile(page.sessions.open("user").zip()) as archive:
        assert {name: archive.read(name) for name in archive.namelist()} == expected


def test_bad_pictures_are_told_by_their_names_and_others_go_on(page, tmp_path):
    ((good, _),) = write(tmp_path, "grey.png")
    bad = tmp_path / "bad"
    bad.write_bytes(Path(good).read_bytes()[:400])
    names = [f"mine{ending}" for ending in RESULT_ENDINGS]
    files = [*((str(bad), name) for name in names), (good, "grey.png")]
    line, results = enlarge(page, files)
    assert line == f"Enlarged 1 of {len(files)} by 2."
    *told, made = results["pictures"]
    for name, each in zip(names, told, strict=True):
        assert each["name"] == name and each["error"].startswith(f"{name}: ")
        assert str(tmp_path) not in each["error"] and "picture." not in each["error"]
    assert made["before"]["size"] == [31, 22] and made["after"]["size"] == [62, 44]
    assert results["all"] is None


def test_a_batch_that_waits_does_not_offer_the_results_of_the_last(tmp_path):
    with contextlib.closing(Sessions()) as some:
        session = some.open("user")
        for name in ("a.png", "b.png"):
            session.offer(tmp_path / name, name)
        batch = Batch(session, Turns(), [], Work(None, None, None))
        assert batch.list_results() == {"pictures": [], "all": None}


@pytest.mark.parametrize("name", BAD_NAMES)
def test_a_bad_name_is_only_shown(name):
    plain = to_plain_name(name)
    assert plain == Path(plain).name and plain.isprintable()
    assert not set(plain) & set('<>:"/\\|?*$`') and not plain.startswith(".")
    assert 0 < len(plain.encode()) < 250 and to_plain_name(plain) == plain
    assert plain.partition(".")[0].lower() not in ("con", "nul", "com1", "aux")


def test_pictures_of_bad_names_stay_in_the_folder(page, tmp_path):
    (file,) = write(tmp_path, "grey.png")
    before = {
        path for path in tmp_path.rglob("*") if page.sessions.root not in path.parents
    }
    _, results = enlarge(page, [(file[0], name) for name in BAD_NAMES], number=1)
    made = [each for each in results["pictures"] if "download" in each]
    assert len(made) == len(BAD_NAMES)
    assert len({each["name"] for each in made}) == len(BAD_NAMES)
    after = {
        path for path in tmp_path.rglob("*") if page.sessions.root not in path.parents
    }
    assert after == before
    status = viewer.draw_status("<script>a</script>")
    assert "<script" not in status and "&lt;script&gt;" in status


def test_stopping_ends_the_work_within_a_tile(page, tmp_path, monkeypatch):
    session, passes = page.sessions.open("user"), []
    forward = Bicubic.forward

    def stop(self, lr, scale):
        passes.append(scale)
        session.to_stop.set()
        return forward(self, lr, scale)

    monkeypatch.setattr(Bicubic, "forward", stop)
    page.enlarging = dataclasses.replace(page.enlarging, tile_size=8)
    line, results = enlarge(page, write(tmp_path, "rgb.png", "grey.png"))
    assert line == "Cancelled after 0 of 2." and results["pictures"] == []
    assert passes == [2]
    monkeypatch.undo()
    assert not session.is_busy.locked()


def test_originals_are_compared_by_name(page, tmp_path):
    lr, hr = tmp_path / "a.png", tmp_path / "truth.png"
    Image.fromarray(draw_picture(20, 24)).save(lr)
    result = Bicubic().upscale(draw_picture(20, 24), 2).astype(int)
    off_by_one = np.where(result < 255, result + 1, 254).astype(np.uint8)
    Image.fromarray(off_by_one).save(hr)
    files = [(str(lr), "a.png"), (str(lr), "b.png")]
    _, results = enlarge(page, files, [(str(hr), "a.PNG"), (str(lr), "b.tif")])
    first, second = (each["values"] for each in results["pictures"])
    # One grey level of 255, on luma of 219 levels: 48.13 + 1.32 dB.
    assert first[1:] == ["PSNR 49.45 dB", "SSIM 1.0000"]
    assert second[1:] == ["not compared: the original is 24 x 20"]
    line, _ = enlarge(page, files, [(str(hr), "c.png")])
    assert line.startswith("The original c has the name of no picture")
    (upload,) = to_uploads(files[:1], [(str(hr), "any.png")])
    assert upload.truth == hr


@pytest.mark.parametrize(
    ("kind", "number", "told"),
    [
        ("Scale", 0.5, "Scale: expected a number of at least 1."),
        ("Width", None, "Width: expected a number"),
        ("Height", "abc", "Height: expected a number"),
        ("Megapixels", -1, "Megapixels: expected a number"),
        ("Scale", math.inf, "Scale: expected a number"),
        ("Scale", math.nan, "Scale: expected a number"),
        ("Scale", 99, "scale 99: the model supports x2"),
    ],
)
def test_a_bad_size_is_told(page, tmp_path, kind, number, told):
    line, results = enlarge(page, write(tmp_path, "grey.png"), kind=kind, number=number)
    assert line.startswith(told) and results["pictures"] == []


def test_a_picture_beyond_the_memory_is_refused(page, tmp_path, monkeypatch):
    monkeypatch.setattr("upscaling.budget.Tiler.has_room", lambda *_: False)
    _, results = enlarge(page, write(tmp_path, "grey.png"), kind="Width", number=48)
    assert "choose a smaller size" in results["pictures"][0]["error"]
    assert results["pictures"][0]["error"].startswith("grey.png: ")


def test_a_limit_on_pictures_is_none_on_results(page, tmp_path, monkeypatch):
    monkeypatch.setitem(limits._limit, "pixels", 31 * 22)
    large = tmp_path / "large.png"
    Image.new("RGB", (31, 23)).save(large)
    files = [*write(tmp_path, "grey.png"), (str(large), "large.png")]
    made, refused = enlarge(page, files)[1]["pictures"]
    assert made["after"]["size"] == [62, 44]
    assert "claims to have 31x23 pixels, more than 682" in refused["error"]


def test_no_pictures_and_work_that_goes_on_are_told(page, tmp_path):
    assert enlarge(page, [])[0] == "Drop pictures first."
    files = write(tmp_path, "grey.png")
    with page.sessions.open("user").is_busy:
        assert "still being enlarged" in enlarge(page, files)[0]
        assert enlarge(page, files, user="other")[0].startswith("Enlarged 1")


def test_a_mistake_of_ours_does_not_leave_the_user_waiting(page, some, capsys):
    def fail():
        raise KeyError("a")

    batch = Batch(some.open("user"), Turns(), [], Work(fail, None, None))
    batch.take()
    assert "went wrong" in batch.describe()[0] and "KeyError" in capsys.readouterr().err


def test_turns_come_in_order_and_can_be_given_up():
    turns, order, heard = Turns(), [], []
    is_first, is_done = threading.Event(), threading.Event()

    def take(number):
        with turns.taken(heard.append):
            order.append(number)
            if number == 0:
                is_first.set()
                is_done.wait()

    threads = []
    for number in range(4):
        threads.append(threading.Thread(target=take, args=[number]))
        threads[-1].start()
        is_first.wait()
        while turns._waiting[number:] == []:
            time.sleep(0.001)
    with pytest.raises(ZeroDivisionError), turns.taken(lambda ahead: ahead / 0):
        pass
    is_done.set()
    for thread in threads:
        thread.join()
    assert order == [0, 1, 2, 3] and {1, 2, 3} <= set(heard) and not turns._waiting


def test_files_go_after_their_time_unless_work_goes_on(some):
    names = ("idle", "busy")
    made = {}
    for name in names:
        session = some.open(name)
        made[name] = session.clear() / "a.png"
        made[name].touch()
    (some.uploads / "b").mkdir()
    (some.uploads / "b" / "c.png").touch()
    assert os.stat(some.root).st_mode & 0o077 == 0
    some.sweep()
    assert all(path.exists() for path in made.values())
    busy = some.open("busy")
    with busy.is_busy:
        some.sweep(seconds=-1)
    assert not made["idle"].exists() and made["busy"].exists()
    assert list(some.uploads.rglob("*")) == []
    assert some.open("busy") is busy and some.find(busy.key) is busy
    assert some.open("idle").clear().is_dir()


def test_what_a_killed_server_left_goes_and_what_a_live_one_has_stays(some, tmp_path):
    dead = tmp_path / "perceptual-eusr-dead"
    dead.mkdir()
    (dead / "lock").touch()
    (dead / "a.png").touch()
    Sessions().close()
    assert not dead.exists() and some.root.exists()


def test_nobody_finds_the_files_of_others(some):
    first, second = some.open("a"), some.open("b")
    path = first.clear() / "a.png"
    path.touch()
    address, name = first.offer(path, "mine.png")
    assert name == "mine.png" and first.key not in str(path)
    assert second.find(address[-1])[0] is None and some.find("") is None
    assert some.find("a") is None and first.find("../a.png")[0] is None
    assert first.find(address[-1]) == (path, "mine.png")
    assert first.offer(path, "mine.jpg")[1] == "mine (2).png"


def test_a_preview_is_reduced_to_what_browsers_show(tmp_path):
    pixels = np.zeros((30, 50, 2), np.uint16)
    pixels[:, 25:] = 65535
    path = tmp_path / "a.png"
    assert save_preview(path, pixels, most=400) == 2
    with Image.open(path) as image:
        assert (image.mode, image.size) == ("LA", (25, 15))
        assert image.getextrema() == ((0, 255), (0, 255))
    assert save_preview(path, pixels) == 1


@pytest.mark.parametrize(
    "given",
    [{"host": each} for each in ("0.0.0.0", "", "::", "0", "192.168.0.1", "name")]
    + [{"share": True}],
)
def test_others_are_let_in_by_a_password_or_on_purpose(given):
    with pytest.raises(InputError, match="Give --password=SECRET, or --public"):
        ServerSettings(**given).check()
    ServerSettings(**given, password="a").check()
    ServerSettings(**given, public=True).check()
    ServerSettings().check()
    with pytest.raises(InputError, match="--password=: expected"):
        ServerSettings(**given, password="", public=True).check()


def test_an_address_that_is_taken_is_refused():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(InputError, match=f"--port={port}: the page cannot listen"):
            ServerSettings(port=port).check_address()
    ServerSettings(port=port).check_address()


def test_a_wrong_frozen_file_is_refused_at_the_start():
    with pytest.raises(InputError, match="--model_name=.*README.md"):
        offered.list_weights(ROOT / "README.md", CheckpointSettings())


def test_without_gradio_one_line_says_what_to_do(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    line = fail_here("app.py")
    assert line.endswith("python -m pip install -r requirements-app.txt")


def test_no_connection_leaves_the_machine():
    code = """
import socket
from console import offline
offline.stay("10.255.255.1")
with socket.create_server(("127.0.0.1", 0)) as server:
    socket.create_connection(server.getsockname()).close()
socket.getaddrinfo("localhost", 80)
tries = (
    lambda: socket.create_connection(("192.0.2.1", 9), 0.1),
    lambda: socket.getaddrinfo("example.org", 80),
    lambda: socket.socket(type=socket.SOCK_DGRAM).sendto(b"", ("192.0.2.1", 9)),
    lambda: socket.gethostbyname("example.org"),
)
for each in tries:
    try:
        each()
    except PermissionError as error:
        print(error.filename)
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True)
    hosts = b"192.0.2.1", b"example.org"
    assert done.stdout.split() == [*hosts, *hosts], done.stderr
