import hashlib
import shutil
import subprocess
import sys
from collections import namedtuple
from pathlib import Path

import pytest

from teachable import incoming, settings
from teachable.errors import StorageFull, TooLarge
from teachable.incoming import Incoming, Receiving

Usage = namedtuple("Usage", "total used free")


def test_what_is_sent_lies_there_until_somebody_lets_it_go(tmp_path: Path) -> None:
    place = Incoming(tmp_path)
    one = Receiving(place, None)
    one.write(b"abc")
    one.finish(b"def")
    assert one.path.read_bytes() == b"abcdef"
    assert one.digest == hashlib.sha256(b"abcdef").hexdigest()
    one.take_over()
    one.let_go()
    assert one.path.exists()
    other = Receiving(place, 3)
    other.write(b"abc")
    other.let_go()
    assert not other.place.exists()
    place.close()
    assert not any((tmp_path / "incoming").iterdir())


def test_a_home_without_imports_has_no_folder_for_them(tmp_path: Path) -> None:
    Incoming(tmp_path).close()
    assert not any(tmp_path.iterdir())


def test_what_a_killed_process_left_is_swept_and_what_is_in_use_is_not(tmp_path: Path) -> None:
    program = (
        "import os, sys; from pathlib import Path; from teachable.incoming import Incoming, Receiving;"
        "one = Receiving(Incoming(Path(sys.argv[1])), None); one.finish(b'x'); print(one.path, flush=True);"
        "sys.stdin.read(1); os._exit(9)"
    )
    command = [sys.executable, "-c", program, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        left = Path(process.stdout.readline().strip())
        Incoming(tmp_path).close()
        assert left.read_bytes() == b"x"
        process.kill()
    assert left.exists()
    Incoming(tmp_path).close()
    assert not left.exists()
    assert not any((tmp_path / "incoming").iterdir())


def test_more_than_is_taken_at_once_is_refused_before_and_while_it_comes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(incoming, "limits", lambda: settings.Limits(archive_bytes=10))
    place = Incoming(tmp_path)
    with pytest.raises(TooLarge) as caught:
        Receiving(place, 11)
    assert caught.value.key == "import_bytes"
    one = Receiving(place, None)
    one.write(b"0123456789")
    with pytest.raises(TooLarge):
        one.write(b"0")
    one.let_go()
    place.close()


def test_a_gigabyte_of_the_disk_stays_free(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    free = incoming.SPARE_BYTES + 100
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(free, 0, free))
    monkeypatch.setattr(Receiving, "_LOOK", 50)
    place = Incoming(tmp_path)
    assert place.room() == 100
    with pytest.raises(StorageFull) as caught:
        Receiving(place, 101)
    assert caught.value.key == "import_room"
    one = Receiving(place, 100)
    one.write(bytes(60))
    free = incoming.SPARE_BYTES + 10
    with pytest.raises(StorageFull):
        one.write(bytes(60))
    one.let_go()
    place.close()
