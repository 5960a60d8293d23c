"""What a video does to the process that decodes it costs that one video, and no process outlives its use."""

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from pathlib import Path

import bringing
import psutil
import pytest
from bringing import decoders
from making import until

from teachable import children
from teachable.errors import Cancelled, InvalidInput, TeachableError
from teachable.importing import Item, Options, Stop, decoding, open_source, videos

STUCK = "import time; time.sleep(600)"


@pytest.fixture(autouse=True)
def _of_our_own(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No process that another test left waiting, none that ends in between, and none left to others."""
    monkeypatch.setattr(decoding, "IDLE_SECONDS", 600.0)
    decoding._SPARE.end()
    until(lambda: decoders() == [], "the end of those of other tests")
    yield
    decoding._SPARE.end()
    assert decoders() == []


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two videos of five seconds in a class each."""
    for name in ("A", "B"):
        (tmp_path / "w" / name).mkdir(parents=True)
        bringing.video(tmp_path / "w" / name / "1.mp4", frames=50)
    return tmp_path / "w"


def test_a_video_that_ends_its_process_costs_only_itself(folder: Path, tmp_path: Path) -> None:
    with open_source(folder, "w", tmp_path) as source:
        going = source.items("c0", Options(rate=2.0))
        assert next(going).error is None
        (process,) = decoders()
        process.kill()
        broken: list[Item] = list(going)
        assert [type(one.error) for one in broken] == [InvalidInput]
        assert str(broken[0].error).startswith("A/1.mp4 could not be read")
        assert [one.error for one in source.items("c1", Options(rate=2.0))] == [None] * 10
        assert source.preview(source.plan.classes[0].previews[0])


def test_a_process_that_died_while_it_waited_is_not_used(folder: Path, tmp_path: Path) -> None:
    with open_source(folder, "w", tmp_path) as source:
        (process,) = decoders()
        process.kill()
        process.wait()
        assert [one.error for one in source.items("c0")] == [None] * 10


def test_a_video_that_never_ends_is_given_up(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoding, "_CHILD", STUCK)
    monkeypatch.setattr(decoding, "PATIENCE_SECONDS", 0.3)
    with pytest.raises(InvalidInput) as caught, decoding.opened(folder / "A" / "1.mp4", "1.mp4", 10**6, Stop()):
        pass
    assert caught.value.key == "video_slow"


def test_a_long_way_to_an_answer_is_no_end(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Signs of life keep a process from being given up, however long it takes altogether."""
    code = (
        "import sys; sys.path.append(sys.argv[1]); from teachable.importing import frames\n"
        "frames.SIGN_SECONDS = 0.0\n"
        "frames.main()"
    )
    begun: list[threading.Timer] = []

    class Limit(threading.Timer):
        def __init__(self, seconds: float, act: Callable[[], None]) -> None:
            super().__init__(seconds, act)
            if seconds == decoding.PATIENCE_SECONDS:
                assert all(one.finished.is_set() for one in begun), "there is one at a time"
                begun.append(self)

    monkeypatch.setattr(decoding, "_CHILD", code)
    with decoding.opened(folder / "A" / "1.mp4", "1.mp4", 10**6, Stop()) as player:
        monkeypatch.setattr(threading, "Timer", Limit)
        assert [place for place, _ in player.frames(Fraction(1, 10), 0, 2)] == [0, 1]
        # It is waited anew after each of the 50 frames, of which two are answers.
        assert len(begun) > 40
        assert all(one.finished.is_set() for one in begun)


def test_what_hangs_is_given_up_at_once_when_somebody_says_so(folder: Path, tmp_path: Path) -> None:
    stop = Stop()
    with open_source(folder, "w", tmp_path, stop) as source:
        going = source.items("c0")
        next(going)
        (process,) = decoders()
        process.suspend()
        limit = threading.Timer(0.2, stop.set)
        limit.start()
        with pytest.raises(Cancelled):
            next(going)
        limit.join()
        with pytest.raises(Cancelled):
            next(source.items("c1"))
        with pytest.raises(Cancelled):
            source.preview(0)
    with pytest.raises(Cancelled):
        open_source(folder, "w", tmp_path, stop)


def test_where_no_process_can_be_started_that_is_said(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(code: str) -> subprocess.Popen[bytes]:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(children, "start", refuse)
    with pytest.raises(TeachableError) as caught, decoding.opened(folder / "A" / "1.mp4", "1.mp4", 10**6, Stop()):
        pass
    assert caught.value.key == "video_process"


def test_what_goes_wrong_in_the_process_is_said_and_logged(
    folder: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(InvalidInput) as caught, decoding.opened(folder / "gone.mp4", "1.mp4", 10**6, Stop()):
        pass
    assert caught.value.key == "video_stopped"
    assert "FileNotFoundError" in caplog.text
    # The process is as good as before.
    (process,) = decoders()
    with decoding.opened(folder / "A" / "1.mp4", "1.mp4", 10**6, Stop()) as player:
        assert player.seconds(10) == 5.0
    assert decoders() == [process]


def test_one_process_reads_one_video_after_the_other_and_then_ends(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_source(folder, "w", tmp_path) as source:
        (process,) = decoders()
        assert len(list(source.items("c0"))) == 10
        # Given up in the middle.
        next(iter(source.items("c1")))
        assert decoders() == [process]
        monkeypatch.setattr(decoding, "IDLE_SECONDS", 0.05)
        assert len(list(source.items("c1"))) == 10
        until(lambda: decoders() == [], "the end of a process nobody needs")


def test_videos_are_read_at_the_same_time(folder: Path, tmp_path: Path) -> None:
    with open_source(folder, "w", tmp_path) as source:
        two = [source.items(key) for key in ("c0", "c1")]
        first = [next(one) for one in two]
        assert len(decoders()) == 2
        found: dict[int, list[Item]] = {}
        threads = [
            threading.Thread(target=lambda at=at, one=one: found.update({at: list(one)}))  # type: ignore[misc]
            for at, one in enumerate(two)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert [len(found[at]) for at in range(2)] == [9, 9]
    assert [one.index for one in first] == [0, 0]


def test_ffmpeg_is_not_loaded_where_photos_are_kept(folder: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from teachable.importing import open_source\n"
        f"with open_source(Path({str(folder)!r}), 'w', Path({str(folder.parent)!r})) as source:\n"
        "    assert sum(item.error is None for item in source.items('c0')) == 10\n"
        "assert not any(name == 'av' or name.startswith('av.') for name in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=300)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.skipif(sys.platform != "linux", reason="memory is limited on Linux only")
def test_a_process_has_only_so_much_memory(folder: Path) -> None:
    with decoding.opened(folder / "A" / "1.mp4", "1.mp4", videos.MOST_PIXELS, Stop()):
        (process,) = decoders()
        most, _ = process.rlimit(psutil.RLIMIT_AS)
    assert 4 * 2**30 < most < 6 * 2**30


def test_a_page_full_of_pictures_does_not_start_a_process_for_each(folder: Path, tmp_path: Path) -> None:
    with open_source(folder, "w", tmp_path) as source, ThreadPoolExecutor(12) as threads:
        numbers = [number for one in source.plan.classes for number in one.previews] * 2
        most = 0

        def shown(number: int) -> bytes:
            nonlocal most
            picture = source.preview(number)
            most = max(most, len(decoders()))
            return picture

        pictures = list(threads.map(shown, numbers))
    assert len(set(pictures[: len(pictures) // 2])) > 1
    assert pictures[: len(pictures) // 2] == pictures[len(pictures) // 2 :]
    assert most <= 2
