"""Photos of a class over HTTP: add, page, show, move, remove, download."""

import io
import tempfile
import zipfile
from pathlib import Path

import PIL.Image
import pytest
from sending import RED, Json, files, photo, problem
from starlette.testclient import TestClient

from teachable.words import catalogue


def test_photos_are_added_paged_shown_and_removed(web: TestClient, first: str, base: str) -> None:
    answer = web.post(f"{first}/samples", files=files(RED, range(5)), data={"group": "press-1"})
    body = answer.json()
    assert answer.status_code == 200
    assert (len(body["added"]), body["repeats"], body["rejected"], body["total"]) == (5, 0, [], 5)
    assert {one["group"] for one in body["added"]} == {"press-1"}

    page = web.get(f"{first}/samples", params={"limit": 3}).json()
    assert [one["id"] for one in page["samples"]] == [one["id"] for one in reversed(body["added"])][:3]
    rest = web.get(f"{first}/samples", params={"limit": 3, "before": page["next"]}).json()
    assert (len(rest["samples"]), rest["next"], rest["total"]) == (2, None, 5)

    number = body["added"][0]["id"]
    shown = web.get(f"{base}/samples/{number}/photo")
    assert shown.headers["Content-Type"] == "image/jpeg"
    assert "immutable" in shown.headers["Cache-Control"]
    assert PIL.Image.open(io.BytesIO(shown.content)).size == (128, 96)
    small = web.get(f"{base}/samples/{number}/thumbnail", params={"side": 48})
    assert PIL.Image.open(io.BytesIO(small.content)).size == (48, 48)

    token = web.post(f"{base}/samples/delete", json={"ids": [number]}).json()
    assert web.get(f"{first}/samples").json()["total"] == 4
    web.post(f"{base}/undo", json=token)
    assert web.get(f"{first}/samples").json()["total"] == 5
    token = web.delete(f"{first}/samples").json()
    assert web.get(f"{first}/samples").json()["total"] == 0
    web.post(f"{base}/undo", json=token)
    assert web.get(f"{first}/samples").json()["total"] == 5


def test_any_place_of_a_large_class_can_be_shown_and_selected(web: TestClient, first: str, base: str) -> None:
    added = web.post(f"{first}/samples", files=files(RED, range(6))).json()["added"]
    newest = [one["id"] for one in reversed(added)]
    page = web.get(f"{first}/samples", params={"limit": 2, "skip": 3}).json()
    assert [one["id"] for one in page["samples"]] == newest[3:5]
    assert (page["total"], page["next"]) == (6, newest[4])
    assert web.get(f"{first}/samples", params={"skip": 9}).json()["samples"] == []
    assert web.get(f"{first}/samples/ids").json() == {"ids": newest, "tests": []}
    web.post(f"{base}/samples/test", json={"ids": newest[2:3], "test": True, "recordings": False})
    found = web.get(f"{first}/samples/ids", params={"limit": 2, "skip": 1}).json()
    assert found == {"ids": newest[1:3], "tests": newest[2:3]}
    assert web.get(f"{first}/samples/ids", params={"skip": -1}).status_code == 422
    assert web.get(f"{first[:-4]}0000/samples/ids").status_code == 404


def test_samples_move_between_classes(web: TestClient, first: str, base: str, project: Json) -> None:
    added = web.post(f"{first}/samples", files=files(RED, range(3))).json()["added"]
    second = project["classes"][1]["id"]
    moved = web.post(f"{base}/samples/move", json={"ids": [added[0]["id"]], "class_id": second})
    assert moved.json().keys() == {"undo"}
    assert web.get(f"{base}/classes/{second}/samples").json()["total"] == 1
    web.post(f"{base}/undo", json=moved.json())
    assert web.get(f"{base}/classes/{second}/samples").json()["total"] == 0


def test_repeats_are_counted(web: TestClient, first: str) -> None:
    web.post(f"{first}/samples", files=files(RED, range(2)))
    body = web.post(f"{first}/samples", files=files(RED, range(3))).json()
    assert (len(body["added"]), body["repeats"], body["total"]) == (1, 2, 3)


def test_a_request_without_a_group_is_a_group_of_its_own(web: TestClient, first: str) -> None:
    groups = set()
    for seed in range(2):
        body = web.post(f"{first}/samples", files=files(RED, range(seed, seed + 1))).json()
        groups.add(body["added"][0]["group"])
    assert len(groups) == 2


def test_a_bad_file_does_not_stop_the_others(web: TestClient, first: str, tmp_path: Path) -> None:
    whole = photo(RED)
    sent = [
        ("files", ("good.jpg", whole, "image/jpeg")),
        ("files", ("../../../escape.jpg", b"not a photo", "image/jpeg")),
        ("files", ("empty.jpg", b"", "image/jpeg")),
        ("files", ("<img src=x>.png", whole[:200], "image/png")),
        ("files", ("page.svg", b"<svg onload='alert(1)'/>", "image/svg+xml")),
    ]
    body = web.post(f"{first}/samples", files=sent).json()
    assert len(body["added"]) == 1
    assert [one["name"] for one in body["rejected"]] == [name for _, (name, *_) in sent[1:]]
    for one in body["rejected"]:
        assert one["reason"]
        assert f"error.{one['key']}" in catalogue()
    assert not list(tmp_path.rglob("*escape*"))


def test_the_photos_of_a_class_come_as_a_zip(
    web: TestClient, first: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    web.patch(first, json={"name": "Äpfel"})
    web.post(f"{first}/samples", files=files(RED, range(2)))
    answer = web.get(f"{first}/samples.zip")
    assert answer.headers["Content-Type"] == "application/zip"
    assert "%C3%84pfel.zip" in answer.headers["Content-Disposition"]
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert len(archive.namelist()) == 2
        assert archive.testzip() is None
    assert not list(scratch.iterdir())


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "samples/999/photo", None),
        ("GET", "samples/999/thumbnail", None),
        ("POST", "samples/delete", {"ids": [999]}),
        ("POST", "undo", {"undo": "nothing"}),
        ("POST", "undo", {"undo": "ä"}),
        ("GET", "model", None),
        ("GET", "model.onnx", None),
    ],
)
def test_what_is_not_there_is_not_found(web: TestClient, base: str, method: str, path: str, body: Json | None) -> None:
    problem(web.request(method, f"{base}/{path}", json=body), 404)


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "samples/x/photo", None),
        ("GET", f"samples/{2**63}/photo", None),
        ("GET", "samples/-1/photo", None),
        ("GET", "samples/1/thumbnail?side=5000", None),
        ("POST", "samples/delete", {"ids": []}),
        ("POST", "samples/delete", {"ids": [2**63]}),
        ("POST", "samples/delete", {"ids": ["1"]}),
        ("POST", "samples/delete", {}),
        ("POST", "samples/move", {"ids": [1]}),
        ("POST", "undo", {"undo": 5}),
    ],
)
def test_what_makes_no_sense_is_refused(web: TestClient, base: str, method: str, path: str, body: Json | None) -> None:
    problem(web.request(method, f"{base}/{path}", json=body), 422)


@pytest.mark.parametrize("query", ["limit=0", "limit=1001", "limit=x", "before=-1", f"before={2**63}", "limit=NaN"])
def test_a_page_that_makes_no_sense_is_refused(web: TestClient, first: str, query: str) -> None:
    problem(web.get(f"{first}/samples?{query}"), 422)


# Test photos


def kept_of(web: TestClient, base: str) -> list[int]:
    return [one["tests"] for one in web.get(base).json()["classes"]]


def test_recordings_are_kept_for_testing_and_let_go(web: TestClient, first: str, base: str) -> None:
    one = web.post(f"{first}/samples", files=files(RED, range(3)), data={"group": "one"}).json()["added"]
    web.post(f"{first}/samples", files=files(RED, range(3, 5)), data={"group": "two"})
    assert not any(sample["test"] for sample in one)
    marked = web.post(f"{base}/samples/test", json={"ids": [one[0]["id"]]})
    assert marked.json().keys() == {"undo"}
    assert kept_of(web, base) == [3, 0]
    shown = web.get(f"{first}/samples").json()["samples"]
    assert [sample["test"] for sample in shown] == [False, False, True, True, True]

    web.post(f"{base}/undo", json=marked.json())
    assert kept_of(web, base) == [0, 0]
    web.post(f"{base}/samples/test", json={"ids": [one[0]["id"]], "recordings": False})
    assert kept_of(web, base) == [1, 0]
    web.post(f"{base}/samples/test", json={"ids": [one[1]["id"]], "test": False})
    assert kept_of(web, base) == [0, 0]


def test_photos_can_be_sent_as_test_photos(web: TestClient, first: str, base: str) -> None:
    added = web.post(f"{first}/samples", files=files(RED, range(2)), data={"test": "true"}).json()["added"]
    assert [sample["test"] for sample in added] == [True, True]
    web.post(f"{first}/samples", files=files(RED, range(2, 4)), data={"test": "false"})
    assert kept_of(web, base) == [2, 0]
    refused = problem(web.post(f"{first}/samples", files=files(RED, range(5, 6)), data={"test": "perhaps"}), 422)
    assert refused["key"] == "invalid_request"


def test_marking_what_is_not_there(web: TestClient, first: str, base: str) -> None:
    assert problem(web.post(f"{base}/samples/test", json={"ids": [1]}), 404)["key"] == "sample_unknown"
    for body in ({}, {"ids": []}, {"ids": [1], "test": "yes"}, {"ids": [1], "whole": True}):
        assert problem(web.post(f"{base}/samples/test", json=body), 422)["key"] == "invalid_request"
