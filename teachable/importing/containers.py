"""Which container a video is in, by its first bytes: it decides which reader is used, and no other."""

START = 400
"""Bytes to tell a container by."""

_STILL_BRANDS = frozenset(
    {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1", b"avif"}
)
_QUICKTIME = frozenset({b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot"})
_MAGIC = (
    (b"\x1aE\xdf\xa3", "matroska"),
    (b"OggS", "ogg"),
    (b"FLV\x01", "flv"),
    (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "asf"),
    (b"\x00\x00\x01\xba", "mpeg"),
    (b"\x00\x00\x01\xb3", "mpegvideo"),
    (b"\x06\x0e\x2b\x34\x02\x05\x01\x01\x0d\x01\x02", "mxf"),
    (b"DKIF\x00\x00", "ivf"),
    (b"YUV4MPEG2 ", "yuv4mpegpipe"),
    (b"nut/multimedia container\x00", "nut"),
)


def container(start: bytes) -> str | None:
    """Return the reader for a file that begins so, or None where it is no video.

    Args:
        start: the first bytes, as many as `START` where the file has them.
    """
    if start[4:8] in _QUICKTIME:
        return None if start[4:8] == b"ftyp" and start[8:12] in _STILL_BRANDS else "mov"
    if start[:4] == b"RIFF" and start[8:12] == b"AVI ":
        return "avi"
    # A transport stream has packets of 188 bytes; cameras put four bytes of time before each.
    if start[:1] == start[188:189] == b"G" or start[4:5] == start[196:197] == b"G":
        return "mpegts"
    return next((reader for magic, reader in _MAGIC if start.startswith(magic)), None)
