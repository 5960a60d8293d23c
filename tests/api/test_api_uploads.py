"""Uploads that are hostile, broken or too much, and names of downloads."""

import pytest
from sending import RED, files, photo, problem
from starlette.testclient import TestClient

from teachable import guards
from teachable.api.downloads import attachment
from teachable.settings import Limits


def test_an_upload_without_files_is_refused(web: TestClient, first: str) -> None:
    for options in (
        {"data": {"group": "x"}},
        {"json": {"files": []}},
        {"data": {"files": "text"}},
        {"content": b"photo"},
        {"files": {"photos": ("a.jpg", photo(RED))}},
    ):
        assert problem(web.post(f"{first}/samples", **options), 422)["key"] == "upload_without_files"


# Starlette leaves a part without an end to the garbage collector.
@pytest.mark.filterwarnings("ignore:Exception ignored in.*SpooledTemporaryFile")
@pytest.mark.parametrize(
    "content_type", ["multipart/form-data", "multipart/form-data; boundary=", "multipart/form-data; boundary=x"]
)
def test_a_broken_upload_is_refused(web: TestClient, first: str, content_type: str) -> None:
    body = b'--x\r\nContent-Disposition: form-data; name="files"; filename="a.jpg"\r\n\r\nabc'
    answer = web.post(f"{first}/samples", content=body, headers={"Content-Type": content_type})
    assert answer.status_code in {400, 422}
    problem(answer, answer.status_code)


@pytest.mark.parametrize("group", ["x" * 101, "a\nb", "x" * 20_000])
def test_a_strange_group_is_refused(web: TestClient, first: str, group: str) -> None:
    answer = web.post(f"{first}/samples", files=files(RED, range(1)), data={"group": group})
    assert answer.status_code in {400, 422}
    problem(answer, answer.status_code)


def test_a_group_that_is_a_file_is_refused(web: TestClient, first: str) -> None:
    sent = [*files(RED, range(1)), ("group", ("group.txt", b"x", "text/plain"))]
    problem(web.post(f"{first}/samples", files=sent), 422)


def test_too_many_files_at_once_are_refused(web: TestClient, first: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("teachable.api.access.limits", lambda: Limits(batch_files=3))
    assert web.post(f"{first}/samples", files=files(RED, range(3))).status_code == 200
    error = problem(web.post(f"{first}/samples", files=files(RED, range(4))), 413)
    assert error["values"] == {"count": 4, "allowed": 3}


def test_a_photo_that_is_too_large_is_left_out(web: TestClient, first: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("teachable.api.access", "teachable.images"):
        monkeypatch.setattr(f"{module}.limits", lambda: Limits(photo_bytes=20_000))
    sent = [*files(RED, range(1)), ("files", ("large.bmp", photo(RED, 1, "BMP"), "image/bmp"))]
    body = web.post(f"{first}/samples", files=sent).json()
    assert len(body["added"]) == 1
    assert body["rejected"][0]["key"] == "photo_bytes"


def test_a_request_that_is_too_large_is_refused_while_it_arrives(
    web: TestClient, first: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("teachable.settings.limits", lambda: Limits(batch_bytes=5000))
    monkeypatch.setattr(guards, "MULTIPART_SLACK", 0)
    head = b'--x\r\nContent-Disposition: form-data; name="files"; filename="a.jpg"\r\n\r\n'
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    parts = iter([head, *[b"y" * 1000] * 10, b"\r\n--x--\r\n"])
    error = problem(web.post(f"{first}/samples", content=parts, headers=headers), 413)
    assert error["key"] == "request_bytes"
    assert web.get(f"{first}/samples").json()["total"] == 0


@pytest.mark.parametrize(
    ("name", "plain", "full"),
    [
        ("Fruit", "Fruit.onnx", "Fruit.onnx"),
        ("Äpfel & Birnen", "Apfel_Birnen.onnx", "%C3%84pfel%20%26%20Birnen.onnx"),
        ("🍎", "onnx.onnx", "%F0%9F%8D%8E.onnx"),
        ("../../x", "x.onnx", "_.._x.onnx"),
        ('a"; filename="evil.exe', "a_filename_evil.exe.onnx", "a_%3B%20filename%3D_evil.exe.onnx"),
        ("a\r\nSet-Cookie: x", "a_Set-Cookie_x.onnx", "a%20Set-Cookie_%20x.onnx"),
        ("con", "con.onnx", "_con.onnx"),
        (" . ", "onnx.onnx", "onnx.onnx"),
        ("x" * 300, "x" * 80 + ".onnx", "x" * 80 + ".onnx"),
        ("\u202egnp.exe", "gnp.exe.onnx", "gnp.exe.onnx"),
    ],
)
def test_a_download_has_a_safe_name(name: str, plain: str, full: str) -> None:
    assert attachment(name, ".onnx") == f"attachment; filename=\"{plain}\"; filename*=UTF-8''{full}"
