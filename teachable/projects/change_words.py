"""What a person did, in words: one text for each kind of action."""

from collections.abc import Mapping
from typing import Any

from teachable.words import say


def text(kind: str, facts: Mapping[str, Any]) -> str:
    """Return what an action was.

    Args:
        kind: of the action.
        facts: that were kept of it; `kind` among them is a closer one.
    """
    match facts.get("kind", kind):
        case "class_added":
            return say("note.change.class_added", name=facts["name"])
        case "class_changed":
            return say("note.change.class_changed", name=facts["name"])
        case "class_renamed":
            return say("note.change.class_renamed", name=facts["name"], new=facts["new"])
        case "class_recolored":
            return say("note.change.class_recolored", name=facts["name"])
        case "class_moved":
            return say("note.change.class_moved", name=facts["name"])
        case "class_disabled":
            return say("note.change.class_disabled", name=facts["name"])
        case "class_enabled":
            return say("note.change.class_enabled", name=facts["name"])
        case "class_deleted":
            return say("note.change.class_deleted", name=facts["name"])
        case "added":
            return say("note.change.added", count=facts["count"], name=facts["name"])
        case "deleted" if facts["name"] is None:
            return say("note.change.deleted_several", count=facts["count"])
        case "deleted":
            return say("note.change.deleted", count=facts["count"], name=facts["name"])
        case "moved":
            return say("note.change.moved", count=facts["count"], name=facts["name"])
        case "test_kept":
            return say("note.change.test_kept", count=facts["count"])
        case "test_ended":
            return say("note.change.test_ended", count=facts["count"])
        case "imported":
            return say("note.change.imported", count=facts.get("count", 0))
        case "restored":
            return say("note.change.restored", number=facts["number"])
        case _:
            return say("note.change.earlier")
