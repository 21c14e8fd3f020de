"""The page of app.py as Gradio serves it, and in a real Chromium.

`make test-app` installs Gradio and runs these tests.
"""

import http.client
import json
import re
import shutil
import socket
import time
import types
import urllib.request
from urllib.error import HTTPError

import numpy as np
import pytest
from absl import flags
from PIL import Image

pytest.importorskip("gradio", reason="gradio (requirements-app.txt) is missing")

import app
from models.bicubic import Bicubic
from page.server import ServerSettings
from page.sessions import Sessions
from score_predictors import judging
from tests.pictures import draw_picture
from tests.scripts import flags_of_its_own
from tests.test_page import BAD_NAMES
from upscaling.choosing import EnlargingSettings

MOST = 0.1  # MB


class Slow(Bicubic):
    """Takes its time with red pictures, so that a user can stop it."""

    def forward(self, lr, scale):
        if lr[..., 1:].max() == 0:
            time.sleep(0.1)
        return super().forward(lr, scale)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """The page's address and its sessions; what it connects to is noted."""
    folder = tmp_path_factory.mktemp("page")
    patch = pytest.MonkeyPatch()
    patch.setattr("tempfile.tempdir", str(folder))
    patch.setenv("no_proxy", "")
    patch.setenv("http_proxy", "http://127.0.0.1:9")  # Nobody is there.
    patch.setattr(judging, "_open_shipped", lambda: (lambda x: np.eye(10)[:2], 0))
    connected = []
    connect = socket.socket.connect

    def note(self, address):
        connected.append(address)
        return connect(self, address)

    patch.setattr(socket.socket, "connect", note)
    weights = types.SimpleNamespace(
        open=lambda precision, naturalness: Slow(), is_mixed=True, frozen=None
    )
    with flags_of_its_own():
        EnlargingSettings.define_flags()
        flags.FLAGS(["app.py"])
        sessions = Sessions()
        page = app.Page(EnlargingSettings(tile_size=64), {"bicubic": weights}, sessions)
        settings = ServerSettings(max_upload=MOST, open_browser=False)
        blocks = settings.prepare(lambda: app.build(page, "float32", None), sessions)
        address = settings.launch(blocks, sessions)
        yield types.SimpleNamespace(
            address=address, page=page, sessions=sessions, connected=connected
        )
        blocks.close(verbose=False)
        sessions.close()
    patch.undo()


def ask(server, path, **options):
    """Returns the status, the headers and the content of an answer."""
    request = urllib.request.Request(server.address + path, **options)
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status, answer.headers, answer.read()
    except HTTPError as error:
        return error.code, error.headers, error.read()


def send(server, content, name=b"a.png"):
    """Uploads a file under a name that stands in the request as it is."""
    head = b'Content-Disposition: form-data; name="files"; filename="' + name + b'"'
    body = b"--x\r\n" + head + b"\r\n\r\n" + content + b"\r\n--x--\r\n"
    kind = {"Content-Type": "multipart/form-data; boundary=x"}
    return ask(server, "gradio_api/upload", data=body, headers=kind)


def test_the_browser_is_told_to_fetch_nothing_from_elsewhere(server):
    status, headers, page = ask(server, "")
    assert status == 200 and b"Larger pictures" in page
    assert "default-src 'self'" in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"


def test_bad_names_of_uploads_stay_in_the_folder_of_uploads(server):
    uploads = server.sessions.uploads
    outside = {p for p in uploads.parents[1].rglob("*") if uploads not in p.parents}
    for name in BAD_NAMES:
        raw = name.encode("utf-8", "surrogatepass")
        status, _, answer = send(server, b"a", raw.replace(b'"', b"%22"))
        assert status in (200, 400, 413)
        for path in json.loads(answer) if status == 200 else ():
            assert path.startswith(f"{uploads}/") and "/../" not in path
    now = {p for p in uploads.parents[1].rglob("*") if uploads not in p.parents}
    assert now == outside and len(list(uploads.rglob("*.png"))) > 20


def test_a_file_over_the_limit_is_refused_and_leaves_nothing(server):
    before = {path for path in server.sessions.uploads.rglob("*") if path.is_file()}
    status, _, told = send(server, b"a" * int(MOST * 1.1e6))
    assert status == 413 and b"maximum" in told
    assert send(server, b"b" * int(MOST * 0.9e6))[0] == 200
    after = {path for path in server.sessions.uploads.rglob("*") if path.is_file()}
    assert [path.read_bytes()[:1] for path in after - before] == [b"b"]


def test_files_are_given_to_who_knows_their_address_and_no_others(server):
    session = server.sessions.open("somebody")
    path = session.clear() / "a.png"
    path.write_bytes(b"content")
    address, _ = session.offer(path, 'mine "é".png')
    status, headers, content = ask(server, address)
    assert (status, content) == (200, b"content")
    assert headers["Content-Disposition"].startswith("attachment; filename*=utf-8''")
    assert ask(server, f"results/{session.key}/all.zip")[2][:2] == b"PK"
    _, _, (uploaded) = send(server, b"secret")
    (uploaded,) = json.loads(uploaded)
    for wrong in (
        *("results/somebody/1", f"results/{session.key}/2", f"results/{session.key}/"),
        f"results/{session.key}/..%2f..%2flock",
        *(f"gradio_api/file={each}" for each in (uploaded, path, "/etc/passwd")),
        *(f"file={uploaded}", f"gradio_api/file/{uploaded.lstrip('/')}"),
        "gradio_api/file=http://192.0.2.1/a.png",
        "gradio_api/proxy=http://192.0.2.1/a.png",
    ):
        status, _, answer = ask(server, wrong)
        assert status in (403, 404) and b"secret" not in answer, wrong
    assert all(host.startswith("127.") for host, *_ in server.connected)


@pytest.mark.parametrize(
    "header",
    [
        *("Host: evil.example", "X-Forwarded-Host: evil.example", "Range: bytes=9-1"),
        *("X-Forwarded-For: 127.0.0.1", "Cookie: access-token=a", "Range: bytes=-"),
        *("Content-Length: -1", "Origin: https://evil.example", "Referer: a\tb"),
        *("Accept-Encoding: " + "gzip," * 999, "X: " + "a" * 9000),
    ],
)
def test_bad_headers_end_no_server(server, header):
    name, _, value = header.partition(": ")
    port = int(re.search(r":(\d+)", server.address)[1])
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    connection.putrequest("GET", "/results/a/1", skip_host=name == "Host")
    connection.putheader(name, value)
    connection.endheaders()
    assert connection.getresponse().status in (400, 403, 404, 431)
    assert ask(server, "")[0] == 200


CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")


@pytest.mark.skipif(
    not (CHROMIUM and DRIVER), reason="chromium or chromedriver is not there"
)
def test_a_user_drops_stops_compares_and_downloads(server, tmp_path):
    selenium = pytest.importorskip("selenium.webdriver")
    from selenium.webdriver.chrome.service import Service
    from selenium.webdriver.common.keys import Keys

    options = selenium.ChromeOptions()
    options.binary_location = CHROMIUM
    for switch in (
        *("--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run"),
        *("--disable-background-networking", "--disable-component-update"),
        *("--disable-sync", f"--user-data-dir={tmp_path / 'profile'}"),
    ):
        options.add_argument(switch)
    down = tmp_path / "down"
    options.add_experimental_option("prefs", {"download.default_directory": str(down)})
    options.set_capability(
        "goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"}
    )
    small, large = tmp_path / "small.png", tmp_path / "large.png"
    Image.fromarray(draw_picture(20, 30)).save(small)
    Image.new("RGB", (900, 600), "red").save(large)
    driver = selenium.Chrome(options=options, service=Service(DRIVER))

    def find(css):
        return driver.find_elements("css selector", css)

    def wait(condition):
        end = time.monotonic() + 60
        while not (found := condition()):
            assert time.monotonic() < end, driver.page_source[-3000:]
            time.sleep(0.05)
        return found

    def press(text):
        path = f"//button[normalize-space()='{text}']"
        driver.find_element("xpath", path).send_keys(Keys.ENTER)

    def told():
        return "".join(each.text for each in find(".status p"))

    def drop(*paths):
        wait(lambda: find("input[type=file]"))[0].send_keys("\n".join(map(str, paths)))
        wait(lambda: len(find(".file-preview tr")) == len(paths))

    try:
        driver.get("about:blank")
        driver.get_log("performance")  # Chromium's own start.
        driver.get(server.address)
        drop(large)
        press("Enlarge")
        wait(lambda: "left" in told() and find("progress"))
        press("Cancel")
        wait(lambda: told() == "Cancelled after 0 of 1.")
        driver.refresh()
        drop(small, __file__)
        press("Enlarge")
        wait(lambda: told() == "Enlarged 1 of 2 by 4.")
        made, bad = wait(lambda: len(find(".results li")) == 2 and find(".results li"))
        assert bad.text.startswith("test_app.py\ntest_app.py: ")
        assert "30 x 20 to 120 x 80 · predicted score 0.00, result 1.00" in made.text
        (handle,) = find(".stage .handle")
        handle.send_keys(Keys.ARROW_RIGHT)
        assert handle.get_attribute("aria-valuenow") == "52"
        press("Real pixels")
        assert find(".tools span")[0].text == "100 %"
        (stage,) = find(".stage")
        stage.send_keys("+++++++++")
        before = find(".stage img")[0].rect["x"]
        stage.send_keys(Keys.ARROW_LEFT)
        assert find(".stage img")[0].rect["x"] != before
        find(".results li a")[0].send_keys(Keys.ENTER)
        wait((down / "small.png").exists)
        with Image.open(down / "small.png") as image:
            expected = Bicubic().upscale(draw_picture(20, 30), 4)
            np.testing.assert_array_equal(np.asarray(image), expected)
        events = [
            json.loads(entry["message"]) for entry in driver.get_log("performance")
        ]
        urls = [
            event["message"]["params"]["request"]["url"]
            for event in events
            if event["message"]["method"] == "Network.requestWillBeSent"
        ]
        assert len(urls) > 10
        assert not [u for u in urls if not u.startswith((server.address, "data:"))]
        severe = [e for e in driver.get_log("browser") if e["level"] == "SEVERE"]
        assert severe == []
    finally:
        driver.quit()
    session = server.sessions.open("another")
    assert not session.is_busy.locked()
    assert all(host.startswith("127.") for host, *_ in server.connected)
