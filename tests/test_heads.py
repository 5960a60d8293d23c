"""Heads are accurate, repeatable, balanced, and say in words what they cannot be fitted on. All data is made here."""

import threading
from dataclasses import replace

import numpy as np
import pytest
import torch

from teachable import heads
from teachable.errors import InvalidInput
from teachable.scores import EpochPoint
from teachable.types import Embeddings, Head, Labels, Layer, TrainSettings

WIDTH = 256


def make(
    counts: list[int], seed: int = 0, spread: float = 2.0, lighting: float = 0.2, width: int = WIDTH
) -> tuple[Embeddings, Labels]:
    """Make embeddings as a network gives them: never negative, many rarely on, longer or shorter with the lighting."""
    world = np.random.default_rng(99)
    centres = world.normal(size=(len(counts), width)) * 0.6
    level = world.normal(size=width)
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(len(counts)), counts).astype(np.int64)
    raw = np.maximum(level + centres[labels] + rng.normal(size=(len(labels), width)) * spread, 0)
    return (raw * np.exp(rng.normal(size=(len(labels), 1)) * lighting)).astype(np.float32), labels


def accuracy(head: Head, embeddings: Embeddings, labels: Labels) -> float:
    return float((heads.logits(head, embeddings).argmax(axis=1) == labels).mean())


def same(one: Head, other: Head) -> bool:
    return all(
        a.weight.tobytes() == b.weight.tobytes() and a.bias.tobytes() == b.bias.tobytes()
        for a, b in zip(one.layers, other.layers, strict=True)
    )


def cross_validated(embeddings: Embeddings, labels: Labels, test: Embeddings, truth: Labels, each: bool) -> float:
    """Accuracy of logistic regression with C by cross-validation, on features scaled each by itself or all alike."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GridSearchCV
    from threadpoolctl import threadpool_limits

    mean, spread = embeddings.mean(axis=0), embeddings.std(axis=0)
    scale = np.where(spread == 0, 1, spread) if each else np.sqrt((spread**2).mean())
    centred = (embeddings - mean) / scale
    # The penalty does not change when space is turned, so the plane of the few photos gives the same model, sooner.
    plane = np.linalg.svd(centred, full_matrices=False)[2].T
    search = GridSearchCV(LogisticRegression(max_iter=2000), {"C": np.logspace(-5, 1, 7)}, cv=5)
    # On products this small further threads only wait for each other.
    with threadpool_limits(1):
        return float(search.fit(centred @ plane, labels).score((test - mean) / scale @ plane, truth))


@pytest.mark.parametrize("lighting", [0.0, 0.2])
@pytest.mark.parametrize("shots", [5, 20])
def test_as_accurate_as_cross_validated_logistic_regression(shots: int, lighting: float) -> None:
    pytest.importorskip("sklearn")
    linear, hidden, each, alike = [], [], [], []
    for seed in range(3):
        embeddings, labels = make([shots] * 4, seed, lighting=lighting)
        test, truth = make([100] * 4, 1000 + seed, lighting=lighting)
        for found, units in ((linear, 0), (hidden, 100)):
            fitted = heads.fit(embeddings, labels, 4, TrainSettings(hidden_units=units))
            found.append(accuracy(fitted.head, test, truth))
        each.append(cross_validated(embeddings, labels, test, truth, each=True))
        alike.append(cross_validated(embeddings, labels, test, truth, each=False))
    assert np.mean(linear) >= max(np.mean(each), np.mean(alike))
    assert np.mean(hidden) >= np.mean(linear) - 0.02


def test_same_input_gives_the_same_bits_whatever_the_process_does() -> None:
    embeddings, labels = make([30, 20, 10])
    settings = TrainSettings(epochs=5, hidden_units=16)
    first = heads.fit(embeddings, labels, 3, settings)
    threads, kind = torch.get_num_threads(), torch.get_default_dtype()
    try:
        torch.set_num_threads(threads + 1)
        torch.set_default_dtype(torch.float64)
        torch.manual_seed(12345)
        np.random.seed(12345)
        shifted = np.empty(embeddings.size + 1, np.float32)[1:].reshape(embeddings.shape)
        shifted[:] = embeddings
        shifted.flags.writeable = False
        second = heads.fit(shifted, labels, 3, settings)
        assert torch.get_num_threads() == threads + 1
    finally:
        torch.set_num_threads(threads)
        torch.set_default_dtype(kind)
    assert same(first.head, second.head)
    assert first.history == second.history


def test_fits_side_by_side_do_not_disturb_each_other() -> None:
    embeddings, labels = make([30, 20, 10])
    settings = [TrainSettings(epochs=5, seed=seed) for seed in range(4)]
    alone = [heads.fit(embeddings, labels, 3, one).head for one in settings]
    together: list[Head | None] = [None] * len(settings)

    def work(index: int) -> None:
        together[index] = heads.fit(embeddings, labels, 3, settings[index]).head

    workers = [threading.Thread(target=work, args=(index,)) for index in range(len(settings))]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    for one, other in zip(alone, together, strict=True):
        assert other is not None
        assert same(one, other)


def test_global_random_state_is_left_alone() -> None:
    embeddings, labels = make([5, 5])
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    heads.fit(embeddings, labels, 2, TrainSettings(epochs=2, hidden_units=8))
    assert torch.equal(torch.rand(3), expected)


def test_order_of_the_classes_does_not_matter() -> None:
    embeddings, labels = make([20, 20, 20])
    test, _ = make([50, 50, 50], seed=7)
    turned = np.array([2, 0, 1])
    one = heads.probabilities(heads.fit(embeddings, labels, 3, TrainSettings()).head, test)
    other = heads.probabilities(heads.fit(embeddings, turned[labels], 3, TrainSettings()).head, test)
    np.testing.assert_allclose(one, other[:, turned], atol=1e-4)


@pytest.mark.parametrize("hidden_units", [0, 8])
def test_shift_and_scale_of_embeddings_are_folded_into_the_first_layer(hidden_units: int) -> None:
    # Without noise in the floats: powers of two and halves move every value exactly.
    embeddings, labels = make([20, 20])
    embeddings = np.round(embeddings * 64) / 64
    scaled = (embeddings * 4).astype(np.float32)
    settings = TrainSettings(hidden_units=hidden_units)
    one, other = (heads.fit(rows, labels, 2, settings).head for rows in (embeddings, scaled))
    assert [layer.weight.shape for layer in one.layers] == ([(8, WIDTH), (2, 8)] if hidden_units else [(2, WIDTH)])
    np.testing.assert_allclose(heads.logits(one, embeddings), heads.logits(other, scaled), rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(one.layers[0].weight, other.layers[0].weight * 4, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("hidden_units", [0, 100])
def test_the_head_on_raw_embeddings_is_the_one_the_curves_show(hidden_units: int) -> None:
    embeddings, labels = make([30, 10, 20], spread=4)
    test, truth = make([7, 9, 5], seed=3, spread=4)
    fitted = heads.fit(embeddings, labels, 3, TrainSettings(hidden_units=hidden_units, epochs=4), (test, truth))
    last = fitted.history[-1]
    assert last.accuracy == pytest.approx(accuracy(fitted.head, embeddings, labels))
    assert last.held_out_accuracy == pytest.approx(accuracy(fitted.head, test, truth))
    losses = -np.log(heads.probabilities(fitted.head, embeddings)[np.arange(60), labels])
    assert last.loss == pytest.approx(np.mean([losses[labels == label].mean() for label in range(3)]), rel=1e-4)


def test_held_out_photos_are_only_looked_at() -> None:
    embeddings, labels = make([10, 10])
    plain = heads.fit(embeddings, labels, 2, TrainSettings(epochs=3))
    watched = heads.fit(embeddings, labels, 2, TrainSettings(epochs=3), make([4, 4], seed=5))
    assert same(plain.head, watched.head)
    assert all(point.held_out_loss is None and point.held_out_accuracy is None for point in plain.history)
    assert all(point.held_out_loss is not None and point.held_out_accuracy is not None for point in watched.history)
    nothing = heads.fit(embeddings, labels, 2, TrainSettings(epochs=3), (embeddings[:0], labels[:0]))
    assert nothing.history == plain.history


def test_every_epoch_is_reported_as_it_ends() -> None:
    embeddings, labels = make([20, 20])
    seen: list[EpochPoint] = []
    fitted = heads.fit(embeddings, labels, 2, TrainSettings(epochs=7), on_epoch=seen.append)
    assert tuple(seen) == fitted.history
    assert [point.epoch for point in seen] == [1, 2, 3, 4, 5, 6, 7]
    assert seen[-1].loss < seen[0].loss


def test_an_error_from_the_epoch_call_stops_the_training_and_leaves_nothing_behind() -> None:
    embeddings, labels = make([20, 20])
    threads, seen = torch.get_num_threads(), []

    def stop(point: EpochPoint) -> None:
        seen.append(point.epoch)
        if point.epoch == 2:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        heads.fit(embeddings, labels, 2, TrainSettings(), on_epoch=stop)
    assert seen == [1, 2]
    assert torch.get_num_threads() == threads


def test_every_setting_is_used() -> None:
    embeddings, labels = make([20, 20, 20])
    base = TrainSettings()
    plain = heads.fit(embeddings, labels, 3, base)
    assert len(plain.history) == 50
    for change in ({"epochs": 1}, {"batch_size": 4}, {"learning_rate": 0.01}, {"hidden_units": 100}, {"seed": 1}):
        other = heads.fit(embeddings, labels, 3, replace(base, **change))
        assert other.history[-1] != plain.history[-1], change
    hasty = heads.fit(embeddings, labels, 3, replace(base, epochs=1))
    assert hasty.history[-1].loss > plain.history[-1].loss
    slow = heads.fit(embeddings, labels, 3, replace(base, learning_rate=0.0001))
    assert slow.history[-1].loss > plain.history[-1].loss


@pytest.mark.parametrize(
    "settings",
    [
        TrainSettings(epochs=1),
        TrainSettings(epochs=1, learning_rate=1.0),
        TrainSettings(learning_rate=1e-5),
        TrainSettings(learning_rate=0.1),
        TrainSettings(learning_rate=1.0),
        TrainSettings(batch_size=1, learning_rate=1.0),
        TrainSettings(batch_size=4096),
        TrainSettings(epochs=1000, batch_size=4096),
        TrainSettings(hidden_units=1),
        TrainSettings(hidden_units=100, epochs=5),
        TrainSettings(hidden_units=100, learning_rate=1.0),
        TrainSettings(hidden_units=100, learning_rate=1e-4),
        TrainSettings(hidden_units=100, batch_size=4096),
    ],
)
def test_unusual_settings_still_give_a_model_that_is_better_than_guessing(settings: TrainSettings) -> None:
    embeddings, labels = make([20, 20, 20], spread=1.0)
    test, truth = make([50, 50, 50], seed=9, spread=1.0)
    head = heads.fit(embeddings, labels, 3, settings).head
    assert all(np.isfinite(layer.weight).all() and np.isfinite(layer.bias).all() for layer in head.layers)
    assert accuracy(head, test, truth) > 0.6
    assert np.isfinite(heads.probabilities(head, test)).all()


@pytest.mark.parametrize("hidden_units", [0, 100])
@pytest.mark.parametrize("counts", [[500, 5], [5, 500], [500, 50]])
def test_a_class_with_few_photos_is_not_drowned_by_one_with_many(counts: list[int], hidden_units: int) -> None:
    embeddings, labels = make(counts, spread=1.5)
    test, truth = make([200, 200], seed=4, spread=1.5)
    head = heads.fit(embeddings, labels, 2, TrainSettings(hidden_units=hidden_units)).head
    found = heads.logits(head, test).argmax(axis=1)
    assert (found[truth == 0] == 0).mean() > 0.75
    assert (found[truth == 1] == 1).mean() > 0.75


@pytest.mark.parametrize("counts", [[1, 1, 1], [1, 1, 10], [1, 20, 20]])
def test_one_photo_of_a_class_is_enough_to_start(counts: list[int]) -> None:
    embeddings, labels = make(counts, spread=1.0, width=1280)
    test, truth = make([50, 50, 50], seed=2, spread=1.0, width=1280)
    found = heads.logits(heads.fit(embeddings, labels, 3, TrainSettings()).head, test).argmax(axis=1)
    assert min((found[truth == label] == label).mean() for label in range(3)) > 0.6


def test_probabilities_are_neither_shy_nor_sure_of_everything() -> None:
    embeddings, labels = make([50, 50, 50], spread=3.0)
    test, truth = make([300, 300, 300], seed=6, spread=3.0)
    shares = heads.probabilities(heads.fit(embeddings, labels, 3, TrainSettings()).head, test)
    best, right = shares.max(axis=1), shares.argmax(axis=1) == truth
    assert 0.7 < right.mean() < 0.97
    assert best.mean() == pytest.approx(right.mean(), abs=0.2)
    assert best[right].mean() > best[~right].mean() + 0.1


def test_photos_that_all_look_the_same_give_even_odds() -> None:
    embeddings = np.full((6, 8), 0.3, np.float32)
    labels = np.array([0, 0, 0, 1, 1, 1])
    shares = heads.probabilities(heads.fit(embeddings, labels, 2, TrainSettings()).head, embeddings)
    np.testing.assert_allclose(shares, 0.5, atol=0.01)


def test_probabilities_sum_to_one_also_for_extreme_scores() -> None:
    head = Head((Layer(np.array([[1e6], [-1e6]], np.float32), np.zeros(2, np.float32)),))
    shares = heads.probabilities(head, np.array([[1.0], [-1.0], [0.0]], np.float32))
    assert shares.dtype == np.float32
    np.testing.assert_array_equal(shares, np.array([[1, 0], [0, 1], [0.5, 0.5]], np.float32))
    assert heads.probabilities(head, np.empty((0, 1), np.float32)).shape == (0, 2)


def test_one_class_is_refused_with_what_to_add() -> None:
    embeddings, labels = make([4])
    with pytest.raises(InvalidInput, match="another class") as caught:
        heads.fit(embeddings, labels, 1, TrainSettings())
    assert caught.value.key == "training_one_class"


def test_a_class_without_photos_is_named_by_its_number() -> None:
    embeddings, labels = make([4, 4])
    with pytest.raises(InvalidInput, match="Class number 2") as caught:
        heads.fit(embeddings, labels * 2, 3, TrainSettings())
    assert caught.value.key == "training_class_empty"
    with pytest.raises(InvalidInput, match="Class number 1"):
        heads.fit(embeddings[:0], labels[:0], 2, TrainSettings())


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_broken_numbers_are_counted(value: float) -> None:
    embeddings, labels = make([4, 4])
    embeddings[3, 5] = value
    with pytest.raises(InvalidInput, match=r"1 photo\b"):
        heads.fit(embeddings, labels, 2, TrainSettings())
    embeddings[7, :] = value
    with pytest.raises(InvalidInput, match="2 photos"):
        heads.fit(embeddings, labels, 2, TrainSettings())
    clean, _ = make([4, 4])
    with pytest.raises(InvalidInput, match="2 photos"):
        heads.fit(clean, labels, 2, TrainSettings(), (embeddings, labels))


def test_arrays_that_do_not_fit_together_are_refused() -> None:
    embeddings, labels = make([4, 4])
    for rows, classes in (
        (embeddings[0], labels),
        (embeddings.astype(np.float64), labels),
        (embeddings[:, :0], labels),
        (embeddings, labels[:-1]),
        (embeddings, labels.astype(np.float32)),
        (embeddings, labels - 1),
        (embeddings, labels + 1),
    ):
        with pytest.raises(ValueError, match="must be"):
            heads.fit(rows, classes, 2, TrainSettings())
    with pytest.raises(ValueError, match="width"):
        heads.fit(embeddings, labels, 2, TrainSettings(), (embeddings[:, 1:].copy(), labels))


@pytest.mark.parametrize(
    "change",
    [
        {"epochs": 0},
        {"epochs": 1001},
        {"epochs": 2.5},
        {"epochs": True},
        {"batch_size": 0},
        {"batch_size": 4097},
        {"learning_rate": 0.0},
        {"learning_rate": 1.5},
        {"learning_rate": float("nan")},
        {"learning_rate": "fast"},
        {"hidden_units": -1},
        {"hidden_units": 5000},
        {"seed": -1},
    ],
)
def test_settings_out_of_range_are_refused_in_words(change: dict[str, object]) -> None:
    (name, value), *_ = change.items()
    embeddings, labels = make([4, 4])
    with pytest.raises(InvalidInput) as caught:
        heads.fit(embeddings, labels, 2, replace(TrainSettings(), **change))  # type: ignore[arg-type]
    assert caught.value.key == f"setting_{name}"
    assert caught.value.values["value"] is value


def test_up_to_the_limit_every_epoch_learns_from_every_photo(monkeypatch: pytest.MonkeyPatch) -> None:
    embeddings, labels = make([30, 30], width=16)
    settings = TrainSettings(epochs=4)
    plain = heads.fit(embeddings, labels, 2, settings)
    monkeypatch.setattr(heads, "SEEN", 60)
    assert same(plain.head, heads.fit(embeddings, labels, 2, settings).head)


@pytest.mark.parametrize(("epochs", "steps"), [(40, 40 * 4), (2, 2 * 5)])
def test_more_photos_do_not_take_more_steps_unless_some_would_never_be_seen(
    epochs: int, steps: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    embeddings, labels = make([300, 300], width=16)
    monkeypatch.setattr(heads, "SEEN", 200)
    seen: list[np.ndarray] = []
    step = heads._Network.step

    def counted(self: heads._Network, batch: torch.Tensor, target: torch.Tensor, *rest: object) -> None:
        seen.append(batch.numpy().copy())
        step(self, batch, target, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(heads._Network, "step", counted)
    fitted = heads.fit(embeddings, labels, 2, TrainSettings(epochs=epochs), (embeddings, labels))
    assert len(seen) == steps
    # Twice in order: every photo is learned from once before any is a second time.
    first = np.concatenate(seen)[:600]
    directions = (first - first.mean(axis=0)).round(4)
    assert len(np.unique(directions, axis=0)) == 600
    assert len(fitted.history) == epochs


def test_many_photos_are_learned_as_well_and_give_the_same_bits_again(monkeypatch: pytest.MonkeyPatch) -> None:
    embeddings, labels = make([700, 500, 300], width=64)
    test, truth = make([200] * 3, seed=1, width=64)
    whole = accuracy(heads.fit(embeddings, labels, 3, TrainSettings()).head, test, truth)
    monkeypatch.setattr(heads, "SEEN", 400)
    monkeypatch.setattr(heads, "TOGETHER", 20)
    one, other = (heads.fit(embeddings, labels, 3, TrainSettings(), (test, truth)) for _ in range(2))
    assert accuracy(one.head, test, truth) >= whole - 0.01
    assert same(one.head, other.head)
    assert one.history == other.history
    assert one.history[-1].held_out_accuracy == pytest.approx(accuracy(one.head, test, truth), abs=0.03)
