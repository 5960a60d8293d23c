"""One server for each home."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from teachable.errors import Conflict, InstallationError
from teachable.home_lock import ADDRESS, held

HOLDER = """
import sys
from pathlib import Path
from teachable.home_lock import held
with held(Path(sys.argv[1]), "http://127.0.0.1:1234"):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_the_second_is_told_where_the_first_is(tmp_path: Path) -> None:
    with held(tmp_path / "home", "http://127.0.0.1:7860"):
        with (
            pytest.raises(Conflict, match=r"http://127\.0\.0\.1:7860") as refused,
            held(tmp_path / "home", "http://127.0.0.1:7861"),
        ):
            pass
        assert refused.value.key == "home_served"
    with held(tmp_path / "home", "http://127.0.0.1:7861"):
        assert (tmp_path / "home" / ADDRESS).read_text() == "http://127.0.0.1:7861"
    assert not (tmp_path / "home" / ADDRESS).exists()


def test_a_killed_server_holds_nothing(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(Conflict, match="1234"), held(tmp_path, "here"):
            pass
        holder.kill()
        assert holder.wait() == -signal.SIGKILL
        with held(tmp_path, "here"):
            assert (tmp_path / ADDRESS).read_text() == "here"


def test_a_home_that_is_a_file_is_said(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("no folder")
    with pytest.raises(InstallationError), held(tmp_path / "home", "here"):
        pass
