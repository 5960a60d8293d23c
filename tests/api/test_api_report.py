"""Reports over HTTP: starting and following one, photos by cell, the map, the page, and one photo asked about."""

from collections.abc import Iterator

import pytest
from making import until
from sending import BLUE, RED, Json, files, problem, served
from starlette.testclient import TestClient

from teachable.workflow import Workspace


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    with Workspace(tmp_path_factory.mktemp("home"), offline=True) as space:
        yield served(space)


def begun(web: TestClient, name: str, recordings: int = 3, photos: int = 5) -> Json:
    """A project with photos."""
    project: Json = web.post("/api/v1/projects", json={"name": name}).json()
    for one, color in zip(project["classes"], (RED, BLUE), strict=True):
        for start in range(0, recordings * photos, photos):
            sent = files(color, range(start, start + photos))
            answer = web.post(f"/api/v1/projects/{project['id']}/classes/{one['id']}/samples", files=sent)
            assert answer.status_code == 200
    return project


def trained(web: TestClient, project: Json) -> str:
    """Address of the project, once there is a model of it."""
    base = f"/api/v1/projects/{project['id']}"
    assert web.post(f"{base}/training", json={"epochs": 5}).status_code == 202
    until(lambda: web.get(f"{base}/status").json()["training"]["state"] == "done")
    return base


@pytest.fixture(scope="module")
def project(web: TestClient) -> Json:
    return begun(web, "Fruit")


@pytest.fixture(scope="module")
def base(web: TestClient, project: Json) -> str:
    return trained(web, project)


@pytest.fixture(scope="module")
def report(web: TestClient, base: str) -> Json:
    answer = web.post(f"{base}/report")
    assert answer.status_code == 202
    assert answer.json()["state"] in {"running", "done"}
    until(lambda: web.get(f"{base}/report").json()["state"] == "done")
    found: Json = web.get(f"{base}/report").json()
    return found


def test_without_a_model(web: TestClient) -> None:
    base = f"/api/v1/projects/{web.post('/api/v1/projects').json()['id']}"
    found = web.get(f"{base}/report").json()
    assert (found["state"], found["model"]) == ("none", None)
    for answer in (web.post(f"{base}/report"), web.get(f"{base}/report/map"), web.get(f"{base}/report/page")):
        assert problem(answer, 404)["key"] == "model_not_trained"
    assert web.delete(f"{base}/report").json()["state"] == "none"
    problem(web.get("/api/v1/projects/nobody/report"), 404)


def test_a_report_says_how_good_it_is(report: Json, project: Json) -> None:
    assert (report["state"], report["fraction"], report["project"]) == ("done", 1.0, "Fruit")
    assert report["accuracy"]["total"] == 30
    assert 0 <= report["accuracy"]["low"] <= report["accuracy"]["share"] <= report["accuracy"]["high"] <= 1
    assert [one["id"] for one in report["classes"]] == [one["id"] for one in project["classes"]]
    assert all(one["advice"] for one in report["classes"])
    assert report["random_split"]["total"] == 30
    assert sum(map(sum, report["confusion"])) == 30
    assert report["headline"].endswith(".")


def test_starting_and_cancelling_leave_one_that_is_there(web: TestClient, base: str, report: Json) -> None:
    assert web.post(f"{base}/report").json() == report
    assert web.delete(f"{base}/report").json() == report


def test_the_photos_of_a_cell(web: TestClient, base: str, report: Json) -> None:
    ids = [one["id"] for one in report["classes"]]
    seen = 0
    for given, row in zip(ids, report["confusion"], strict=True):
        for said, count in zip(ids, row, strict=True):
            found = web.get(f"{base}/report/photos", params={"given": given, "said": said}).json()
            assert found["total"] == len(found["photos"]) == count
            assert all(one["present"] for one in found["photos"])
            seen += count
    assert seen == 30
    params: dict[str, str | int] = {"given": ids[0], "said": ids[0], "limit": 2, "offset": 1}
    assert len(web.get(f"{base}/report/photos", params=params).json()["photos"]) == 2


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"given": "nobody"}, 404),
        ({"said": "x" * 101}, 422),
        ({"limit": 0}, 422),
        ({"limit": 1001}, 422),
        ({"offset": -1}, 422),
        ({"offset": 10**30}, 422),
        ({"given": None}, 422),
    ],
)
def test_cells_that_do_not_exist_are_refused(
    web: TestClient, base: str, report: Json, changes: Json, status: int
) -> None:
    ids = [one["id"] for one in report["classes"]]
    params = {"given": ids[0], "said": ids[0], **changes}
    asked = {key: value for key, value in params.items() if value is not None}
    problem(web.get(f"{base}/report/photos", params=asked), status)


def test_the_map(web: TestClient, base: str, report: Json) -> None:
    found = web.get(f"{base}/report/map").json()
    assert found["method"] == "pca"
    assert len(found["samples"]) == len(found["x"]) == len(found["y"]) == len(found["classes"]) == 30
    assert found["class_ids"] == [one["id"] for one in report["classes"]]
    assert 0 < found["explained"] <= 1
    assert all(-1 <= value <= 1 for value in found["x"] + found["y"])
    problem(web.get(f"{base}/report/map", params={"method": "other"}), 422)


def test_the_page_loads_nothing_and_has_a_name(web: TestClient, base: str, report: Json) -> None:
    answer = web.get(f"{base}/report/page")
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert answer.headers["Content-Disposition"].startswith('attachment; filename="Fruit_report.html"')
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert report["headline"] in answer.text


def test_a_stored_photo(web: TestClient, base: str, project: Json) -> None:
    one, other = (each["id"] for each in project["classes"])
    sample = web.get(f"{base}/classes/{one}/samples").json()["samples"][0]["id"]
    found = web.get(f"{base}/samples/{sample}/prediction").json()
    assert (found["sample"], found["said"]) == (sample, one)
    assert list(found["probabilities"]) == [one, other]
    assert found["model"] == web.get(f"{base}/model").json()["id"]
    assert len(found["heatmap"]["values"]) == found["heatmap"]["width"] * found["heatmap"]["height"]
    assert 0 < found["view"] <= 1
    assert web.get(f"{base}/samples/{sample}/prediction?class={other}").json()["heatmap"]["class_id"] == other
    assert problem(web.get(f"{base}/samples/{sample}/prediction?class=nobody"), 404)["key"] == "class_unknown"
    problem(web.get(f"{base}/samples/99999/prediction"), 404)
    problem(web.get(f"{base}/samples/99999999999999999999/prediction"), 422)


def test_with_two_samples_in_all_it_says_what_is_missing(web: TestClient) -> None:
    base = trained(web, begun(web, "Small", recordings=1, photos=1))
    web.post(f"{base}/report")
    until(lambda: web.get(f"{base}/report").json()["state"] == "done")
    found = web.get(f"{base}/report").json()
    assert found["accuracy"] == {"correct": 0, "total": 0, "share": None, "low": None, "high": None}
    assert "second recording" in found["headline"]
    assert (found["random_split"], found["learning"], found["calibration"]) == (None, None, None)
    assert "nothing could be tested" in found["learning_text"]
    assert web.get(f"{base}/report/page").status_code == 200


def test_with_identical_samples_it_says_what_it_sees(web: TestClient) -> None:
    project: Json = web.post("/api/v1/projects", json={"name": "Same"}).json()
    for one in project["classes"]:
        for _ in range(2):
            sent = files(RED, range(1))
            web.post(f"/api/v1/projects/{project['id']}/classes/{one['id']}/samples", files=sent)
    base = trained(web, project)
    web.post(f"{base}/report")
    until(lambda: web.get(f"{base}/report").json()["state"] == "done")
    found = web.get(f"{base}/report").json()
    assert "repeated" in {one["kind"] for one in found["findings"]}
    assert web.get(f"{base}/report/map").json()["x"] == [0, 0]
