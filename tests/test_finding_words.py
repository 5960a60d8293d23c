"""What was found, in words: every kind, one photo and many, what was mended left out, and what a click does."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from studying import Desk

from teachable import dossier
from teachable.dossier import Found
from teachable.finding_words import advice, findings
from teachable.report import Finding
from teachable.study import Advice, Study, Suspect

NAMES = ("Cat", "Dog", "Owl")
KINDS = (
    "mislabelled",
    "repeated",
    "duplicates",
    "blurred",
    "dark",
    "empty",
    "small",
    "lopsided",
    "single",
    "background",
)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """Three classes with three recordings of four photos each, rows 0 to 11, 12 to 23 and 24 to 35, and a model."""
    with closing(Desk(tmp_path, classes=3)) as desk:
        for id_, name in zip(desk.ids, NAMES, strict=True):
            desk.project.update_class(id_, name=name)
        desk.add(groups=3, size=4)
        desk.teach()
        yield desk


def said(desk: Desk, *suspects: Suspect) -> list[Finding]:
    record = desk.project.latest_model()
    assert record is not None
    photos = dossier.photos_of(desk.project, record)
    points: Any = None
    study = Study(None, None, suspects, (), points, 0.0)
    found = Found(tuple(photos.kept.samples.tolist()), study)
    return findings(desk.project.info(), photos, found, NAMES)


def one(desk: Desk, suspect: Suspect) -> Finding:
    (found,) = said(desk, suspect)
    assert found.kind == suspect.kind
    assert found.text.endswith(".")
    return found


def at(desk: Desk, *rows: int) -> tuple[int, ...]:
    return tuple(desk.samples()[row].id for row in rows)


def test_the_order_is_kept_and_ids_are_apart(desk: Desk) -> None:
    suspects = [
        Suspect("blurred", (0,), (1,), None, {"count": 1}),
        Suspect("mislabelled", (0, 1), (2,), 1, {"count": 1, "sure": 0.9}),
        Suspect("mislabelled", (0, 2), (3,), 2, {"count": 1, "sure": 0.8}),
        Suspect("something newer", (0,), (4,)),
    ]
    found = said(desk, *suspects)
    assert [finding.kind for finding in found] == ["blurred", "mislabelled", "mislabelled"]
    assert len({finding.id for finding in found}) == 3
    assert found == said(desk, *suspects)


def test_photos_in_the_wrong_class(desk: Desk) -> None:
    found = one(desk, Suspect("mislabelled", (0, 1), (3, 2), 1, {"count": 2, "sure": 0.875}))
    assert found.title == "2 photos may be in the wrong class"
    assert "in “Cat” but look like “Dog”" in found.text
    assert "88% sure" in found.text
    assert found.samples == at(desk, 3, 2)
    assert [(action.kind, action.text) for action in found.actions] == [
        ("move", "Move to “Dog”"),
        ("delete", "Delete 2 photos"),
    ]
    assert found.actions[0].class_id == desk.ids[1]
    certain = one(desk, Suspect("mislabelled", (0, 1), (3, 2), 1, {"count": 2, "sure": 0.9976}))
    assert "over 99% sure" in certain.text
    single = one(desk, Suspect("mislabelled", (0, 1), (3,), 1, {"count": 1, "sure": 0.5}))
    assert single.title == "1 photo may be in the wrong class"
    assert single.actions[1].text == "Delete 1 photo"


def test_nothing_is_moved_to_a_class_that_is_gone(desk: Desk) -> None:
    suspect = Suspect("mislabelled", (0, 1), (3,), 1, {"count": 1, "sure": 0.9})
    desk.project.delete_class(desk.ids[1])
    record = desk.project.latest_model()
    assert record is not None
    (found,) = said(desk, suspect)
    assert [action.kind for action in found.actions] == ["delete"]


def test_a_picture_in_two_classes_of_which_one_is_right(desk: Desk) -> None:
    suspect = Suspect("repeated", (0, 1), (3, 13, 14), 1, {"count": 3, "pictures": 1, "astray": 1})
    found = one(desk, suspect)
    assert found.title == "The same picture is in several classes"
    assert "“Cat” and “Dog”" in found.text
    delete, move = found.actions
    assert (delete.kind, delete.text, delete.samples) == ("delete", "Keep only in “Dog”", at(desk, 3))
    assert (move.kind, move.class_id, move.samples) == ("move", desk.ids[1], at(desk, 3))
    desk.project.delete_samples(delete.samples)
    assert said(desk, suspect) == []


def test_a_picture_in_classes_of_which_nobody_knows_the_right_one(desk: Desk) -> None:
    suspect = Suspect("repeated", (0, 1), (3, 13), None, {"count": 2, "pictures": 2, "astray": 2})
    found = one(desk, suspect)
    assert found.title == "2 pictures are in several classes"
    assert [(action.text, action.samples) for action in found.actions] == [
        ("Delete from “Cat”", at(desk, 3)),
        ("Delete from “Dog”", at(desk, 13)),
    ]
    desk.project.delete_samples(found.actions[1].samples)
    assert said(desk, suspect) == []


@pytest.mark.parametrize("kind", ["duplicates", "blurred", "dark", "empty"])
def test_photos_that_are_better_deleted(desk: Desk, kind: str) -> None:
    suspect = Suspect(kind, (0, 2), (30, 2), None, {"count": 2, "pictures": 1})
    found = one(desk, suspect)
    assert found.title.startswith("2 photos ")
    assert "“Cat” and “Owl”" in found.text
    assert found.samples == at(desk, 30, 2)
    (delete,) = found.actions
    assert (delete.kind, delete.samples) == ("delete", found.samples)
    desk.project.delete_samples(at(desk, 30))
    left = one(desk, suspect)
    assert left.title.startswith("1 photo ")
    assert "“Owl”" not in left.text
    desk.project.mark_test(left.samples, test=True)
    assert said(desk, suspect) == []


def test_small_classes_are_named_until_there_are_more_photos(desk: Desk) -> None:
    desk.project.delete_samples(at(desk, *range(5)))
    suspect = Suspect("small", (0,), (), None, {"count": 7, "fewest": 7, "wanted": 30})
    found = one(desk, suspect)
    assert found.title == "Few photos of “Cat”"
    assert found.text.startswith("“Cat” has 7 photos. 30 of each class")
    assert [(action.kind, action.class_id, action.samples) for action in found.actions] == [("record", desk.ids[0], ())]
    desk.add(groups=1, size=3, classes=[0], start=700)
    assert said(desk, suspect) == []


def test_lopsided_classes_are_named_until_they_are_more_even(desk: Desk) -> None:
    suspect = Suspect("lopsided", (0, 1), (), None, {"count": 12, "fewest": 12, "most": 48})
    assert said(desk, suspect) == []
    desk.add(groups=9, size=4, classes=[1], start=500)
    found = one(desk, suspect)
    assert found.text.startswith("“Cat” has 12 photos, “Dog” 48.")
    assert found.actions[0].text == "Record “Cat”"


def test_single_recordings_are_named_until_there_is_a_second(desk: Desk) -> None:
    suspect = Suspect("single", (0, 1), (), None, {"count": 24})
    assert said(desk, suspect) == []
    for place in (0, 1):
        samples = desk.samples(place)
        desk.project.delete_samples(sample.id for sample in samples if sample.group != samples[0].group)
    both = one(desk, suspect)
    assert both.title == "“Cat” and “Dog” have a single recording each"
    assert len(both.actions) == 2
    desk.add(groups=1, size=1, classes=[0], start=900)
    assert one(desk, suspect).title == "“Dog” has a single recording"


def test_a_single_recording_beside_others_kept_for_testing_is_called_that(desk: Desk) -> None:
    suspect = Suspect("single", (0, 1), (), None, {"count": 24})
    for place in (0, 1):
        samples = desk.samples(place)
        desk.project.mark_test([sample.id for sample in samples if sample.group != samples[0].group], test=True)
    both = one(desk, suspect)
    assert both.title == "“Cat” and “Dog” have only one recording each left to learn from"
    assert "The others are kept for testing" in both.text
    desk.project.delete_samples([sample.id for sample in desk.samples(1) if sample.test])
    assert one(desk, suspect).title == "“Dog” has a single recording"


@pytest.mark.parametrize(
    ("color", "word"),
    [
        ((10, 10, 12), "black"),
        ((80, 80, 85), "dark grey"),
        ((150, 150, 150), "light grey"),
        ((250, 250, 245), "white"),
        ((200, 30, 40), "red"),
        ((230, 20, 60), "red"),
        ((230, 130, 30), "orange"),
        ((120, 80, 40), "brown"),
        ((230, 220, 40), "yellow"),
        ((40, 180, 60), "green"),
        ((40, 190, 190), "turquoise"),
        ((40, 60, 200), "blue"),
        ((130, 40, 190), "purple"),
        ((220, 60, 170), "pink"),
        ((120, 40, 110), "purple"),
    ],
)
def test_colours_have_the_names_people_give_them(desk: Desk, color: tuple[int, int, int], word: str) -> None:
    found = one(desk, background(color, (128, 60, 128)))
    if word == "purple":
        assert "mostly" not in found.text, "both are called the same"
    else:
        assert f"At the top its photos are mostly {word}, those of the other classes purple." in found.text


def background(own: tuple[int, int, int], others: tuple[int, int, int], side: str = "top") -> Suspect:
    names = ("red", "green", "blue")
    values: dict[str, float | int | str] = {"count": 12, "found": 11, "total": 12, "recordings": 3, "side": side}
    values |= dict(zip(names, own, strict=True))
    values |= {f"others_{name}": value for name, value in zip(names, others, strict=True)}
    return Suspect("background", (2,), (25, 24), None, values)


@pytest.mark.parametrize(
    ("side", "place"), [("bottom", "At the bottom"), ("left", "On the left"), ("right", "On the ri")]
)
def test_a_background_that_gives_a_class_away(desk: Desk, side: str, place: str) -> None:
    found = one(desk, background((255, 255, 255), (0, 0, 0), side))
    assert found.title == "“Owl” may be recognised by its background"
    assert "11 of 12 photos" in found.text
    assert f"{place}" in found.text
    assert found.samples == at(desk, 25, 24)
    assert [action.kind for action in found.actions] == ["record"]
    undo = desk.project.clear_class(desk.ids[2])
    assert said(desk, background((255, 255, 255), (0, 0, 0))) == [], "of photos that are gone nothing is said"
    desk.project.undo(undo)
    desk.project.delete_class(desk.ids[2])
    assert said(desk, background((255, 255, 255), (0, 0, 0))) == []


def test_backgrounds_of_many_classes_are_one_finding(tmp_path: Path) -> None:
    def findings_of(desk: Desk, *classes: int) -> list[Finding]:
        record = desk.project.latest_model()
        assert record is not None
        photos = dossier.photos_of(desk.project, record)
        seen = background((255, 255, 255), (0, 0, 0))
        suspects = [replace(seen, classes=(label,), rows=(4 * label + 1, 4 * label)) for label in classes]
        suspects.insert(1, Suspect("dark", (0,), (3,), None, {"count": 1}))
        found = Found(tuple(photos.kept.samples.tolist()), Study(None, None, tuple(suspects), (), None, 0.0))  # type: ignore[arg-type]
        return findings(desk.project.info(), photos, found, ("a", "b", "c", "d", "e"))

    with closing(Desk(tmp_path, classes=5)) as desk:
        desk.add(groups=2, size=2)
        desk.teach()
        assert [one.kind for one in findings_of(desk, 0, 1, 2)] == ["background", "dark", "background", "background"]
        joined, dark = findings_of(desk, 4, 0, 1, 2)
        assert dark.kind == "dark"
        assert (joined.id, joined.kind) == ("background", "background")
        assert joined.title == "“e”, “a” and 2 more may be recognised by their backgrounds"
        assert "each of these 4 classes" in joined.text
        assert joined.class_ids == tuple(desk.ids[label] for label in (4, 0, 1, 2))
        assert joined.samples == at(desk, 17, 1, 5, 9, 16, 0, 4, 8)
        assert [(one.kind, one.class_id) for one in joined.actions] == [
            ("record", desk.ids[label]) for label in (4, 0, 1)
        ]
        desk.project.delete_class(desk.ids[2])
        assert len(findings_of(desk, 4, 0, 1, 2)) == 4, "those that are left are told one by one"


def test_every_kind_is_put_into_words() -> None:
    from teachable.finding_words import _SAID

    assert set(_SAID) == set(KINDS)
    # What the ones who find them say there is.
    from teachable import evidence

    assert set(evidence._HARM) == set(KINDS)


@pytest.mark.parametrize(
    ("kind", "values", "part"),
    [
        ("single", {}, "Record “Dog” once more"),
        ("labels", {"count": 1}, "1 photo of “Dog” first: it may"),
        ("labels", {"count": 4}, "4 photos of “Dog” first: they may"),
        ("background", {}, "“Dog” in several places"),
        ("confused", {"other": 2, "count": 3, "total": 9}, "taken for “Owl” most often (3 of 9 photos)"),
        ("few", {"photos": 4, "wanted": 30}, "4 photos are little"),
        ("few", {"photos": 0, "wanted": 30}, "None of its photos is left"),
        ("varied", {"correct": 4, "total": 9}, "Only 4 of 9 photos"),
        ("more", {"correct": 8, "total": 9}, "record “Dog” about as many times again"),
        ("untested", {}, "“Dog” is recognised was not tested"),
        ("enough", {}, "with only 2 recordings"),
        ("enough", {"recordings": 4}, "Nothing about “Dog”"),
        ("something newer", {"recordings": 4}, "Nothing about “Dog”"),
    ],
)
def test_advice_is_a_sentence_about_the_class(kind: str, values: dict[str, float | int | str], part: str) -> None:
    found = advice(Advice(kind, {"photos": 9, "recordings": 2} | values), 1, NAMES)
    assert part in found
    assert found.endswith(".")
