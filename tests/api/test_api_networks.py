"""Networks over HTTP: listed, imported, removed, switched and compared, with every refusal in words."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from making import photos, tiny_graph, tiny_network, until
from sending import Json
from starlette.testclient import TestClient

from teachable import official
from teachable.library import Library
from teachable.workflow import Workspace

NETWORKS = "/api/v1/networks"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "networks"
    made.mkdir()
    return made


@pytest.fixture
def workspace(tmp_path: Path, folder: Path) -> Iterator[Workspace]:
    with Workspace(tmp_path / "home", folder, offline=True) as space:
        yield space


def install(folder: Path, id_: str) -> str:
    return Library(folder).add(*tiny_network(folder.parent, id_, origin="official")).fingerprint


def listed(web: TestClient) -> dict[str, Json]:
    return {one["id"]: one for one in web.get(NETWORKS).json()["networks"]}


def refused(answer: object, status: int, key: str) -> Json:
    assert (answer.status_code, answer.json()["error"]["key"]) == (status, key)  # type: ignore[attr-defined]
    error: Json = answer.json()["error"]  # type: ignore[attr-defined]
    return error


def settled(web: TestClient) -> Json:
    until(lambda: web.get(NETWORKS).json()["installation"]["state"] not in {"waiting", "fetching", "converting"})
    found: Json = web.get(NETWORKS).json()
    return found


def test_the_list_says_what_is_here_and_what_could_be(web: TestClient, folder: Path) -> None:
    install(folder, "resnet-18")
    answer = web.get(NETWORKS).json()
    found = {one["id"]: one for one in answer["networks"]}
    assert set(found) == {"slim-v1"} | {one.id for one in official.catalogue()}
    assert answer["networks"][0]["id"] == "slim-v1"
    assert [one["id"] for one in found.values() if one["recommended"]] == [answer["recommended"]]
    assert {id_ for id_, one in found.items() if one["present"]} == {"slim-v1", "resnet-18"}
    assert found["resnet-18"]["fingerprint"]
    assert found["mobilenet-v2"]["fingerprint"] is None
    assert found["mobilenet-v2"]["download_bytes"] > 10**7
    assert (answer["offline"], answer["installation"]["state"]) == (True, "idle")


def test_the_health_names_the_network_of_new_projects(web: TestClient, folder: Path) -> None:
    assert web.get("/api/v1/health").json()["backbone"]["id"] == "slim-v1"
    install(folder, official.recommended().id)
    assert web.get("/api/v1/health").json()["backbone"]["id"] == official.recommended().id


def test_the_choice_of_fetching_is_kept(web: TestClient) -> None:
    assert web.get(NETWORKS).json()["automatic"] is True
    assert web.patch(NETWORKS, json={"automatic": False}).json()["automatic"] is False
    assert web.get(NETWORKS).json()["automatic"] is False
    refused(web.patch(NETWORKS, json={"automatic": "no"}), 422, "invalid_request")


def test_offline_nothing_is_fetched_and_it_is_said(web: TestClient) -> None:
    refused(web.post(f"{NETWORKS}/mobilenet-v2/fetch"), 409, "network_offline")
    assert web.get(NETWORKS).json()["installation"]["state"] == "idle"


def test_a_network_is_imported_used_and_downloaded_again(web: TestClient, base: str) -> None:
    graph = tiny_graph(np.eye(3, dtype=np.float32))
    answer = web.post(f"{NETWORKS}/import", files={"file": ("My net.onnx", graph)})
    assert answer.status_code == 202
    after = settled(web)
    assert after["installation"]["state"] == "done", after["installation"]
    [mine] = [one for one in after["networks"] if one["origin"] == "imported"]
    assert mine["present"]
    fetched = web.get(f"{NETWORKS}/{mine['id']}/network.onnx")
    assert fetched.content == graph
    assert fetched.headers["Content-Type"] == "application/octet-stream"
    answer = web.put(f"{base}/network", json={"network": mine["id"]})
    assert (answer.status_code, answer.json()["network"]["id"]) == (202, mine["id"])


def test_what_is_no_network_is_refused_in_words(web: TestClient) -> None:
    web.post(f"{NETWORKS}/import", files={"file": ("x.onnx", b"not a network")})
    installation = settled(web)["installation"]
    assert installation["state"] == "failed"
    assert installation["message"]
    assert not [one for one in listed(web).values() if one["origin"] == "imported"]
    two = [("file", ("a.onnx", b"a")), ("file", ("b.onnx", b"b"))]
    refused(web.post(f"{NETWORKS}/import", files=two), 422, "one_network_file")
    refused(web.post(f"{NETWORKS}/import", data={"x": "y"}), 422, "upload_without_files")


def test_a_network_in_use_is_removed_only_on_purpose(web: TestClient, folder: Path, base: str) -> None:
    install(folder, "resnet-18")
    web.put(f"{base}/network", json={"network": "resnet-18"})
    error = refused(web.delete(f"{NETWORKS}/resnet-18"), 409, "network_used")
    assert "Fruit" in error["message"]
    assert web.delete(f"{NETWORKS}/resnet-18?force=true").status_code == 200
    assert not listed(web)["resnet-18"]["present"]
    status = web.get(f"{base}/status").json()
    assert (status["network"]["present"], status["ready"]["key"]) == (False, "network_absent")
    refused(web.delete(f"{NETWORKS}/slim-v1?force=true"), 409, "network_builtin")
    refused(web.delete(f"{NETWORKS}/no-such"), 404, "network_unknown")


def test_speeds_that_the_page_measured_are_kept(web: TestClient) -> None:
    answer = web.put(f"{NETWORKS}/slim-v1/speed", json={"browser_ms": 12.5})
    assert answer.status_code == 200
    assert listed(web)["slim-v1"]["browser_ms"] == 12.5
    for wrong in (0, -1, "3", None):
        refused(web.put(f"{NETWORKS}/slim-v1/speed", json={"browser_ms": wrong}), 422, "invalid_request")
    refused(web.put(f"{NETWORKS}/mobilenet-v2/speed", json={"browser_ms": 3.0}), 404, "network_absent")


@pytest.mark.thorough
def test_a_training_can_switch(web: TestClient, workspace: Workspace, folder: Path, base: str, project: Json) -> None:
    for place, one in enumerate(project["classes"]):
        for group in range(2):
            start = 100 * place + 10 * group
            workspace.add_photos(project["id"], one["id"], f"{place}-{group}", photos(range(start, start + 4)))
    web.post(f"{base}/training", json={"epochs": 2})
    workspace.wait_for_training(project["id"])
    install(folder, "resnet-18")
    assert web.post(f"{base}/training", json={"epochs": 3, "network": "resnet-18"}).status_code == 202
    workspace.wait_for_training(project["id"])
    status = web.get(f"{base}/status").json()
    assert status["model"]["backbone"]["id"] == "resnet-18"
    assert status["model"]["before"]["backbone"]["id"] == "slim-v1"
    assert web.get(f"{base}/model").json()["settings"]["epochs"] == 3
    refused(web.post(f"{base}/training", json={"network": "mobilenet-v2"}), 404, "network_absent")
    refused(web.put(f"{base}/network", json={"network": "x"}), 404, "network_unknown")


def test_the_note_of_a_renewal_can_be_dismissed(web: TestClient, base: str) -> None:
    answer = web.delete(f"{base}/network/note")
    assert (answer.status_code, answer.json()["network"]["renewed"]) == (200, False)


@pytest.mark.thorough
def test_networks_are_compared(web: TestClient, workspace: Workspace, folder: Path, base: str, project: Json) -> None:
    colors = ((200, 60, 60), (60, 60, 200))
    for place, one in enumerate(project["classes"]):
        for group in range(2):
            start = 100 * place + 10 * group
            files = photos(range(start, start + 4), colors[place])
            workspace.add_photos(project["id"], one["id"], f"{place}-{group}", files)
    install(folder, "resnet-18")
    assert web.get(f"{base}/comparison").json()["state"] == "idle"
    assert web.post(f"{base}/comparison").status_code == 202
    until(lambda: web.get(f"{base}/comparison").json()["state"] != "running")
    found = web.get(f"{base}/comparison").json()
    assert found["state"] == "done", found
    assert {row["id"] for row in found["rows"]} == {"slim-v1", "resnet-18"}
    assert found["message"]
    assert web.delete(f"{base}/comparison").json()["state"] == "done"
