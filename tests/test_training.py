"""The child process that trains: its results, its death in every way, and that it never outlives its parent."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import psutil
import pytest
from making import until

from teachable import evaluation, training
from teachable.errors import Cancelled, InvalidInput, TeachableError
from teachable.projects.records import evaluation_from
from teachable.scores import ClassScore, EpochPoint, Evaluation
from teachable.study import Evidence
from teachable.training import Outcome, Phase, Task, Trainer
from teachable.types import Looks, TrainSettings
from teachable.words import say

FOREVER = TrainSettings(epochs=1000, batch_size=1)


def task(count: int = 12, classes: int = 2, settings: TrainSettings | None = None, width: int = 16) -> Task:
    random = np.random.default_rng(0)
    labels = np.arange(count) % classes
    embeddings = random.normal(size=(count, width)).astype(np.float32) + 3 * labels[:, None].astype(np.float32)
    groups = [f"g{index % 4}{label}" for index, label in enumerate(labels.tolist())]
    return Task(embeddings, labels.astype(np.int64), groups, classes, settings or TrainSettings(epochs=5))


def long_task() -> Task:
    return task(3000, settings=FOREVER, width=256)


def run(trainer: Trainer, what: Task) -> Outcome:
    return trainer.run(what, lambda phase, share, point: None, threading.Event())


def child_of(trainer: Trainer) -> "subprocess.Popen[bytes]":
    assert trainer._child is not None
    return trainer._child


def alive(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


# Everything about the process is the same in this child, but it loads no torch and waits instead of training for long.
LIGHT = """
import sys, threading, types
import numpy as np
sys.path.append(sys.argv[1])
for name in ("torch", "sklearn", "sklearn.cluster"):
    sys.modules[name] = types.ModuleType(name)
from teachable import tasks, trainee
from teachable.scores import Evaluation, Outcomes
from teachable.types import Head, Layer

def train(task, answer):
    for epoch in range(1, 4):
        point = {"epoch": epoch, "loss": 0.5, "accuracy": 1.0}
        answer({"kind": "epoch", "phase": "testing", "share": epoch / 3, "point": point})
    if task.settings.epochs == 1000:
        threading.Event().wait()
    none = np.empty(0, np.int64)
    layer = Layer(np.zeros((2, 4), np.float32), np.zeros(2, np.float32))
    score = Evaluation(None, None, None, 0, 0, (), (), (), ())
    nothing = Outcomes(none, none, np.empty((0, 2), np.float32))
    outcome = tasks.Outcome(Head((layer,)), score, nothing, (), None, np.empty((0, 2), np.float32))
    answer(*tasks.outcome_message(outcome))
    trained.append(task)

def study(message, answer, urgent):
    # It would go on for ever, but after it was interrupted it is quick.
    while not trained:
        answer({"kind": "progress", "share": 0.5})
        if urgent():
            raise trainee._Interrupted
        waiting.wait(0.01)
    nothing = {"random_split": None, "curve": None, "suspects": [], "advice": [], "explained": 0.5}
    answer({"kind": "done", "study": nothing}, {"points": np.zeros((1, 2), np.float32)})

def points(message, answer):
    # It can only be killed, but after a training it is quick.
    while not trained:
        waiting.wait(0.01)
    answer({"kind": "done", "explained": None}, {"points": message[1]["embeddings"]})

waiting, trained = threading.Event(), []
trainee._train, trainee._study, trainee._points = train, study, points
trainee.main()
"""


@pytest.fixture
def trainer(monkeypatch: pytest.MonkeyPatch) -> Iterator[Trainer]:
    """A trainer of its own, with a light child."""
    monkeypatch.setattr(training, "_CHILD", LIGHT)
    with closing(Trainer()) as opened:
        yield opened


@pytest.fixture(scope="module")
def warm() -> Iterator[Trainer]:
    """One child for all tests that leave it alive."""
    with closing(Trainer()) as opened:
        opened.warm_up()
        yield opened


class Running:
    """A long training in a thread of its own."""

    def __init__(self, trainer: Trainer) -> None:
        self.cancelled = threading.Event()
        self.going = threading.Event()
        self.error: BaseException | None = None
        self.trainer = trainer
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _run(self) -> None:
        try:
            self.trainer.run(long_task(), lambda phase, share, point: self.going.set(), self.cancelled)
        except BaseException as error:  # noqa: BLE001 - the test looks at it
            self.error = error

    def join(self) -> BaseException | None:
        self.thread.join(60)
        assert not self.thread.is_alive()
        return self.error


# Results


def test_an_evaluation_survives_the_trip() -> None:
    from dataclasses import asdict

    score = Evaluation(
        accuracy=0.5, low=0.1, high=0.9, held_out=2, correct=1, per_class=(ClassScore(1, 1), ClassScore(0, 1)),
        confusion=((1, 0), (1, 0)), unjudged=(1,), history=(EpochPoint(1, 0.7, 0.5, 0.6, 0.5), EpochPoint(2, 0.5, 1.0)),
    )  # fmt: skip
    assert evaluation_from(json.loads(json.dumps(asdict(score)))) == score


def test_epochs_are_told_in_order_and_the_head_fits(warm: Trainer) -> None:
    seen: list[tuple[Phase, float, int]] = []
    outcome = warm.run(task(), lambda phase, share, point: seen.append((phase, share, point.epoch)), threading.Event())
    phases = [phase for phase, _, _ in seen]
    testing, fitting = phases.count("testing"), phases.count("fitting")
    assert phases == ["testing"] * testing + ["fitting"] * fitting
    shares = [share for _, share, _ in seen]
    for part in (shares[:testing], shares[testing:]):
        assert part == sorted(part)
        assert part[-1] == 1.0
    assert [epoch for _, _, epoch in seen] == [1, 2, 3, 4, 5] * (len(seen) // 5)
    assert testing == 5 * outcome.evaluation.folds
    assert outcome.head.layers[0].weight.shape == (2, 16)
    assert outcome.evaluation.held_out > 0
    assert [point.epoch for point in outcome.evaluation.history] == [1, 2, 3, 4, 5]


def test_two_children_make_the_same_head_to_the_bit(warm: Trainer) -> None:
    settings = TrainSettings(epochs=5, hidden_units=7, seed=3)
    what = task(40, classes=3, settings=settings)
    with closing(Trainer()) as other:
        one, two = run(warm, what), run(other, what)
    for left, right in zip(one.head.layers, two.head.layers, strict=True):
        assert left.weight.tobytes() == right.weight.tobytes()
        assert left.bias.tobytes() == right.bias.tobytes()
    assert one.evaluation == two.evaluation


@pytest.mark.parametrize("hidden", [0, 7])
def test_the_head_that_was_tested_comes_back_to_the_bit(warm: Trainer, hidden: int) -> None:
    what = task(40, classes=3, settings=TrainSettings(epochs=5, hidden_units=hidden))
    found = warm.examine(what, lambda phase, share, point: None, threading.Event())
    expected = evaluation.examine(what.embeddings, what.labels, what.groups, what.class_count, what.settings)
    assert found.evaluation == expected.evaluation
    np.testing.assert_array_equal(found.held_out, expected.held_out)
    np.testing.assert_array_equal(found.predicted, expected.predicted)
    assert len(found.head.layers) == (2 if hidden else 1)
    for left, right in zip(found.head.layers, expected.head.layers, strict=True):
        assert left.weight.tobytes() == right.weight.tobytes()
        assert left.bias.tobytes() == right.bias.tobytes()


def test_a_refusal_keeps_its_kind_key_and_values_and_the_child(warm: Trainer) -> None:
    run(warm, task())
    pid = child_of(warm).pid
    with pytest.raises(InvalidInput) as caught:
        run(warm, task(settings=TrainSettings(epochs=0)))
    assert caught.value.key == "setting_epochs"
    assert caught.value.values.keys() == {"value", "low", "high"}
    assert caught.value.values["value"] == 0
    assert str(caught.value) == say("error.setting_epochs", **caught.value.values)
    run(warm, task())
    assert child_of(warm).pid == pid


def test_a_crash_in_the_child_is_logged_and_told_in_words(warm: Trainer, caplog: pytest.LogCaptureFixture) -> None:
    run(warm, task())
    pid = child_of(warm).pid
    odd = task()
    with pytest.raises(TeachableError) as caught:
        run(warm, Task(odd.embeddings, odd.labels[:-1], odd.groups, 2, odd.settings))
    assert caught.value.key == "training_died"
    assert "ValueError" in caplog.text
    run(warm, task())
    assert child_of(warm).pid == pid


def test_prints_in_the_child_do_not_mix_with_messages(monkeypatch: pytest.MonkeyPatch) -> None:
    loud = (
        "    import os; print('hello', flush=True); os.write(1, b'raw'); os.system('echo from a shell')\n"
        "    assert sys.stdin.read() == ''\n"
    )
    start = "def train(header, arrays, answer):\n"
    monkeypatch.setattr(training, "_CHILD", LIGHT.replace(start, start + loud))
    with closing(Trainer()) as trainer:
        assert run(trainer, task()).head.layers


def test_the_folder_it_is_started_in_cannot_replace_modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("torch", "numpy", "random", "teachable"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('the wrong module')")
    monkeypatch.chdir(tmp_path)
    with closing(Trainer()) as trainer:
        assert run(trainer, task()).head.layers


def evidence() -> Evidence:
    none = np.zeros(4, np.float32)
    looks = Looks(np.arange(4, dtype=np.uint64), none, none, none, np.zeros((4, 4, 4, 3), np.float32))
    what = task(4)
    logits = np.zeros((4, 2), np.float32)
    groups = list(what.groups)
    return Evidence(what.embeddings, what.labels, groups, groups, 2, what.settings, what.labels, logits, looks)


def test_a_study_makes_way_for_a_training_and_begins_anew(trainer: Trainer) -> None:
    studied: list[float] = []
    going = threading.Event()
    cancelled = threading.Event()

    def report(share: float) -> None:
        going.set()

    thread = threading.Thread(target=lambda: studied.append(trainer.study(evidence(), report, cancelled).explained))
    thread.start()
    assert going.wait(60)
    child = child_of(trainer)
    assert run(trainer, task()).head.layers
    thread.join(60)
    assert studied == [0.5]
    assert child_of(trainer) is child


def test_a_map_makes_way_for_a_training_and_is_drawn_anew(trainer: Trainer) -> None:
    drawn: list[int] = []
    embeddings = np.zeros((7, 2), np.float32)

    def draw() -> None:
        drawn.append(len(trainer.points(embeddings, "umap", 0, threading.Event())[0]))

    trainer.warm_up()
    child = child_of(trainer)
    thread = threading.Thread(target=draw)
    thread.start()
    until(lambda: trainer._giving_way, "drawing")
    assert run(trainer, task()).head.layers
    thread.join(60)
    assert drawn == [7]
    assert child_of(trainer) is not child


def test_a_study_can_be_given_up(trainer: Trainer) -> None:
    cancelled, going = threading.Event(), threading.Event()
    raised: list[BaseException] = []

    def look() -> None:
        try:
            trainer.study(evidence(), lambda share: going.set(), cancelled)
        except Cancelled as error:
            raised.append(error)

    thread = threading.Thread(target=look)
    thread.start()
    assert going.wait(60)
    cancelled.set()
    trainer.stop(cancelled)
    thread.join(60)
    assert len(raised) == 1
    assert run(trainer, task()).head.layers


# Death


def test_a_killed_child_is_an_error_in_words_and_the_next_training_works(trainer: Trainer) -> None:
    running = Running(trainer)
    assert running.going.wait(60)
    os.kill(child_of(trainer).pid, signal.SIGKILL)
    error = running.join()
    assert isinstance(error, TeachableError)
    assert error.key == "training_died"
    assert run(trainer, task()).head.layers


def test_a_child_that_died_while_idle_is_replaced_without_a_word(trainer: Trainer) -> None:
    run(trainer, task())
    child = child_of(trainer)
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    assert run(trainer, task()).head.layers
    assert child_of(trainer) is not child
    assert child.stdin is not None
    assert child.stdin.closed


def test_a_child_that_cannot_be_started_is_an_error_in_words(
    trainer: Trainer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    for _ in range(3):  # with every look of the page
        trainer.warm_up()
    assert caplog.text.count("could not be started") == 1
    with pytest.raises(TeachableError) as caught:
        run(trainer, task())
    assert caught.value.key == "training_died"


def test_cancelling_is_prompt_and_a_fresh_child_is_warming_up_at_once(trainer: Trainer) -> None:
    running = Running(trainer)
    assert running.going.wait(60)
    first = child_of(trainer)
    running.cancelled.set()
    trainer.stop(running.cancelled)
    assert isinstance(running.join(), Cancelled)
    assert not alive(first.pid)
    assert child_of(trainer).pid != first.pid
    assert run(trainer, task()).head.layers


def test_cancelling_one_task_leaves_another_alone(trainer: Trainer) -> None:
    running = Running(trainer)
    assert running.going.wait(60)
    waiting = Running(trainer)
    waiting.cancelled.set()
    trainer.stop(waiting.cancelled)
    assert isinstance(waiting.join(), Cancelled)
    assert running.thread.is_alive()
    assert child_of(trainer).poll() is None
    running.cancelled.set()
    trainer.stop(running.cancelled)
    assert isinstance(running.join(), Cancelled)


def test_cancelling_in_the_last_moment_does_not_hurt_the_next_task(
    trainer: Trainer, monkeypatch: pytest.MonkeyPatch
) -> None:
    cancelled = threading.Event()
    converse = Trainer._converse

    def late(self: Trainer, *args: object) -> training.Message:
        last = converse(self, *args)  # type: ignore[arg-type]
        cancelled.set()
        self.stop(cancelled)
        return last

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "_converse", late)
        with pytest.raises(Cancelled):
            trainer.run(task(), lambda phase, share, point: None, cancelled)
    assert run(trainer, task()).head.layers


def test_a_task_cancelled_before_it_begins_never_reaches_the_child(trainer: Trainer) -> None:
    cancelled = threading.Event()
    cancelled.set()
    with pytest.raises(Cancelled):
        trainer.run(task(), lambda phase, share, point: None, cancelled)
    assert trainer._child is None


def test_an_error_of_the_listener_ends_the_task_and_the_next_one_works(trainer: Trainer) -> None:
    def broken(phase: Phase, share: float, point: EpochPoint) -> None:
        raise RuntimeError("the page is gone")

    with pytest.raises(RuntimeError, match="the page is gone"):
        trainer.run(task(), broken, threading.Event())
    assert run(trainer, task()).head.layers


def test_closing_ends_the_child_and_gives_up_what_runs(trainer: Trainer) -> None:
    running = Running(trainer)
    assert running.going.wait(60)
    pid = child_of(trainer).pid
    trainer.close()
    assert isinstance(running.join(), Cancelled)
    assert not alive(pid)
    with pytest.raises(Cancelled):
        run(trainer, task())
    trainer.warm_up()
    assert trainer._child is None
    trainer.close()


def test_a_child_that_dies_at_once_is_not_started_again_and_again(
    trainer: Trainer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a broken torch, a page that asks four times a second must not start four processes a second."""
    monkeypatch.setattr(training, "_CHILD", "raise SystemExit(1)")
    trainer.warm_up()
    child = child_of(trainer)
    child.wait()
    trainer.warm_up()
    assert child_of(trainer) is child
    with pytest.raises(TeachableError):
        run(trainer, task())


def test_warming_up_twice_starts_one_child(trainer: Trainer) -> None:
    trainer.warm_up()
    pid = child_of(trainer).pid
    trainer.warm_up()
    assert child_of(trainer).pid == pid


@pytest.mark.skipif(os.name == "nt", reason="signals of a terminal")
def test_ctrl_c_in_the_terminal_does_not_reach_the_child(trainer: Trainer) -> None:
    trainer.warm_up()
    assert os.getpgid(child_of(trainer).pid) != os.getpgid(0)


PARENT = """
import sys, threading
import numpy as np
from teachable.training import Task, Trainer
from teachable.types import TrainSettings

trainer = Trainer()
trainer.warm_up()
print(trainer._child.pid, flush=True)
if sys.argv[1] == "training":
    labels = (np.arange(3000) % 2).astype(np.int64)
    embeddings = np.random.default_rng(0).normal(size=(3000, 256)).astype(np.float32)
    settings = TrainSettings(epochs=1000, batch_size=1)
    told = threading.Event()
    def on_epoch(phase, share, point):
        if not told.is_set():
            told.set()
            print("going", flush=True)
    trainer.run(Task(embeddings, labels, ["g"] * 3000, 2, settings), on_epoch, threading.Event())
else:
    print("going", flush=True)
    threading.Event().wait()
"""


@pytest.mark.parametrize("doing", ["warming up", "training"])
def test_the_child_ends_when_its_parent_is_killed(doing: str) -> None:
    with subprocess.Popen([sys.executable, "-c", PARENT, doing], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert parent.stdout.readline() == "going\n"
        assert alive(pid)
        parent.kill()
    until(lambda: not alive(pid), "the end of the child")


def test_the_parent_never_loads_torch() -> None:
    code = "import sys, teachable.training; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
