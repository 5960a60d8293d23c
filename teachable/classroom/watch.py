"""What a teacher sees of each visitor, often and cheaply: what did not change is not read again."""

from collections.abc import Callable
from dataclasses import dataclass

from teachable.classroom.quota import Quota
from teachable.classroom.records import Activity, Pupil
from teachable.classroom.register import Register, Visitor
from teachable.errors import Conflict, NotFound
from teachable.workflow import Workspace

# A page of the Studio asks at least every few seconds while it is seen.
_ONLINE_SECONDS = 20.0
# A project that changed a moment ago is being worked on.
_WORKING_SECONDS = 10.0
_COVERS = 4


@dataclass(frozen=True)
class _Seen:
    """What is remembered of a project until it changes."""

    updated: float
    classes: int
    covers: tuple[int, ...]
    accuracy: float | None
    judged: int
    learned: int


class Watch:
    """Looks at visitors and what they made; safe to use from any thread.

    Args:
        workspace: what everybody works on.
        register: who has joined.
        quota: counts what they use.
        clock: seconds since 1970.
    """

    def __init__(self, workspace: Workspace, register: Register, quota: Quota, clock: Callable[[], float]) -> None:
        self._space = workspace
        self._register = register
        self._quota = quota
        self._clock = clock
        self._last_seen: dict[str, float] = {}
        self._known: dict[str, _Seen] = {}

    def note(self, owner: Visitor | None) -> None:
        """Note that somebody was here just now."""
        if owner is not None:
            self._last_seen[owner.id] = self._clock()

    def shown(self, one: Visitor) -> str | None:
        """Return the project a visitor sees: the last of theirs that is there."""
        present = self._quota.present(one)
        return present[-1] if present else None

    def pupil(self, one: Visitor) -> Pupil:
        """Return how a visitor is getting on."""
        shown = self.shown(one)
        seen = self._look(shown) if shown is not None else None
        training = self._space.training(shown) if shown is not None else None
        now = self._clock()
        last_seen = self._last_seen.get(one.id, one.joined)
        activity: Activity = "idle"
        if training is not None and training.state == "running":
            activity = "training"
        elif seen is not None and now - _WORKING_SECONDS < seen.updated <= now:
            activity = "working"
        return Pupil(
            id=one.id,
            name=one.name,
            project=shown,
            photos=self._quota.photos(one.projects),
            classes=seen.classes if seen else 0,
            accuracy=seen.accuracy if seen else None,
            judged=seen.judged if seen else 0,
            learned=seen.learned if seen else 0,
            state=activity,
            last_seen=last_seen,
            online=0 <= now - last_seen < _ONLINE_SECONDS,
            covers=seen.covers if seen else (),
            locked=one.locked or self._register.state.locked,
            hand=one.hand,
            problem=training.message if training is not None and training.state == "failed" else None,
        )

    def _look(self, project_id: str) -> _Seen | None:
        """Return what a project looks like from outside, read again only after a change."""
        try:
            info = self._space.project(project_id)
            known = self._known.get(project_id)
            if known is None or known.updated != info.updated:
                model = self._space.model(project_id)
                covers = [
                    self._space.samples(project_id, one.id, 1).samples[0].id for one in info.classes if one.samples
                ]
                accuracy = model.evaluation.accuracy if model is not None else None
                learned = len(model.class_ids) if model is not None else 0
                judged = learned - len(model.evaluation.unjudged) if model is not None else 0
                known = _Seen(info.updated, len(info.classes), tuple(covers[:_COVERS]), accuracy, judged, learned)
                self._known[project_id] = known
        except (NotFound, Conflict, IndexError):
            return None  # it was deleted in this moment, or is damaged
        return known
