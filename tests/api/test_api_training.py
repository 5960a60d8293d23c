"""The main job over HTTP: teach two colours, train, ask, download."""

from collections.abc import Iterator

import pytest
from sending import BLUE, RED, files, photo, problem, served
from starlette.testclient import TestClient

from teachable.runtime import Classifier
from teachable.workflow import Workspace


class TestMainJob:
    """Two colours are taught over HTTP; the steps share one server because training takes seconds."""

    @pytest.fixture(scope="class")
    @classmethod
    def job(cls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[TestClient, str, Workspace]]:
        with Workspace(tmp_path_factory.mktemp("home")) as workspace:
            web = served(workspace)
            project = web.post("/api/v1/projects", json={"name": "Farben"}).json()
            base = f"/api/v1/projects/{project['id']}"
            for one, name, color in zip(project["classes"], ("rot", "blau"), (RED, BLUE), strict=True):
                web.patch(f"{base}/classes/{one['id']}", json={"name": name})
                for press in range(3):
                    sent = files(color, range(4 * press, 4 * press + 4))
                    address = f"{base}/classes/{one['id']}/samples"
                    assert (
                        web.post(address, files=sent, data={"group": f"{name}-{press}"}).json()["total"]
                        == 4 * press + 4
                    )
            answer = web.post(f"{base}/training", json={"epochs": 20})
            assert answer.status_code == 202
            assert answer.json()["training"]["state"] == "running"
            workspace.wait_for_training(project["id"], 120)
            yield web, base, workspace

    def test_the_status_tells_what_came_out(self, job: tuple[TestClient, str, Workspace]) -> None:
        web, base, _ = job
        status = web.get(f"{base}/status").json()
        assert status["embedding"] == {"done": 24, "total": 24, "failed": 0}
        assert status["ready"]["ok"]
        assert (status["training"]["state"], status["training"]["fraction"]) == ("done", 1.0)
        assert status["model"]["samples"] == 24
        assert not status["model"]["stale"]
        assert web.get(f"{base}/training").json()["state"] == "done"

    def test_the_record_is_honest(self, job: tuple[TestClient, str, Workspace]) -> None:
        web, base, _ = job
        record = web.get(f"{base}/model").json()
        score = record["evaluation"]
        assert record["settings"]["epochs"] == 20
        # Every photo is tested once, by a head that saw nothing of its recording.
        assert score["held_out"] == 24
        assert score["accuracy"] == score["correct"] / 24
        assert score["low"] < score["accuracy"]
        assert len(score["history"]) == 20

    def test_the_downloaded_file_gives_the_answers_of_predict(self, job: tuple[TestClient, str, Workspace]) -> None:
        web, base, _ = job
        answer = web.get(f"{base}/model.onnx")
        assert 'filename="model.onnx"' in answer.headers["Content-Disposition"]
        assert answer.headers["Cache-Control"] == "no-cache"
        classifier = Classifier.load(answer.content)
        fresh = [photo(RED, 100), photo(BLUE, 100)]
        sent = [("files", (f"{index}.jpg", data, "image/jpeg")) for index, data in enumerate(fresh)]
        told = web.post(f"{base}/predict", files=sent).json()["predictions"]
        assert [one["label"] for one in told] == ["rot", "blau"]
        for one, own in zip(told, classifier.predict(fresh), strict=True):
            assert one["label"] == own.label
            assert one["probabilities"] == pytest.approx(own.probabilities, abs=1e-5)

    def test_a_certain_model_can_be_asked_for(self, job: tuple[TestClient, str, Workspace]) -> None:
        web, base, _ = job
        newest = web.get(f"{base}/model").json()["id"]
        assert web.get(f"{base}/model.onnx", params={"id": newest}).status_code == 200
        problem(web.get(f"{base}/model.onnx", params={"id": "0" * 16}), 404)

    def test_one_photo_can_be_asked_about(self, job: tuple[TestClient, str, Workspace]) -> None:
        web, base, _ = job
        (told,) = web.post(f"{base}/predict", files=files(RED, range(7, 8), "file")).json()["predictions"]
        assert told["label"] == "rot"
        assert told["probability"] == max(told["probabilities"].values())

    def test_a_bad_photo_cannot_be_asked_about(self, job: tuple[TestClient, str, Workspace]) -> None:
        web, base, _ = job
        error = problem(web.post(f"{base}/predict", files={"file": ("x.txt", b"text")}), 422)
        assert error["values"]["name"] == "x.txt"

    def test_a_new_name_holds_without_training(self, job: tuple[TestClient, str, Workspace]) -> None:
        web, base, _ = job
        first = web.get(base).json()["classes"][0]["id"]
        web.patch(f"{base}/classes/{first}", json={"name": "red"})
        assert Classifier.load(web.get(f"{base}/model.onnx").content).labels == ("red", "blau")
        web.patch(f"{base}/classes/{first}", json={"name": "rot"})

    def test_training_twice_at_once_is_a_conflict_and_can_be_cancelled(
        self, job: tuple[TestClient, str, Workspace]
    ) -> None:
        web, base, workspace = job
        before = web.get(f"{base}/model").json()["id"]
        endless = {"epochs": 1000, "batch_size": 1, "hidden_units": 1000}
        assert web.post(f"{base}/training", json=endless).status_code == 202
        problem(web.post(f"{base}/training"), 409)
        assert web.delete(f"{base}/training").status_code == 200
        workspace.wait_for_training(base.rsplit("/", 1)[-1], 60)
        assert web.get(f"{base}/training").json()["state"] == "cancelled"
        assert web.get(f"{base}/model").json()["id"] == before


def test_an_empty_project_says_what_it_needs(web: TestClient, base: str) -> None:
    ready = web.get(f"{base}/status").json()["ready"]
    assert not ready["ok"]
    assert ready["message"]
    problem(web.post(f"{base}/training"), 409)


def test_asking_an_untrained_project_is_refused(web: TestClient, base: str) -> None:
    problem(web.post(f"{base}/predict", files=files(RED, range(1), "file")), 404)
