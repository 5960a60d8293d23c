"""The command line: what it prints, where, and with which exit code."""

import json
import os
import re
import subprocess
import sys
import tomllib
from contextlib import closing
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import programming
import pytest
import typer
from commanding import teachable
from typer.testing import Result

from teachable import __version__, server
from teachable.cli import app
from teachable.cli.folders import photos_below, read_classes
from teachable.errors import InvalidInput, NotFound
from teachable.projects import ProjectStore
from teachable.runtime import Classifier
from teachable.scores import ClassScore, Evaluation
from teachable.types import ModelRecord, TrainSettings

RED, BLUE = (200, 30, 30), (30, 30, 200)
ROOT = Path(__file__).parent.parent


def write_photo(path: Path, color: tuple[int, int, int], seed: int = 0) -> None:
    """Write a noisy photo of one colour."""
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(seed).integers(-30, 30, (64, 64, 3))
    PIL.Image.fromarray(np.clip(np.array(color) + noise, 0, 255).astype(np.uint8)).save(path)


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two classes, each from three recordings, with a file that is no photo."""
    folder = tmp_path_factory.mktemp("photos") / "colours"
    for name, color in (("red", RED), ("blue", BLUE)):
        for recording in range(3):
            for seed in range(4):
                write_photo(folder / name / f"day {recording}" / f"{seed}.jpg", color, 10 * recording + seed)
    (folder / "red" / "day 0" / "notes.txt").write_text("no photo")
    (folder / "red" / ".DS_Store").write_text("litter")
    return folder


@pytest.fixture(scope="module")
def trained(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Result]:
    out = tmp_path_factory.mktemp("out") / "model.onnx"
    return out, teachable("train", photos, "--out", out, "--epochs", "20")


# The program as a whole


def test_the_version_is_printed() -> None:
    result = teachable("--version")
    assert (result.exit_code, result.stdout) == (0, f"teachable {__version__}\n")


def commands() -> list[tuple[str, Any]]:
    group: Any = typer.main.get_command(app)
    return [("teachable", group), *group.commands.items()]


def test_the_commands_are_those_that_were_agreed() -> None:
    assert [name for name, _ in commands()] == [
        "teachable",
        "serve",
        "train",
        "predict",
        "report",
        "export",
        "serve-model",
        "projects",
        "versions",
        "pack",
        "import",
        "doctor",
        "networks",
    ]


@pytest.mark.parametrize(("name", "command"), commands())
def test_every_command_and_option_is_described(name: str, command: Any) -> None:
    assert command.help
    for parameter in command.params:
        assert getattr(parameter, "help", None), f"{name} {parameter.name}"


def test_every_environment_variable_is_described() -> None:
    code = "".join(path.read_text("utf-8") for path in (ROOT / "teachable").rglob("*.py"))
    variables = set(re.findall(r"TEACHABLE_[A-Z_]+", code))
    assert variables
    told = teachable("--help").stdout
    for variable in variables:
        assert variable in told


def test_the_exit_codes_are_described() -> None:
    assert "Exit codes: 0" in teachable("--help").stdout


@pytest.mark.parametrize(
    "arguments", [["--help"], ["train", "--help"], ["--version"], ["projects"], ["networks", "--help"], ["networks"]]
)
def test_help_and_lists_load_nothing_heavy(arguments: list[str], tmp_path: Path) -> None:
    loaded = modules_after(arguments, tmp_path)
    assert not loaded & {"torch", "torchvision", "gradio", "fastapi", "onnx", "onnxruntime", "rich"}


def test_predict_loads_neither_torch_nor_gradio(trained: tuple[Path, Result], photos: Path, tmp_path: Path) -> None:
    loaded = modules_after(["predict", str(trained[0]), str(photos / "red" / "day 0" / "0.jpg")], tmp_path)
    assert "onnxruntime" in loaded
    assert not loaded & {"torch", "torchvision", "gradio", "fastapi", "onnx"}


def modules_after(arguments: list[str], home: Path) -> set[str]:
    """Run the program in a process of its own; return the top-level modules it loaded."""
    code = (
        "import sys, runpy\n"
        f"sys.argv = ['teachable', *{arguments!r}]\n"
        "try: runpy.run_module('teachable', run_name='__main__')\n"
        "except SystemExit as end: assert not end.code, end.code\n"
        "print('MODULES', *{name.partition('.')[0] for name in sys.modules})"
    )
    environment = {"TEACHABLE_HOME": str(home), "PATH": ""}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    return set(done.stdout.rpartition("MODULES ")[2].split())


def test_the_entry_points_are_one() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert project["scripts"]["teachable"] == "teachable.cli:main"
    assert "teachable.cli import main" in (ROOT / "app.py").read_text("utf-8")


@pytest.mark.parametrize("arguments", [["nonsense"], ["train"], ["predict"], ["serve", "--port", "x"], ["--nonsense"]])
def test_a_wrong_call_is_a_usage_error(arguments: list[str]) -> None:
    result = teachable(*arguments)
    assert result.exit_code == 2
    assert "Usage:" in result.stderr


# serve


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """What `serve` was called with."""
    calls: list[tuple[Any, ...]] = []
    monkeypatch.setattr(server, "serve", lambda *given, offline: calls.append((*given[:4], offline)))
    return calls


def test_without_a_command_the_page_is_served(
    served: list[tuple[Any, ...]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TEACHABLE_HOME", str(tmp_path))
    monkeypatch.setenv("TEACHABLE_OFFLINE", "")
    for arguments in ([], ["serve"]):
        assert teachable(*arguments).exit_code == 0
    assert served == [(tmp_path, "127.0.0.1", None, True, False)] * 2


def test_options_reach_the_server_with_and_without_the_command(served: list[tuple[Any, ...]], tmp_path: Path) -> None:
    options = ["--host", "0.0.0.0", "--port", "8000", "--home", str(tmp_path), "--no-browser", "--offline"]
    for arguments in (options, ["serve", *options]):
        assert teachable(*arguments).exit_code == 0
    assert served == [(tmp_path, "0.0.0.0", 8000, False, True)] * 2


def test_the_setting_means_the_same_as_the_option(
    served: list[tuple[Any, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    for value in ("1", "0", "perhaps"):
        monkeypatch.setenv("TEACHABLE_OFFLINE", value)
        result = teachable("serve")
        assert result.exit_code == (2 if value == "perhaps" else 0)
    assert "neither yes nor no" in result.stderr
    assert [one[4] for one in served] == [True, False]


# train


def test_a_folder_becomes_a_model(trained: tuple[Path, Result]) -> None:
    out, result = trained
    assert result.exit_code == 0, result.output
    classifier = Classifier.load(out)
    assert sorted(classifier.labels) == ["blue", "red"]
    assert classifier.metadata.project == "colours"
    assert classifier.metadata.agreement is not None
    assert list(out.parent.iterdir()) == [out]


def test_the_result_is_honest(trained: tuple[Path, Result]) -> None:
    out, result = trained
    score = Classifier.load(out).metadata.evaluation
    assert score.held_out == 24
    assert f"{score.correct} of 24 photos of recordings kept out" in result.stdout
    assert "95 % interval" in result.stdout
    assert "on 24 of 24 photos" in result.stdout


def test_a_figure_of_some_classes_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    scores, confusion = (ClassScore(23, 24), ClassScore(0, 0)), ((23, 1), (0, 0))
    evaluation = Evaluation(0.9967, 0.45, 0.9998, 24, 23, scores, confusion, (1,), ())
    names, network = ("A", "B"), ("f" * 64, "slim-v1")
    record = ModelRecord("m", 1.0, ("a", "b"), names, *network, TrainSettings(), "d", 32, 1.2, evaluation)
    import_module("teachable.cli.training")._report(Path("m.onnx"), record, list(names), False)
    said = capsys.readouterr().out
    assert "Accuracy: over 99 %, 23 of 24 photos" in said
    assert "45 % to 99 %), for 1 of 2 classes." in said
    assert "Not tested: B" in said


def test_files_that_are_no_photos_are_listed_and_counted(trained: tuple[Path, Result]) -> None:
    _, result = trained
    assert "Skipped red/day 0/notes.txt" in result.stderr
    assert "1 file was skipped" in result.stderr
    assert ".DS_Store" not in result.output


def test_progress_goes_to_stderr(trained: tuple[Path, Result]) -> None:
    _, result = trained
    assert "Reading photos" in result.stderr
    assert "Training" in result.stderr
    assert "Reading photos" not in result.stdout


def test_one_folder_per_class_cannot_be_judged(tmp_path: Path) -> None:
    for seed in range(4):
        write_photo(tmp_path / "photos" / "Class 2" / f"{seed}.png", RED, seed)
        write_photo(tmp_path / "photos" / "x" / f"{seed}.png", BLUE, seed)
    out = tmp_path / "model.onnx"
    result = teachable("train", tmp_path / "photos", "--out", out, "--epochs", "5")
    assert result.exit_code == 0, result.output
    assert "Accuracy cannot be judged" in result.stdout
    assert "--independent" in result.stdout
    result = teachable("train", tmp_path / "photos", "--out", out, "--epochs", "5", "--force", "--independent")
    assert result.exit_code == 0, result.output
    assert "Accuracy: " in result.stdout
    assert "really taken on its own" in result.stdout
    assert Classifier.load(out).labels == ("Class 2", "x")


def test_a_folder_with_test_photos_is_tested_with_and_not_trained_on(photos: Path, tmp_path: Path) -> None:
    tests, home = tmp_path / "tests", tmp_path / "home"
    for name, color in (("Red", RED), ("blue", BLUE)):
        for seed in range(70, 75):
            write_photo(tests / name / f"{seed}.jpg", color, seed)
    out = tmp_path / "model.onnx"
    result = teachable("train", photos, "--test", tests, "--out", out, "--epochs", "20", "--home", home)
    assert result.exit_code == 0, result.output
    assert "24 photos, trained in" in result.stdout
    assert re.search(r"^Test photos: 100 %, 10 of 10 were named correctly", result.stdout, re.MULTILINE)
    assert "Reading test photos" in result.stderr
    (kept,) = json.loads(teachable("projects", "--home", home, "--json").stdout)
    assert sorted((one["name"], one["samples"], one["tests"]) for one in kept["classes"]) == [
        ("blue", 17, 5),
        ("red", 17, 5),
    ]


def test_test_photos_that_were_trained_on_are_told(photos: Path, tmp_path: Path) -> None:
    tests = tmp_path / "tests"
    for seed in (70, 71):
        write_photo(tests / "red" / f"{seed}.jpg", RED, seed)
    write_photo(tests / "red" / "same.png", RED, 10)  # as a JPEG it is among those trained on
    result = teachable("train", photos, "--test", tests, "--out", tmp_path / "model.onnx", "--epochs", "5")
    assert result.exit_code == 0, result.output
    assert re.search(r"^Test photos: .*, \d of 2 were named", result.stdout, re.MULTILINE)
    assert "1 test photo does not count" in result.stdout


def test_a_test_with_the_very_photos_trained_on_is_refused_aloud(photos: Path, tmp_path: Path) -> None:
    result = teachable("train", photos, "--test", photos, "--out", tmp_path / "model.onnx", "--epochs", "5")
    assert result.exit_code == 0, result.output
    assert "Test photos: " not in result.stdout
    assert "24 test photos were skipped: they are the very photos it was trained on" in result.stdout


def test_a_folder_of_tests_must_fit_the_classes(photos: Path, tmp_path: Path) -> None:
    tests = tmp_path / "tests"
    out = tmp_path / "model.onnx"

    def refused() -> str:
        result = teachable("train", photos, "--test", tests, "--out", out, "--epochs", "2")
        assert result.exit_code != 0
        assert not out.exists()
        return result.stderr

    assert "tests" in refused()
    tests.mkdir()
    assert "folders called like the classes" in refused()
    write_photo(tests / "green" / "1.jpg", RED)
    said = refused()
    assert "“green”" in said
    assert "blue, red" in said


def test_a_quiet_training_says_nothing_and_can_keep_its_project(photos: Path, tmp_path: Path) -> None:
    home, out = tmp_path / "home", tmp_path / "model.onnx"
    options = ["--home", str(home), "--quiet", "--epochs", "2", "--project-name", "Kept", "--hidden", "8"]
    result = teachable("train", photos / ".." / "colours", "--out", out, *options)
    assert (result.exit_code, result.stdout) == (0, ""), result.output
    assert "Reading" not in result.stderr
    (kept,) = json.loads(teachable("projects", "--home", home, "--json").stdout)
    assert (kept["name"], kept["settings"]["hidden_units"]) == ("Kept", 8)
    assert sorted((one["name"], one["samples"]) for one in kept["classes"]) == [("blue", 12), ("red", 12)]


def test_a_model_is_not_overwritten(photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "model.onnx"
    out.write_text("precious")
    result = teachable("train", photos, "--out", out)
    assert result.exit_code == 2
    assert "--force" in result.stderr
    assert out.read_text() == "precious"


def test_what_cannot_be_trained_is_refused_before_the_work(photos: Path, tmp_path: Path) -> None:
    (tmp_path / "flat").mkdir()
    write_photo(tmp_path / "flat" / "photo.jpg", RED)
    (tmp_path / "single").mkdir()
    write_photo(tmp_path / "single" / "one" / "photo.jpg", RED)
    for arguments, words in (
        ([tmp_path / "missing"], "There is no folder"),
        ([tmp_path / "flat" / "photo.jpg"], "is a single photo"),
        ([tmp_path / "flat"], "holds no folders"),
        ([tmp_path / "single"], "one folder with files"),
        ([photos, "--out", tmp_path], "is a folder"),
        ([photos, "--out", tmp_path / "no" / "model.onnx"], "There is no folder"),
        ([photos, "--epochs", "0"], "from 1 to 1000"),
        ([photos, "--learning-rate", "nan"], "learning rate"),
        ([photos, "--project-name", "x" * 1000], "1000 characters"),
    ):
        result = teachable("train", *arguments)
        assert result.exit_code == 2, arguments
        assert result.stderr.startswith("Error: "), result.output
        assert words in result.stderr
        assert "Traceback" not in result.output
        assert result.stdout == ""


def test_a_class_without_readable_photos_is_told(tmp_path: Path) -> None:
    write_photo(tmp_path / "photos" / "red" / "1.png", RED)
    (tmp_path / "photos" / "blue").mkdir()
    (tmp_path / "photos" / "blue" / "1.png").write_text("no photo")
    result = teachable("train", tmp_path / "photos", "--out", tmp_path / "model.onnx")
    assert result.exit_code == 2
    assert "blue" in result.stderr
    assert not (tmp_path / "model.onnx").exists()


# Folders


def test_folders_inside_a_class_are_groups(photos: Path) -> None:
    write_photo(photos / "red" / "loose.jpg", RED)
    try:
        blue, red = read_classes(photos, independent=False)
    finally:
        (photos / "red" / "loose.jpg").unlink()
    assert [group.name for group in blue.groups] == ["day 0", "day 1", "day 2"]
    assert [group.name for group in red.groups] == [".", "day 0", "day 1", "day 2"]
    assert [len(group.photos) for group in red.groups] == [1, 5, 4, 4]


def test_independent_photos_are_groups_of_their_own(photos: Path) -> None:
    blue, _ = read_classes(photos, independent=True)
    assert blue.size == 12
    assert len({group.name for group in blue.groups}) == 12


def test_numbers_in_names_are_counted_not_spelt(tmp_path: Path) -> None:
    for number in (10, 2, 1):
        write_photo(tmp_path / f"photo {number}.png", RED)
    assert [path.stem for path in photos_below(tmp_path)] == ["photo 1", "photo 2", "photo 10"]


def test_a_link_that_leads_back_up_ends(tmp_path: Path) -> None:
    write_photo(tmp_path / "a" / "1.png", RED)
    write_photo(tmp_path / "b" / "1.png", RED)
    (tmp_path / "a" / "loop").symlink_to(tmp_path)
    assert [one.size for one in read_classes(tmp_path, independent=False)] == [1, 1]


def test_a_folder_that_is_not_there_is_an_error_in_words(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        read_classes(tmp_path / "missing", independent=False)
    with pytest.raises(InvalidInput):
        read_classes(tmp_path, independent=False)


# predict


def test_each_photo_gets_a_line(trained: tuple[Path, Result], photos: Path) -> None:
    paths = [photos / "red" / "day 0" / "0.jpg", photos / "blue" / "day 1" / "1.jpg"]
    result = teachable("predict", trained[0], *paths)
    assert result.exit_code == 0, result.output
    lines = [line.split("\t") for line in result.stdout.splitlines()]
    assert [line[0] for line in lines] == [str(path) for path in paths]
    assert lines[0][1].startswith("red ")
    assert lines[1][1].startswith("blue ")


def test_several_classes_can_be_named(trained: tuple[Path, Result], photos: Path) -> None:
    result = teachable("predict", trained[0], photos / "red" / "day 0" / "0.jpg", "--top", "5")
    _, first, second = result.stdout.strip().split("\t")
    assert first.startswith("red ")
    assert second.startswith("blue ")


def test_a_folder_stands_for_its_photos_and_a_bad_one_does_not_stop_the_rest(
    trained: tuple[Path, Result], photos: Path
) -> None:
    result = teachable("predict", trained[0], photos / "red" / "day 0", photos / "missing.jpg", "--json")
    assert result.exit_code == 1
    answers = json.loads(result.stdout)
    assert len(answers) == 6
    failed = [answer for answer in answers if "error" in answer]
    assert [Path(answer["file"]).name for answer in failed] == ["notes.txt", "missing.jpg"]
    told = next(answer for answer in answers if "error" not in answer)
    assert told["label"] == "red"
    assert sum(told["probabilities"].values()) == pytest.approx(1, abs=1e-5)

    result = teachable("predict", trained[0], photos / "red" / "day 0")
    assert result.exit_code == 1
    assert len(result.stdout.splitlines()) == 4
    assert "notes.txt" in result.stderr
    assert "1 photo could not be used." in result.stderr


@pytest.mark.parametrize("familiar", [None, True, False])
def test_photos_that_a_model_does_not_know_are_marked(photos: Path, tmp_path: Path, familiar: bool | None) -> None:
    model = tmp_path / "model.onnx"
    model.write_bytes(programming.model(familiar)[0])
    path = photos / "red" / "day 0" / "0.jpg"
    columns = teachable("predict", model, path).stdout.rstrip("\n").split("\t")
    assert (columns[-1] == "not sure") == (familiar is False)
    (answer,) = json.loads(teachable("predict", model, path, "--json").stdout)
    assert answer["known"] is familiar
    assert answer["familiarity"] == (None if familiar is None else float(familiar))


def test_a_file_that_is_no_model_is_refused(photos: Path, tmp_path: Path) -> None:
    for model in (photos / "red" / "day 0" / "0.jpg", tmp_path / "missing.onnx", tmp_path):
        result = teachable("predict", model, photos)
        assert result.exit_code == 2
        assert result.stderr.startswith("Error: ")


def test_an_empty_folder_is_an_error_in_words(trained: tuple[Path, Result], tmp_path: Path) -> None:
    result = teachable("predict", trained[0], tmp_path)
    assert result.exit_code == 2
    assert "no files" in result.stderr


# projects


def test_projects_are_listed(tmp_path: Path) -> None:
    assert "no projects" in teachable("projects", "--home", tmp_path).stdout
    store = ProjectStore(tmp_path)
    made = store.create("Fruit 🍎")
    store.close()
    result = teachable("projects", "--home", tmp_path)
    assert result.exit_code == 0
    assert made.id in result.stdout
    assert "0.1 MB  Fruit 🍎: Class 1 (0), Class 2 (0)" in result.stdout
    (found,) = json.loads(teachable("projects", "--home", tmp_path, "--json").stdout)
    assert (found["id"], found["name"]) == (made.id, "Fruit 🍎")
    assert found["bytes"] > 50_000


def test_a_deleted_project_is_listed_and_brought_back(tmp_path: Path) -> None:
    assert "no deleted projects" in teachable("projects", "--home", tmp_path, "--bin").stdout
    with closing(ProjectStore(tmp_path)) as store:
        token = store.delete(store.create("Fruit").id)
    listed = teachable("projects", "--home", tmp_path, "--bin").stdout
    assert token in listed
    assert "Fruit (0 photos)" in listed
    (found,) = json.loads(teachable("projects", "--home", tmp_path, "--bin", "--json").stdout)
    assert found["id"] == token
    result = teachable("projects", "--home", tmp_path, "--restore", token)
    assert result.exit_code == 0
    assert "“Fruit” is back" in result.stdout
    again = teachable("projects", "--home", tmp_path, "--restore", token)
    assert again.exit_code == 2
    assert "no longer in the bin" in again.stderr


def test_a_project_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    (tmp_path / "projects" / ("0" * 32)).mkdir(parents=True)
    result = teachable("projects", "--home", tmp_path)
    assert result.exit_code == 0
    assert "0" * 32 in result.stderr


def test_a_home_that_cannot_be_used_is_an_error_in_words(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    result = teachable("projects", "--home", tmp_path / "file")
    assert result.exit_code == 2
    assert result.stderr.startswith("Error: ")
    assert str(tmp_path / "file") in result.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="file names are bytes only there")
def test_a_name_the_terminal_cannot_show_does_not_stop_anything(trained: tuple[Path, Result], tmp_path: Path) -> None:
    path = tmp_path / b"\xff \xf0\x9f\x8d\x8e.png".decode(errors="surrogateescape")
    write_photo(path, RED)
    for options in ([], ["--json"]):
        command = [sys.executable, "-m", "teachable", "predict", str(trained[0]), str(path), *options]
        environment = os.environ | {"PYTHONIOENCODING": "ascii"}
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
        assert done.returncode == 0, done.stderr
        assert "red" in done.stdout
    assert json.loads(done.stdout)[0]["file"] == str(path)
