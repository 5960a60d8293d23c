"""Points lie where the photos differ; the same photos give the same map; bad input is no crash."""

import importlib.util

import numpy as np
import pytest
from evidencing import recordings

from teachable import mapping
from teachable.errors import InvalidInput

needs_umap = pytest.mark.skipif(importlib.util.find_spec("umap") is None, reason="UMAP is not installed")


@pytest.mark.parametrize(("count", "width"), [(200, 40), (30, 200), (3, 5), (2, 5), (50, 2), (50, 1)])
def test_pca_is_that_of_scikit_learn(count: int, width: int) -> None:
    from sklearn.decomposition import PCA

    embeddings = np.random.default_rng(0).normal(size=(count, width)).astype(np.float32)
    embeddings *= np.linspace(1, 3, width, dtype=np.float32)
    number = min(2, width, count - 1)
    reference = PCA(number)
    wanted = reference.fit_transform(embeddings.astype(np.float64))
    points, explained = mapping.pca(embeddings)
    assert points.shape == (count, 2)
    assert points.dtype == np.float32
    assert explained == pytest.approx(reference.explained_variance_ratio_.sum(), abs=1e-4)
    for axis in range(number):
        assert abs(np.corrcoef(points[:, axis], wanted[:, axis])[0, 1]) > 0.9999


def test_points_fill_the_square_and_keep_their_proportions() -> None:
    embeddings = np.zeros((4, 8), np.float32)
    embeddings[:, 0], embeddings[:, 1] = (0, 10, 0, 10), (0, 0, 2, 2)
    points, explained = mapping.pca(embeddings)
    assert np.ptp(points[:, 0]) == pytest.approx(2)
    assert np.ptp(points[:, 1]) == pytest.approx(0.4, abs=1e-5)
    assert np.abs(points).max() <= 1
    assert explained == pytest.approx(1)


def test_the_same_photos_give_the_same_map_in_any_order() -> None:
    embeddings, _, _ = recordings(3, 4, 5)
    points, _ = mapping.pca(embeddings)
    assert np.array_equal(points, mapping.pca(embeddings)[0])
    assert np.allclose(points[::-1], mapping.pca(np.ascontiguousarray(embeddings[::-1]))[0], atol=1e-3)


@pytest.mark.parametrize("count", [0, 1, 2, 30])
def test_photos_that_are_all_the_same_lie_in_the_middle(count: int) -> None:
    points, explained = mapping.pca(np.full((count, 16), 0.3, np.float32))
    assert points.shape == (count, 2)
    assert not points.any()
    assert explained == 0


def test_embeddings_that_are_not_finite_are_refused_in_words() -> None:
    embeddings = np.ones((20, 4), np.float32)
    embeddings[2, 1] = np.inf
    for lay_out in (mapping.pca, lambda rows: mapping.umap(rows, 0)):
        with pytest.raises(InvalidInput) as caught:
            lay_out(embeddings)
        assert caught.value.key == "embeddings_not_finite"


def test_umap_of_too_few_photos_is_refused_in_words() -> None:
    with pytest.raises(InvalidInput) as caught:
        mapping.umap(np.ones((mapping.FEWEST_FOR_UMAP - 1, 4), np.float32), 0)
    assert caught.value.key == "map_too_few"


@needs_umap
@pytest.mark.thorough
def test_umap_keeps_classes_together_and_repeats_itself() -> None:
    embeddings, labels, _ = recordings(3, 4, 5, apart=6.0)
    points = mapping.umap(embeddings, 3)
    assert points.dtype == np.float32
    assert np.abs(points).max() == pytest.approx(1)
    assert np.array_equal(points, mapping.umap(embeddings, 3))
    apart = np.linalg.norm(points[:, None] - points[None], axis=2)
    np.fill_diagonal(apart, np.inf)
    assert (labels[apart.argmin(axis=1)] == labels).mean() > 0.9


@needs_umap
def test_umap_of_photos_that_are_all_the_same_is_no_error() -> None:
    assert np.isfinite(mapping.umap(np.ones((20, 4), np.float32), 0)).all()
