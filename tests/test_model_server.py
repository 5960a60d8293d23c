"""The API of one model: what it takes, what it gives, and what it refuses."""

import asyncio
import base64
import io
import json
import re
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import PIL.Image
import programming
import pytest
from graphing import scene
from PIL import ImageCms
from starlette.routing import Route
from starlette.testclient import TestClient
from test_export import about, head

from teachable import __version__, backbones, export, model_guard, model_server
from teachable.resources import assets
from teachable.runtime import Classifier, Prediction

LABELS = ("it's", 'say "hi"', "two\nlines", "🍎 </script>", "same", "same")
BASE = "http://127.0.0.1:38101"


def jpeg(seed: int = 0, **options: Any) -> bytes:
    stream = io.BytesIO()
    PIL.Image.fromarray(scene(48, 64, seed)).save(stream, "JPEG", **options)
    return stream.getvalue()


def base64_of(data: bytes) -> str:
    return base64.b64encode(data).decode()


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return Classifier.load(export.append_head(backbones.read(backbones.builtin()), head(len(LABELS)), about(LABELS)))


@pytest.fixture(scope="module")
def web(classifier: Classifier) -> Iterator[TestClient]:
    with TestClient(model_server.create_app(classifier), base_url=BASE) as client:
        yield client


def expected(classifier: Classifier, data: bytes) -> list[dict[str, Any]]:
    (found,) = classifier.predict(data)
    ranked = sorted(found.probabilities.items(), key=lambda item: -item[1])
    return [{"label": label, "confidence": pytest.approx(share, abs=1e-6)} for label, share in ranked]


# One photo


def test_a_program_written_for_lobe_gets_what_it_knows(web: TestClient, classifier: Classifier) -> None:
    data = jpeg()
    answer = web.post("/v1/predict/f3f0b084-4800-49d4-bd92-1acfd264d68b", json={"image": base64_of(data)})
    assert answer.status_code == 200
    assert answer.json() == {"predictions": expected(classifier, data)}
    assert len(answer.json()["predictions"]) == len(set(LABELS))


def test_a_photo_may_come_in_any_of_four_ways(web: TestClient, classifier: Classifier) -> None:
    data = jpeg(1)
    wrapped = re.sub("(.{76})", r"\1\n", base64_of(data))
    answers = [
        web.post("/v1/predict", json={"image": base64_of(data)}),
        web.post("/v1/predict", json={"image": f"data:image/jpeg;base64,{wrapped}"}),
        web.post("/v1/predict", files={"image": ("cat.jpg", data, "image/jpeg")}),
        web.post("/v1/predict", content=data, headers={"Content-Type": "image/jpeg"}),
        web.post("/v1/predict", content=data),
    ]
    for answer in answers:
        assert answer.json() == {"predictions": expected(classifier, data)}


def odd_photos() -> Iterator[bytes]:
    """Photos whose pixels are not simply what is written in the file."""
    plain = PIL.Image.fromarray(scene(48, 64))
    exif = PIL.Image.Exif()
    exif[0x0112] = 6
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    see_through = plain.convert("RGBA")
    see_through.putalpha(PIL.Image.fromarray(np.tile(np.arange(64, dtype=np.uint8) * 4, (48, 1))))
    deep = PIL.Image.fromarray(scene(48, 64)[..., 0].astype(np.uint16) * 257)
    for picture, kind, options in (
        (plain, "JPEG", {"exif": exif}),
        (plain.convert("CMYK"), "JPEG", {}),
        (see_through, "PNG", {}),
        (see_through, "WEBP", {"lossless": True}),
        (plain.convert("P"), "GIF", {"transparency": 3}),
        (plain.convert("P"), "PNG", {}),
        (deep, "PNG", {}),
        (plain.convert("L"), "JPEG", {"icc_profile": profile}),
        (plain, "BMP", {}),
    ):
        stream = io.BytesIO()
        picture.save(stream, kind, **options)
        yield stream.getvalue()


@pytest.mark.parametrize("data", [*odd_photos()], ids=lambda data: f"{len(data)}")
def test_photos_are_read_as_everywhere_else(web: TestClient, classifier: Classifier, data: bytes) -> None:
    assert web.post("/v1/predict", content=data).json() == {"predictions": expected(classifier, data)}


@pytest.mark.parametrize("familiar", [True, False])
def test_a_model_that_can_tell_says_whether_it_is_sure(familiar: bool) -> None:
    data, about_it = programming.model(familiar)
    with TestClient(model_server.create_app(Classifier.load(data)), base_url=BASE) as client:
        answer = client.post("/v1/predict", content=jpeg()).json()
        many = client.post("/v1/predict-many", files=[("images", ("a.jpg", jpeg()))]).json()["results"]
    assert (answer["familiarity"], answer["known"]) == (1.0 if familiar else 0.0, familiar)
    assert len(answer["predictions"]) == len(about_it.labels)
    assert many == [{"name": "a.jpg", **answer}]


# Many


def test_many_photos_come_back_in_order_and_a_bad_one_spoils_nothing(web: TestClient, classifier: Classifier) -> None:
    data = [jpeg(seed) for seed in range(3)]
    sent = [("images", ("a.jpg", data[0])), ("images", ("notes.txt", b"no photo")), ("x", ("b.jpg", data[1]))]
    results = web.post("/v1/predict-many", files=sent).json()["results"]
    assert [one["name"] for one in results] == ["a.jpg", "notes.txt", "b.jpg"]
    assert results[0]["predictions"] == expected(classifier, data[0])
    assert results[1]["error"]["key"] == "photo_unknown"
    assert "predictions" not in results[1]
    assert results[2]["predictions"] == expected(classifier, data[1])
    again = web.post("/v1/predict-many", json={"images": [base64_of(one) for one in data]}).json()["results"]
    assert [one["name"] for one in again] == ["1", "2", "3"]
    assert again[2]["predictions"] == expected(classifier, data[2])
    assert web.post("/v1/predict-many", json={"images": []}).json() == {"results": []}


# The rest


def test_labels_and_health(web: TestClient) -> None:
    assert web.get("/labels").json() == {"labels": list(dict.fromkeys(LABELS))}
    assert web.get("/health").json() == {"status": "ok", "project": "A project", "version": __version__}


def test_the_page_loads_nothing_from_elsewhere(web: TestClient) -> None:
    page = web.get("/")
    assert "“A project” is listening" in page.text
    assert "{{" not in page.text
    assert not re.search(r"(src|href)=\"(https?:)?//", page.text)
    assert "default-src 'none'" in page.headers["content-security-policy"]
    for name in re.findall(r'(?:src|href)="(\w[\w.]+)"', page.text):
        found = web.get(f"/{name}")
        assert found.status_code == 200
        assert "://" not in found.text


def test_a_name_of_a_project_is_not_read_as_html() -> None:
    assert "<script>alert" not in model_server._page("<script>alert(1)</script>")


def test_every_route_is_described_and_every_reference_leads_somewhere(web: TestClient, classifier: Classifier) -> None:
    document = web.get("/openapi.json").json()
    assert document["openapi"] == "3.1.0"
    assert document["info"]["version"] == __version__
    described = {(path, method.upper()) for path, methods in document["paths"].items() for method in methods}
    app = model_server.create_app(classifier)
    routes = {(route.path.replace(":str", ""), method) for route in app.routes for method in methods_of(route)}
    files = {"/", "/openapi.json", "/page.css", "/page.mjs"}
    assert described == {(path, method) for path, method in routes if path not in files}
    references = re.findall(r'"\$ref": "#/([^"]+)"', json.dumps(document))
    for reference in references:
        place = document
        for part in reference.split("/"):
            place = place[part]
    operations = [one for methods in document["paths"].values() for one in methods.values()]
    assert len({one["operationId"] for one in operations}) == len(operations)
    assert all(one["summary"] and one["responses"]["200"] for one in operations)
    assert set(document["components"]["schemas"]) == {one.split("/")[-1] for one in references if "/schemas/" in one}


def methods_of(route: object) -> set[str]:
    assert isinstance(route, Route)
    return (route.methods or set()) - {"HEAD"}


# Refusals


def refusal(answer: Any) -> tuple[int, str]:
    error = answer.json()["error"]
    assert error["message"]
    return answer.status_code, error["key"]


@pytest.mark.parametrize(
    ("sent", "wanted"),
    [
        ({"content": b"no photo at all"}, (422, "photo_unknown")),
        ({"content": b""}, (422, "photo_empty")),
        ({"content": jpeg()[:-300]}, (422, "photo_truncated")),
        ({"json": {"image": "*not base64*"}}, (422, "server_base64")),
        ({"json": {"image": "ä"}}, (422, "server_base64")),
        ({"json": {"image": 5}}, (422, "server_field")),
        ({"json": {"photo": ""}}, (422, "server_field")),
        ({"json": []}, (422, "server_field")),
        ({"content": b"{", "headers": {"Content-Type": "application/json"}}, (422, "server_json")),
        ({"content": b"[" * 100_000, "headers": {"Content-Type": "application/json"}}, (422, "server_json")),
        ({"content": b"\xff\xfe", "headers": {"Content-Type": "application/json"}}, (422, "server_json")),
        ({"data": {"image": "text"}}, (415, "server_type")),
        ({"content": b"x", "headers": {"Content-Type": "text/html"}}, (415, "server_type")),
        ({"content": b"x", "headers": {"Content-Type": "multipart/form-data"}}, (400, "invalid_request")),
        ({"files": [("a", ("a.jpg", jpeg())), ("b", ("b.jpg", jpeg()))]}, (422, "server_one_photo")),
    ],
)
def test_what_is_no_photo_is_refused_in_words(web: TestClient, sent: Any, wanted: tuple[int, str]) -> None:
    assert refusal(web.post("/v1/predict", **sent)) == wanted


def test_a_photo_of_too_many_pixels_is_refused_before_it_is_decoded(web: TestClient) -> None:
    stream = io.BytesIO()
    PIL.Image.new("1", (20_000, 20_000)).save(stream, "PNG")
    assert len(stream.getvalue()) < 10**6
    assert refusal(web.post("/v1/predict", content=stream.getvalue())) == (413, "photo_pixels")


def test_too_many_photos_are_refused(web: TestClient) -> None:
    several = [("images", (f"{index}.jpg", b"x")) for index in range(model_server.MOST_PHOTOS + 1)]
    assert refusal(web.post("/v1/predict-many", files=several)) == (413, "server_photos")
    assert refusal(web.post("/v1/predict-many", json={"images": [""] * 65})) == (413, "server_photos")
    assert refusal(web.post("/v1/predict-many", files=several * 2))[0] == 400


def test_a_body_is_not_read_past_its_limit(web: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_guard, "LARGEST_BODY", 1000)
    assert refusal(web.post("/v1/predict", content=b"x" * 1001)) == (413, "server_body")

    def endless() -> Iterator[bytes]:
        yield from (b"x" * 600 for _ in range(3))

    assert refusal(web.post("/v1/predict", content=endless())) == (413, "server_body")
    assert refusal(web.post("/v1/predict", files={"a": b"x" * 1001})) == (413, "server_body")


def test_a_body_that_does_not_arrive_is_given_up(classifier: Classifier, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_server, "BODY_SECONDS", 0.05)
    sent: list[Any] = []

    async def never() -> Any:
        await asyncio.Event().wait()

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/v1/predict",
        "query_string": b"",
        "headers": [(b"host", b"localhost")],
    }
    asyncio.run(model_server.create_app(classifier)(scope, never, send))
    assert sent[0]["status"] == 408


def test_unknown_addresses_and_methods_are_said_in_the_same_form(web: TestClient) -> None:
    assert refusal(web.get("/nowhere")) == (404, "server_route")
    assert refusal(web.get("/v1/predict")) == (405, "wrong_method")
    assert refusal(web.post("/v1/predict/a/b", content=jpeg())) == (404, "server_route")


def test_a_mistake_of_ours_is_said_calmly(classifier: Classifier, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("secret")

    monkeypatch.setattr(Classifier, "predict", broken)
    with TestClient(model_server.create_app(classifier), base_url=BASE, raise_server_exceptions=False) as web:
        answer = web.post("/v1/predict", content=jpeg())
    assert refusal(answer) == (500, "unexpected")
    assert "secret" not in answer.text


# Strangers


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", ""])
def test_other_names_are_refused(web: TestClient, host: str) -> None:
    assert web.get("/labels", headers={"Host": host}).status_code in {400, 403}


def test_pages_of_other_sites_are_refused_unless_they_were_named(classifier: Classifier, web: TestClient) -> None:
    elsewhere = {"Origin": "https://shop.example"}
    assert refusal(web.post("/v1/predict", content=jpeg(), headers=elsewhere)) == (403, "server_origin")
    assert refusal(web.get("/labels", headers={"Origin": "null"})) == (403, "server_origin")
    assert web.get("/labels", headers={"Origin": BASE}).status_code == 200
    with TestClient(model_server.create_app(classifier, origins=["https://shop.example"]), base_url=BASE) as open_:
        answer = open_.post("/v1/predict", content=jpeg(), headers=elsewhere)
        assert answer.headers["access-control-allow-origin"] == "https://shop.example"
        asked = {**elsewhere, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type"}
        assert open_.options("/v1/predict", headers=asked).status_code == 200
        assert refusal(open_.get("/labels", headers={"Origin": "https://other.example"})) == (403, "server_origin")
    with TestClient(model_server.create_app(classifier, origins=["*"]), base_url=BASE) as open_:
        assert open_.get("/labels", headers={"Origin": "https://other.example"}).status_code == 200


def test_in_a_network_it_answers_to_addresses(classifier: Classifier) -> None:
    with TestClient(model_server.create_app(classifier, "0.0.0.0"), base_url="http://192.168.0.7:38101") as web:
        assert web.get("/health").status_code == 200
        assert web.get("/health", headers={"Host": "evil.example"}).status_code == 403


# Several at once


def test_health_answers_while_photos_are_looked_at_and_too_many_are_sent_away(
    classifier: Classifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, go_on = threading.Event(), threading.Event()
    plain = Classifier.predict

    def slow(self: Classifier, photo: Any) -> list[Prediction]:
        begun.set()
        assert go_on.wait(60)
        return plain(self, photo)

    monkeypatch.setattr(Classifier, "predict", slow)
    monkeypatch.setattr(model_server, "MOST_WAITING", 6)
    answers: list[int] = []
    with TestClient(model_server.create_app(classifier), base_url=BASE) as web:
        app = web.app

        def ask() -> None:
            answers.append(web.post("/v1/predict", content=jpeg()).status_code)

        threads = [threading.Thread(target=ask) for _ in range(6)]
        for thread in threads:
            thread.start()
        assert begun.wait(60)
        desk = next(route.endpoint.__self__ for route in app.routes if route.path == "/labels")  # type: ignore[attr-defined]
        while desk._waiting < 6:
            threading.Event().wait(0.005)
        assert web.get("/health").status_code == 200
        refused = web.post("/v1/predict", content=jpeg())
        assert refusal(refused) == (503, "server_busy")
        assert refused.headers["retry-after"] == "1"
        go_on.set()
        for thread in threads:
            thread.join(60)
    assert answers == [200] * 6


def test_the_page_has_its_parts() -> None:
    """What its script looks for is in the page."""
    script = (assets() / "server" / "page.mjs").read_text(encoding="utf-8")
    page = (assets() / "server" / "page.html").read_text(encoding="utf-8")
    for id_ in re.findall(r'getElementById\("(\w+)"\)', script):
        assert f'id="{id_}"' in page
