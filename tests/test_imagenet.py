"""The download of ImageNet's weights, from a server of our own and from none."""

import concurrent.futures
import errno
import http.server
import io
import signal
import socket
import sys
import threading
import time

import h5py
import pytest

from console.errors import InputError
from score_predictors import imagenet


def make_hdf5():
    stored = io.BytesIO()
    with h5py.File(stored, "w") as file:
        file.create_dataset("x", data=list(range(10000)))
    return stored.getvalue()


@pytest.fixture(autouse=True)
def keras_home(monkeypatch, tmp_path):
    """A folder of Keras' that is empty."""
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))


@pytest.fixture
def serve(monkeypatch):
    """Starts a server that answers as it is told; nothing of it outlives a test."""
    servers = []

    def start(answer):
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                answer(self)

            def log_message(self, *_):
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        servers.append(server)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}"
        monkeypatch.setattr(imagenet, "HOST", address)

    for name in ("http_proxy", "HTTP_PROXY"):
        monkeypatch.delenv(name, raising=False)
    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def send(content):
    def answer(handler):
        handler.send_response(200)
        handler.end_headers()
        handler.wfile.write(content)

    return answer


def left(tmp_path):
    return sorted(path.name for path in (tmp_path / "keras").rglob("*.*"))


def test_weights_are_downloaded_once_and_a_damaged_file_again(serve, tmp_path):
    content = make_hdf5()
    serve(send(content))
    path = imagenet.fetch(0.5)
    assert path.name.endswith("kernels_0.5_192_no_top.h5")
    assert path.read_bytes() == content and left(tmp_path) == [path.name]
    path.write_bytes(content[: len(content) // 2])
    assert imagenet.fetch(0.5).read_bytes() == content
    serve(send(b"another"))
    assert imagenet.fetch(0.5).read_bytes() == content


def refuse(handler):
    handler.send_error(404)


def begin_and_stall(handler):
    send(b"some")(handler)
    handler.wfile.flush()
    time.sleep(30)


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        (refuse, "Not Found"),
        (send(make_hdf5()[:9000]), "not a complete HDF5 file"),
        (send(b"<html>Please log in</html>"), "not a complete HDF5 file"),
        (begin_and_stall, "timed out"),
    ],
)
def test_what_does_not_come_whole_gets_one_line_and_leaves_nothing(
    serve, tmp_path, monkeypatch, answer, found
):
    monkeypatch.setattr(imagenet, "PATIENCE", 1.0)
    serve(answer)
    with pytest.raises(
        InputError, match=f"cannot be downloaded \\(.*({found})"
    ) as caught:
        imagenet.fetch(1.0)
    for part in ("keras-applications", "no_top.h5", "--mobilenetv2_weights=FILE"):
        assert part in str(caught.value)
    assert "\n" not in str(caught.value) and left(tmp_path) == []


def test_a_name_that_is_unknown_is_told(monkeypatch):
    def fail(*_, **__):
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    with pytest.raises(InputError, match="Name or service not known"):
        imagenet.fetch(1.0)


def test_a_full_disk_is_not_taken_for_a_bad_connection(serve, monkeypatch, tmp_path):
    def fill(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device", str(tmp_path))

    serve(send(make_hdf5()))
    monkeypatch.setattr(imagenet.Progress, "advance", fill)
    with pytest.raises(OSError, match="No space left"):
        imagenet.fetch(1.0)


def test_a_signal_leaves_nothing_half_written(serve, tmp_path):
    def stop(handler):
        send(b"some")(handler)
        signal.pthread_kill(threading.main_thread().ident, signal.SIGTERM)
        time.sleep(30)

    serve(stop)
    before = signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        with pytest.raises(SystemExit):
            imagenet.fetch(1.0)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert left(tmp_path) == []


def test_two_that_download_at_once_do_not_disturb_each_other(serve):
    content, both_began = make_hdf5(), threading.Barrier(2, timeout=30)

    def answer(handler):
        handler.send_response(200)
        handler.end_headers()
        handler.wfile.write(content[:5000])
        both_began.wait()
        handler.wfile.write(content[5000:])

    serve(answer)
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        paths = list(pool.map(imagenet.fetch, [1.0, 1.0]))
    assert [path.read_bytes() for path in paths] == [content, content]


def test_widths_without_weights_are_named():
    with pytest.raises(InputError, match=r"alpha=0\.4: .* 0\.35, 0\.5, 0\.75, 1\.0"):
        imagenet.fetch(0.4)
