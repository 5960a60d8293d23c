"""Every word a person reads, looked up by key in `assets/locales/*.json`.

It owns the catalogue format: flat JSON, `{name}` places in the text, and for counted things two keys, `key.one` and
`key.other`, chosen by `count`. The page reads the same files, so both sides always say the same.
"""

import json
import string
from collections.abc import Mapping, Sequence
from decimal import ROUND_HALF_UP, Decimal
from functools import cache

from teachable.resources import assets

LISTED = 3
"""Names that are named in a sentence; of the others it says how many there are."""

# Places that hold how many of something there are: from a thousand on with a comma, as the page writes them.
_COUNTS = {"available", "classes", "correct", "count", "done", "now", "photos", "recordings", "samples", "total"}
_COUNTS |= {"agreeing", "held_out"}
# What a model is never surer than: it weighs with numbers of seven digits.
_DOUBT = 1e-6


@cache
def catalogue(locale: str = "en") -> Mapping[str, str]:
    """Return all texts of one locale, by key.

    Raises:
        FileNotFoundError: there is no such locale.
    """
    texts: dict[str, str] = json.loads((assets() / "locales" / f"{locale}.json").read_text(encoding="utf-8"))
    return texts


def say(key: str, locale: str = "en", /, **values: object) -> str:
    """Return the text of `key` with `values` filled in.

    Args:
        key: name of the text, `error.photo_truncated` for one. With a `count` value, `key.one` or `key.other` is used
            where they exist.
        locale: which catalogue to read.
        values: what goes into the `{places}`.

    Raises:
        KeyError: the catalogue has no such text, or a place has no value.
    """
    texts = catalogue(locale)
    if "count" in values and key not in texts:
        key = f"{key}.one" if values["count"] == 1 else f"{key}.other"
    shown = {name: f"{value:,}" if name in _COUNTS and type(value) is int else value for name, value in values.items()}
    return string.Formatter().vformat(texts[key], (), shown)


def listed(names: Sequence[str]) -> str:
    """Return names for a sentence; of many only the first few."""
    quoted = [f"“{name}”" for name in names]
    if len(quoted) > LISTED:
        return say("report.list.more", names=", ".join(quoted[: LISTED - 1]), count=len(quoted) - LISTED + 1)
    if len(quoted) > 1:
        return say("report.list.and", names=", ".join(quoted[:-1]), last=quoted[-1])
    return "".join(quoted)


def percent(share: float) -> str:
    """Return a share from 0 to 1 in whole per cent, without the sign, rounded as the page rounds it.

    A half goes up, and it is a half where the number as it is written is one: 0.725 is 73, although the float of that
    name lies a little below. What is not certain is never rounded up to it: 0.998 is "over 99", 0.002 "under 1".
    """
    whole = _whole(share)
    if whole == 100 and share < 1:
        return say("note.share.over", percent=99)
    if whole == 0 and share > 0:
        return say("note.share.under", percent=1)
    return str(whole)


def end(share: float) -> str:
    """Return an end of an interval in whole per cent, without the sign: as `percent`, but a number in every case.

    "Between 45 and 99" says of 0.998 all that there is to say: certain it is not.
    """
    whole = _whole(share)
    if whole == 100 and share < 1:
        return "99"
    return "1" if whole == 0 and share > 0 else str(whole)


def probability(share: float) -> str:
    """Return how sure a model is: as `percent`, and never certain, also where its numbers have no room for a doubt."""
    return percent(min(max(float(share), _DOUBT), 1 - _DOUBT))


def _whole(share: float) -> int:
    return int((100 * Decimal(repr(float(share)))).quantize(Decimal(1), ROUND_HALF_UP))
