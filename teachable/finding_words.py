"""What was found about the photos, in words a twelve-year-old understands, with what one click can do about it.

It owns the sentences about photos and the advice for each class. What is suspicious is decided by `teachable.doctor`;
here only what was mended since is left out.
"""

import colorsys
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import zip_longest

from teachable import doctor
from teachable.dossier import Found, Photos
from teachable.report import Action, Finding
from teachable.study import Advice, Suspect
from teachable.types import ProjectInfo
from teachable.words import LISTED, listed, probability, say

# Recordings of a class from which a good figure is not put down to luck.
_ENOUGH = 4


@dataclass(frozen=True)
class _Scene:
    """What sentences are made of.

    Attributes:
        ids: of the classes, in the order of the model.
        names: what these are called now.
        here: those of the classes that are still there.
        samples: ids of the photos, by row of the study.
        given: class each photo was trained as, by id of the photo.
        untouched: photos that are still where they were and are trained on.
        counts: photos of each class to learn from, by its id, as they are now.
        captures: recordings of each class to learn from, by its id, as they are now.
        kept: classes of which photos are kept for testing, by id.
    """

    ids: tuple[str, ...]
    names: tuple[str, ...]
    here: frozenset[str]
    samples: tuple[int, ...]
    given: dict[int, str]
    untouched: frozenset[int]
    counts: Counter[str]
    captures: dict[str, int]
    kept: frozenset[str]

    def left(self, rows: Sequence[int]) -> tuple[int, ...]:
        """Return the photos of rows, without those that somebody saw to."""
        return tuple(number for number in (self.samples[row] for row in rows) if number in self.untouched)

    def listed(self, classes: Sequence[int]) -> str:
        """Return the names of classes for a sentence."""
        return listed([self.names[index] for index in classes])

    def finding(
        self,
        suspect: Suspect,
        title: str,
        text: str,
        classes: Sequence[int],
        samples: tuple[int, ...],
        actions: Sequence[Action],
    ) -> Finding:
        """Return a finding about these classes, called so that it is found again."""
        ids = tuple(self.ids[index] for index in classes)
        name = "-".join((suspect.kind, *ids)) if suspect.kind in _EACH else suspect.kind
        return Finding(name, suspect.kind, title, text, ids, samples, tuple(actions))

    def delete(self, samples: tuple[int, ...]) -> Action:
        """Return the button that deletes photos."""
        return Action("delete", say("report.action.delete", count=len(samples)), None, samples)

    def record(self, index: int) -> Action:
        """Return the button that leads to recording a class."""
        return Action("record", say("report.action.record", name=self.names[index]), self.ids[index], ())


# Kinds of which there may be several, each about other classes.
_EACH = {"mislabelled", "repeated", "background"}


def findings(info: ProjectInfo, photos: Photos, found: Found, names: Sequence[str]) -> list[Finding]:
    """Return everything that was found and not mended since, the most important first.

    Args:
        info: of the project, as it is now.
        photos: of the model.
        found: the study of it.
        names: what the classes of the model are called now.
    """
    scene = _scene(info, photos, found, names)
    said = ((_SAID[suspect.kind], suspect) for suspect in found.study.suspects if suspect.kind in _SAID)
    made = (word(scene, suspect) for word, suspect in said)
    return _joined(scene, [one for one in made if one is not None])


def _joined(scene: _Scene, made: list[Finding]) -> list[Finding]:
    """Say in one finding, at the place of the first, what would be the same sentence about many classes."""
    same = [one for one in made if one.kind == "background"]
    if len(same) <= LISTED:
        return made
    classes = [scene.ids.index(one.class_ids[0]) for one in same]
    # The clearest photo of each class first.
    turns = zip_longest(*(one.samples for one in same))
    samples = tuple(number for turn in turns for number in turn if number is not None)
    names = scene.listed(classes)
    title, text = say("report.backgrounds.title", names=names), say("report.backgrounds.text", count=len(same))
    actions = tuple(scene.record(one) for one in classes[:LISTED])
    joined = Finding(
        "background", "background", title, text, sum((one.class_ids for one in same), ()), samples, actions
    )
    return [joined if one is same[0] else one for one in made if one not in same[1:]]


def _scene(info: ProjectInfo, photos: Photos, found: Found, names: Sequence[str]) -> _Scene:
    ids, kept = photos.record.class_ids, photos.kept
    given = {int(number): ids[label] for number, label in zip(kept.samples, kept.labels.tolist(), strict=True)}
    trainable = [one for one in photos.present.values() if not one.test]
    recordings: dict[str, set[str]] = {}
    for one in trainable:
        recordings.setdefault(one.class_id, set()).add(one.group)
    return _Scene(
        ids,
        tuple(names),
        frozenset(one.id for one in info.classes),
        found.samples,
        given,
        frozenset(one.id for one in trainable if given.get(one.id) == one.class_id),
        Counter(one.class_id for one in trainable),
        {class_id: len(groups) for class_id, groups in recordings.items()},
        frozenset(one.class_id for one in photos.present.values() if one.test),
    )


def _mislabelled(scene: _Scene, suspect: Suspect) -> Finding | None:
    one, other = suspect.classes[0], suspect.classes[1]
    samples = scene.left(suspect.rows)
    if not samples:
        return None
    names = {"name": scene.names[one], "other": scene.names[other]}
    sure = probability(float(suspect.values["sure"]))
    count = len(samples)
    move = Action("move", say("report.action.move", name=scene.names[other]), scene.ids[other], samples)
    return scene.finding(
        suspect,
        say("report.mislabelled.title", count=count),
        say("report.mislabelled.text", count=count, percent=sure, **names),
        (one, other),
        samples,
        # Nothing can be moved to a class that is gone.
        [*([move] if scene.ids[other] in scene.here else []), scene.delete(samples)],
    )


def _repeated(scene: _Scene, suspect: Suspect) -> Finding | None:
    samples = scene.left(suspect.rows)
    classes = [index for index in suspect.classes if any(scene.given[one] == scene.ids[index] for one in samples)]
    if len(classes) < 2:
        return None
    title = say("report.repeated.title", count=int(suspect.values["pictures"]))
    if suspect.target is None:
        text = say("report.repeated.text", names=scene.listed(classes))
        actions = [_delete_from(scene, index, samples) for index in classes[:LISTED]]
        return scene.finding(suspect, title, text, classes, samples, actions)
    target = suspect.target
    astray = tuple(one for one in samples if scene.given[one] != scene.ids[target])
    text = say("report.repeated.settled", names=scene.listed(classes), name=scene.names[target])
    delete = Action("delete", say("report.action.delete_others", name=scene.names[target]), None, astray)
    move = Action("move", say("report.action.move", name=scene.names[target]), scene.ids[target], astray)
    return scene.finding(suspect, title, text, classes, samples, [delete, move])


def _delete_from(scene: _Scene, index: int, samples: Sequence[int]) -> Action:
    chosen = tuple(one for one in samples if scene.given[one] == scene.ids[index])
    return Action("delete", say("report.action.delete_from", name=scene.names[index]), None, chosen)


def _duplicates(scene: _Scene, suspect: Suspect) -> Finding | None:
    samples = scene.left(suspect.rows)
    if not samples:
        return None
    title = say("report.duplicates.title", count=len(samples))
    text = say("report.duplicates.text", names=_of_these(scene, suspect, samples))
    return scene.finding(suspect, title, text, suspect.classes, samples, [scene.delete(samples)])


def _of_these(scene: _Scene, suspect: Suspect, samples: Sequence[int]) -> str:
    """Return the names of those classes of a suspect that photos are of."""
    ids = {scene.given[one] for one in samples}
    return scene.listed([index for index in suspect.classes if scene.ids[index] in ids])


def _unclear(title: str, text: str) -> "_Word":
    """Return what words a kind that is about photos on which there is little to see."""

    def word(scene: _Scene, suspect: Suspect) -> Finding | None:
        samples = scene.left(suspect.rows)
        if not samples:
            return None
        names, count = _of_these(scene, suspect, samples), len(samples)
        said = (say(title, count=count), say(text, names=names, count=count))
        return scene.finding(suspect, *said, suspect.classes, samples, [scene.delete(samples)])

    return word


def _small(scene: _Scene, suspect: Suspect) -> Finding | None:
    classes = [one for one in suspect.classes if 0 < scene.counts[scene.ids[one]] < doctor.FEW]
    if not classes:
        return None
    classes.sort(key=lambda one: scene.counts[scene.ids[one]])
    fewest = scene.counts[scene.ids[classes[0]]]
    text = say("report.small.text", count=fewest, name=scene.names[classes[0]], wanted=suspect.values["wanted"])
    title = say("report.small.title", names=scene.listed(classes))
    return scene.finding(suspect, title, text, classes, (), [scene.record(one) for one in classes[:LISTED]])


def _lopsided(scene: _Scene, suspect: Suspect) -> Finding | None:
    least, most = suspect.classes[0], suspect.classes[1]
    fewest, largest = (scene.counts[scene.ids[one]] for one in (least, most))
    if not fewest or largest < doctor.LOPSIDED * fewest:
        return None
    values = {"name": scene.names[least], "other": scene.names[most], "most": largest}
    text = say("report.lopsided.text", count=fewest, **values)
    return scene.finding(suspect, say("report.lopsided.title"), text, (least, most), (), [scene.record(least)])


def _single(scene: _Scene, suspect: Suspect) -> Finding | None:
    classes = [one for one in suspect.classes if scene.captures.get(scene.ids[one]) == 1]
    if not classes:
        return None
    # Of which nothing is known at all comes first.
    unknown = [one for one in classes if scene.ids[one] not in scene.kept]
    classes = unknown or classes
    names, count = scene.listed(classes), len(classes)
    if unknown:
        title, text = say("report.single.title", count=count, names=names), say("report.single.text", count=count)
    else:
        title, text = say("report.left.title", count=count, names=names), say("report.left.text", count=count)
    return scene.finding(suspect, title, text, classes, (), [scene.record(one) for one in classes[:LISTED]])


def _background(scene: _Scene, suspect: Suspect) -> Finding | None:
    index, values = suspect.classes[0], suspect.values
    # A class that is gone, or has no photos any more, has no background.
    if scene.ids[index] not in scene.here or not scene.counts[scene.ids[index]]:
        return None
    name = scene.names[index]
    own, others = (_colour(values, prefix) for prefix in ("", "others_"))
    figures = {"found": values["found"], "total": values["total"], "name": name}
    text = say("report.background.text", **figures)
    if own != others:
        side = values["side"]
        text = f"{text} {say(f'report.background.{side}', own=own, others=others)}"
    text = f"{text} {say('report.background.advice', name=name)}"
    title = say("report.background.title", name=name)
    return scene.finding(suspect, title, text, (index,), scene.left(suspect.rows), [scene.record(index)])


def _colour(values: dict[str, float | int | str], prefix: str) -> str:
    """Return what a person calls a colour."""
    red, green, blue = (float(values[f"{prefix}{name}"]) / 255 for name in ("red", "green", "blue"))
    hue, saturation, value = colorsys.rgb_to_hsv(red, green, blue)
    if value < 0.22:
        return say("report.colour.black")
    if saturation < 0.16:
        return _grey(value)
    # What is dark has another name than what is bright, for some.
    if value < 0.65 and 0.02 < hue < 0.17:
        return say("report.colour.brown")
    if value < 0.65 and 0.8 < hue < 0.95:
        return say("report.colour.purple")
    for limit, name in _HUES:
        if hue < limit:
            return say(f"report.colour.{name}")
    return say("report.colour.red")


# Ends of the ranges of hue, 0 to 1, that people have one word for.
_HUES = (
    *((0.03, "red"), (0.11, "orange"), (0.19, "yellow"), (0.45, "green"), (0.53, "turquoise")),
    *((0.71, "blue"), (0.83, "purple"), (0.95, "pink")),
)


def _grey(value: float) -> str:
    if value < 0.45:
        return say("report.colour.dark_grey")
    return say("report.colour.light_grey") if value < 0.85 else say("report.colour.white")


_Word = Callable[[_Scene, Suspect], Finding | None]
_SAID: dict[str, _Word] = {
    "mislabelled": _mislabelled,
    "repeated": _repeated,
    "duplicates": _duplicates,
    "blurred": _unclear("report.blurred.title", "report.blurred.text"),
    "dark": _unclear("report.dark.title", "report.dark.text"),
    "empty": _unclear("report.empty.title", "report.empty.text"),
    "small": _small,
    "lopsided": _lopsided,
    "single": _single,
    "background": _background,
}


def advice(one: Advice, index: int, names: Sequence[str], kept: bool = False) -> str:
    """Return what would help a class most, in a sentence or two.

    Args:
        one: what that is.
        index: of the class.
        names: of all classes.
        kept: the model was tested with photos of the class that were kept for testing.
    """
    name, values = names[index], one.values
    if values.get("photos") == 0:
        return say("report.advice.gone", name=name)
    match one.kind:
        case "single":
            return say("report.advice.left" if kept else "report.advice.single", name=name)
        case "untested":
            return say("report.advice.untested", name=name)
        case "labels":
            return say("report.advice.labels", name=name, count=int(values["count"]))
        case "background":
            return say("report.advice.background", name=name)
        case "confused":
            other = names[int(values["other"])]
            return say("report.advice.confused", name=name, other=other, wrong=values["count"], total=values["total"])
        case "few":
            return say("report.advice.few", name=name, count=int(values["photos"]), wanted=values["wanted"])
        case "varied":
            return say("report.advice.varied", name=name, correct=values["correct"], total=values["total"])
        case "more":
            return say("report.advice.more", name=name)
        case _:
            if int(values.get("recordings", _ENOUGH)) < _ENOUGH:
                return say("report.advice.luck", name=name, count=values["recordings"])
            return say("report.advice.enough", name=name)
