"""Teachable with official networks that were never trained: run as `python untrained.py '{"id": "file"}' serve ...`.

The weights files of torchvision's own networks are named by their contents, so files that a test makes have other
names. Everything else, the download, the check of the hash and the conversion, is the program's own.
"""

import json
import sys
from dataclasses import replace
from typing import Any

from teachable import official

# What children import again is only this module: the rest is for the program itself.
if __name__ == "__main__":
    files: dict[str, list[Any]] = json.loads(sys.argv.pop(1))
    known = official.catalogue()
    named = [
        replace(one, file=str(files[one.id][0]), download_bytes=files[one.id][1]) for one in known if one.id in files
    ]
    rest = [one for one in known if one.id not in files]
    # The first is the one that is recommended.
    found = tuple(replace(one, recommended=place == 0) for place, one in enumerate([*named, *rest]))
    official.catalogue = lambda: found

    from teachable.cli import main

    main()
