"""A video gives what was on the screen at each tick of the clock; an animation gives all its frames."""

from pathlib import Path

import bringing
import numpy as np
import PIL.Image
import PIL.ImageColor
import pytest

from teachable.errors import InvalidInput, StorageFull, TooLarge
from teachable.importing import Item, Options, Source, animations, open_source, videos


def opened(path: Path, tmp_path: Path) -> Source:
    return open_source(path, path.name, tmp_path)


def items(path: Path, tmp_path: Path, rate: float = 2.0, start: int = 0) -> list[Item]:
    with opened(path, tmp_path) as source:
        return list(source.items("c0", Options(rate=rate), start))


def level(data: bytes) -> float:
    """Brightness of what moves: the middle, away from the white corner of any rotation."""
    picture = bringing.pixels(data)
    height, width = picture.shape[:2]
    return float(picture[height * 2 // 5 : height * 3 // 5, width * 2 // 5 : width * 3 // 5].mean())


@pytest.mark.parametrize(
    ("name", "codec"),
    [
        *(("a.mp4", "mpeg4"), ("a.mp4", "libx264"), ("a.webm", "libvpx"), ("a.mkv", "mpeg4"), ("a.avi", "mjpeg")),
        *(("a.mov", "mpeg4"), ("a.ts", "mpeg2video"), ("a.mpg", "mpeg1video"), ("a.flv", "flv"), ("a.wmv", "wmv2")),
    ],
)
def test_frames_are_those_on_the_screen_at_each_tick(tmp_path: Path, name: str, codec: str) -> None:
    fps = 25 if codec in {"mpeg1video", "mpeg2video"} else 10
    path = bringing.video(tmp_path / name, frames=3 * fps, fps=fps, codec=codec)
    with opened(path, tmp_path) as source:
        plan = source.plan
        assert (plan.kind, plan.title, plan.options) == ("video", "a", ("rate",))
        assert plan.seconds == pytest.approx(3, abs=0.15)
        assert plan.classes[0].groups == 1
        assert plan.classes[0].bytes is None
        found = list(source.items("c0", Options(rate=2.0)))
    assert 6 <= len(found) <= 7
    assert {item.error for item in found} == {None}
    assert len({item.group for item in found}) == 1
    for item in found[:6]:
        assert level(item.data) == pytest.approx(bringing.brightness(item.index * fps // 2, 3 * fps), abs=9)


@pytest.mark.parametrize(("name", "codec"), [("a.mp4", "libx264"), ("a.webm", "libvpx"), ("a.ts", "mpeg2video")])
def test_reading_goes_on_wherever_it_stopped(tmp_path: Path, name: str, codec: str) -> None:
    path = bringing.video(tmp_path / name, frames=75, fps=25, codec=codec)
    whole = items(path, tmp_path, rate=3.0)
    assert len(whole) >= 9
    for start in range(len(whole) + 1):
        assert items(path, tmp_path, rate=3.0, start=start) == [item for item in whole if item.index >= start]


def test_the_same_frame_is_not_given_twice(tmp_path: Path) -> None:
    path = bringing.video(tmp_path / "slow.mp4", frames=6, fps=2)
    found = items(path, tmp_path, rate=10.0)
    assert [item.index for item in found] == [0, 5, 10, 15, 20, 25]
    assert len({item.data for item in found}) == 6


@pytest.mark.parametrize("rotation", [90, 180, -90])
def test_videos_of_phones_come_upright(tmp_path: Path, rotation: int) -> None:
    path = bringing.video(tmp_path / "a.mp4", rotation=rotation)
    picture = bringing.pixels(items(path, tmp_path)[0].data)
    plain = np.zeros((48, 64))
    plain[:16, :21] = 255
    upright = np.rot90(plain, rotation // 90)
    assert picture.shape[:2] == upright.shape
    assert ((picture.mean(axis=2) > 128) == (upright > 128)).mean() > 0.95


def test_large_frames_are_made_as_small_as_photos_are_stored(tmp_path: Path) -> None:
    path = bringing.video(tmp_path / "a.mp4", frames=2, size=(1280, 720))
    (item,) = items(path, tmp_path)
    assert bringing.pixels(item.data).shape == (512, 910, 3)


def test_what_a_browser_recorded_does_not_say_how_long_it_runs(tmp_path: Path) -> None:
    path = bringing.video(
        tmp_path / "a.webm", frames=30, codec="libvpx", format="matroska", container_options={"live": "1"}
    )
    with opened(path, tmp_path) as source:
        assert source.plan.seconds == pytest.approx(3, abs=0.11)
        assert len(list(source.items("c0"))) == 6


def test_videos_in_class_folders_are_a_recording_each(tmp_path: Path) -> None:
    clips = {name: bringing.video(tmp_path / name, frames=20).read_bytes() for name in ("1.mp4", "2.mp4")}
    files = {"w/Cats/1.mp4": clips["1.mp4"], "w/Cats/2.mp4": clips["2.mp4"], "w/Cats/0.jpg": bringing.jpeg(1)}
    path = bringing.zipped(tmp_path / "x.zip", {**files, "w/Dogs/1.mp4": clips["1.mp4"], "w/Dogs/2.mp4": b"no video"})
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    with open_source(path, "x.zip", scratch) as source:
        cats, dogs = source.plan.classes
        assert source.plan.options == ("rate", "independent")
        assert (cats.name, cats.photos, cats.groups, cats.seconds) == ("Cats", 9, 3, pytest.approx(4))
        assert dogs.photos == 4
        assert [one.name for one in source.plan.skipped] == ["w/Dogs/2.mp4"]
        options = Options(rate=1.0, independent=True)
        found = list(source.items("c0", options))
        assert [item.index for item in found] == list(range(5)) == list(range(source.total("c0", options)))
        assert len({item.group for item in found}) == 3
        assert list(source.items("c0", options, start=2)) == found[2:]
        assert all(source.preview(number) for number in cats.previews)
    assert list(scratch.iterdir()) == []


def test_reading_that_is_given_up_leaves_nothing_behind(tmp_path: Path) -> None:
    clip = bringing.video(tmp_path / "a.mp4").read_bytes()
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    with open_source(bringing.zipped(tmp_path / "x.zip", {"a/1.mp4": clip}), "x.zip", scratch) as source:
        going = source.items("c0")
        next(going)
        assert len(list(scratch.iterdir())) == 1
        del going
    assert list(scratch.iterdir()) == []


def test_a_damaged_video_gives_what_can_be_read_and_says_so(tmp_path: Path) -> None:
    path = bringing.video(tmp_path / "a.mp4", frames=100, codec="libx264", size=(160, 120))
    data = bytearray(path.read_bytes())
    start = data.index(b"mdat") + 8
    middle = start + (len(data) - start) * 2 // 5
    data[middle : middle + 300] = bytes(300)
    path.write_bytes(data)
    # It is said whichever frames are wanted after the damaged part.
    for rate in (0.7, 1.0, 2.0, 10.0):
        *photos, last = items(path, tmp_path, rate)
        assert len(photos) >= 4 * rate
        assert {item.error for item in photos} == {None}
        assert "A part of a.mp4 is damaged" in str(last.error)


@pytest.mark.parametrize("keep", [30, 300, 1000])
def test_half_a_video_is_refused_in_words(tmp_path: Path, keep: int) -> None:
    path = bringing.video(tmp_path / "a.mp4")
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(InvalidInput, match="damaged"):
        opened(path, tmp_path)


def test_what_only_sounds_is_refused_in_words(tmp_path: Path) -> None:
    import av

    path = tmp_path / "a.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=8000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        frame.rate = 8000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    with pytest.raises(InvalidInput, match="only sound"):
        opened(path, tmp_path)


def test_videos_that_are_too_long_or_too_large_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = bringing.video(tmp_path / "a.mp4", frames=20)
    monkeypatch.setattr(videos, "MOST_SECONDS", 1)
    with pytest.raises(TooLarge, match="runs for more than"):
        opened(path, tmp_path)
    monkeypatch.setattr(videos, "MOST_PIXELS", 1000)
    with pytest.raises(TooLarge, match="64 × 48"):
        opened(path, tmp_path)
    monkeypatch.setattr(videos, "LARGEST_VIDEO", 1000)
    with pytest.raises(TooLarge, match="more than"):
        opened(path, tmp_path)


def test_a_video_in_a_zip_needs_room_on_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = bringing.zipped(tmp_path / "x.zip", {"a/1.mp4": bringing.video(tmp_path / "a.mp4").read_bytes()})
    monkeypatch.setattr(videos, "_SPARE_BYTES", 2**62)
    with pytest.raises(StorageFull):
        opened(path, tmp_path)


@pytest.mark.parametrize(
    "text",
    [
        "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{other}\n#EXT-X-ENDLIST\n",
        "ffconcat version 1.0\nfile '{other}'\n",
        "<?xml version='1.0'?><MPD xmlns='urn:mpeg:dash:schema:mpd:2011'><BaseURL>{other}</BaseURL></MPD>",
        "v=0\nc=IN IP4 127.0.0.1\nm=video 1234 RTP/AVP 96\n",
    ],
)
def test_lists_of_other_files_are_no_videos(tmp_path: Path, text: str) -> None:
    other = bringing.video(tmp_path / "private.mp4")
    path = tmp_path / "x.mp4"
    path.write_text(text.format(other=other.as_uri()))
    with pytest.raises(InvalidInput, match="none of the files"):
        opened(path, tmp_path)


# Animations


@pytest.mark.parametrize(("format", "name"), [("GIF", "a.gif"), ("WEBP", "a.webp"), ("PNG", "a.png")])
def test_an_animation_gives_all_its_frames(tmp_path: Path, format: str, name: str) -> None:
    colours = ["red", "lime", "blue", "white", "black"]
    path = tmp_path / name
    path.write_bytes(bringing.gif(colours, format, **({"lossless": True} if format == "WEBP" else {})))
    with opened(path, tmp_path) as source:
        assert (source.plan.kind, source.plan.title, source.plan.options) == ("animation", "a", ())
        assert source.plan.classes[0].photos == 5
        whole = list(source.items("c0"))
        for start in range(6):
            assert list(source.items("c0", start=start)) == whole[start:]
        assert source.preview(0)
    for item, colour in zip(whole, colours, strict=True):
        expected = np.array(PIL.ImageColor.getrgb(colour))
        assert np.abs(bringing.pixels(item.data)[12, 12].astype(int) - expected).max() < 8


def test_a_sliver_is_made_into_a_usable_photo(tmp_path: Path) -> None:
    path = tmp_path / "a.gif"
    data = bytearray(bringing.gif(["red", "lime"], side=24))
    first = data.index(b",", 13)
    data[first + 3 : first + 5] = b"\xff\xff"
    path.write_bytes(data)
    with opened(path, tmp_path) as source:
        first_item = next(source.items("c0"))
    assert max(bringing.pixels(first_item.data).shape) <= 512 * 16


def test_what_is_see_through_is_white(tmp_path: Path) -> None:
    frames = [PIL.Image.new("RGBA", (16, 16), (255, 0, 0, alpha)) for alpha in (0, 255)]
    path = tmp_path / "a.webp"
    path.write_bytes(bringing.encoded(frames[0], "WEBP", save_all=True, append_images=frames[1:], lossless=True))
    assert bringing.pixels(items(path, tmp_path)[0].data).min() > 250


def test_animations_that_would_take_for_ever_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.gif"
    path.write_bytes(bringing.gif(["red", "lime", "blue"]))
    monkeypatch.setattr(animations, "MOST_FRAMES", 2)
    with pytest.raises(TooLarge):
        opened(path, tmp_path)
    monkeypatch.setattr(animations, "MOST_FRAMES", 5)
    monkeypatch.setattr(animations, "MOST_PIXELS", 3 * 24 * 24 - 1)
    with pytest.raises(TooLarge):
        opened(path, tmp_path)
    monkeypatch.undo()
    many = b"GIF89a\x01\x00\x01\x00\x00\x00\x00" + b"\x00,\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02D\x01" * 400_000
    path.write_bytes(many)
    with pytest.raises(TooLarge):
        opened(path, tmp_path)


def test_half_an_animation_gives_an_error_in_words(tmp_path: Path) -> None:
    path = tmp_path / "a.webp"
    data = bringing.gif(["red", "lime", "blue"], "WEBP", lossless=True)
    path.write_bytes(data[: len(data) * 2 // 3])
    with pytest.raises(InvalidInput):
        opened(path, tmp_path)


@pytest.mark.parametrize(("format", "at"), [("GIF", "frame"), ("GIF", 6), ("PNG", 16), ("WEBP", 24)])
def test_a_few_bytes_do_not_ask_for_gigabytes(tmp_path: Path, format: str, at: int | str) -> None:
    data = bytearray(bringing.gif(["red", "lime", "blue"], format))
    # The place where the last frame of the GIF lies, or the size at the beginning.
    at = data.rindex(b"\x00,") + 2 if at == "frame" else at
    data[at : at + 4] = b"\x00\xff\x00\xff"
    path = tmp_path / "x"
    path.write_bytes(data)
    with pytest.raises(TooLarge):
        opened(path, tmp_path)


def test_a_gif_made_of_tiny_blocks_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.gif"
    path.write_bytes(b"GIF89a" + bytes(7) + b"\x21\xfe" + b"\x01x" * 1_100_000)
    with pytest.raises(TooLarge):
        opened(path, tmp_path)
