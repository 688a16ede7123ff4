"""What a game may ask of the native client beside plain speech, against the live service:
observers, echoed sound, BURST, known phones, H.264, CURVE and mutual TLS."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from avatar_client import connect
from fakes.tcp_pauser import FarNetwork
from native_abi import (
    ARPABET,
    AUDIO,
    BURST,
    CONTROL_APPLIED,
    CONTROL_BADGE,
    CONTROL_MOTION_MODEL,
    FEATURE_H264,
    FRAMES,
    GRPC,
    H264,
    INVALID_ARGUMENT,
    JAW_OPEN,
    JPEG,
    MOTION,
    NOTICE,
    PERMISSION_DENIED,
    PTS_NEWEST,
    RATE_HZ,
    RAW,
    SEGMENT_ENDED,
    SEGMENT_STARTED,
    SHM,
    UNIMPLEMENTED,
    ZMQ,
    AudioChunk,
    Native,
    Phone,
    Phones,
    i64,
    speech,
    text,
)
from native_build import missing

from avatar_service.portrait.models import are_models_present
from avatar_service.render.badge import draw_badge
from avatar_service.render.finish import badge_margin
from avatar_service.session.service_process import ServiceProcess

pytestmark = [pytest.mark.e2e, pytest.mark.live]

FRAME_NANOS = 25_000_000
EDGE_PX = 256
needs_models = pytest.mark.skipif(
    not are_models_present(), reason="the landmark models are absent: avatar models fetch"
)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServiceProcess]:
    options = {"home": str(tmp_path_factory.mktemp("home")), "zmq.endpoint": "tcp://127.0.0.1"}
    with ServiceProcess(options) as running:
        yield running
        assert running.process.poll() is None, " / ".join(running.lines)


@pytest.fixture(scope="module")
def photo() -> bytes:
    cv2 = pytest.importorskip("cv2")
    data = pytest.importorskip("skimage.data")
    done, encoded = cv2.imencode(".png", data.astronaut()[..., ::-1])
    assert done
    return bytes(encoded)


def read_motion(client: Native, num_frames: int) -> dict[int, list[float]]:
    """Return the latents that come, by seq."""
    seen: dict[int, list[float]] = {}
    seq = 0
    for _ in range(num_frames):
        client.wait(seq)
        frame, motion = client.frame_at(PTS_NEWEST)
        seq = frame.seq
        seen[seq] = list(motion.values)
    return seen


@pytest.mark.parametrize("transport", [SHM, ZMQ, GRPC])
def test_observers_see_what_the_controller_sees_and_only_watch(
    native: Callable[..., Native], service: ServiceProcess, transport: int
) -> None:
    controller, observer = native(service.address), native(service.address)
    controller.open_session(transports=SHM | ZMQ | GRPC)
    session_id = controller.info().session_id.decode()
    observer.open_session(session_id=session_id, observe=1, transports=transport)
    assert observer.info().transport == transport
    assert observer.info().session_id == controller.info().session_id
    assert controller.push(speech(1.0)) == 0
    observer.wait_event(SEGMENT_STARTED)
    seen, told = read_motion(observer, 20), read_motion(controller, 20)
    both = seen.keys() & told.keys()
    # ZeroMQ and gRPC carry the packed blob: steps of 1/204 at most.
    tolerance = 0.0 if transport == SHM else 0.01
    assert all(np.allclose(seen[n], told[n], atol=tolerance) for n in both)
    assert len(seen) == 20
    assert observer.push(speech(0.1)) == PERMISSION_DENIED
    assert observer.call("session_interrupt", observer.session, i64(-1)) == PERMISSION_DENIED
    observer.close()
    controller.end_segment()
    assert controller.wait_event(SEGMENT_ENDED).value == 0, "nobody misses who has left"


def test_a_second_controller_is_refused_with_its_reason(
    native: Callable[..., Native], service: ServiceProcess
) -> None:
    first, second = native(service.address), native(service.address)
    first.open_session()
    assert second.begin_session(session_id=first.info().session_id.decode(), reconnect=0) == 0
    assert second.call("session_wait_ready", second.session, 20_000) == 9
    assert second.error.reason == b"SESSION_HAS_CONTROLLER"


def test_an_observer_hears_the_speech_with_its_times(
    native: Callable[..., Native], service: ServiceProcess
) -> None:
    controller, observer = native(service.address), native(service.address)
    controller.open_session(outputs=MOTION | AUDIO)
    observer.open_session(session_id=controller.info().session_id.decode(), observe=1)
    said = speech(0.75)
    assert controller.push(said) == 0
    begin = observer.wait_event(SEGMENT_STARTED).pts_nanos
    heard = np.zeros(0, np.int16)
    while len(heard) < len(said):
        chunk = AudioChunk(ctypes.sizeof(AudioChunk))
        piece = np.zeros(RATE_HZ, np.int16)
        place = ctypes.c_void_p(piece.ctypes.data)
        capacity = ctypes.c_uint64(piece.nbytes)
        observer.must("session_next_audio", observer.session, place, capacity, ctypes.byref(chunk))
        if chunk.num_frames == 0:
            observer.call("session_wait", observer.session, ctypes.c_uint64(2**63), 10)
            continue
        assert (chunk.sample_rate_hz, chunk.channels) == (RATE_HZ, 1)
        assert chunk.pts_nanos == begin + len(heard) * 10**9 // RATE_HZ
        heard = np.append(heard, piece[: chunk.num_frames])
    np.testing.assert_array_equal(heard, said)


def test_burst_brings_every_frame_and_waits_for_its_reader(
    native: Callable[..., Native], service: ServiceProcess
) -> None:
    client = native(service.address)
    client.open_session(pacing=BURST, transports=GRPC, buffer_millis=200)
    assert client.push(speech(5.0)) == 0
    client.end_segment()
    pts, seqs = [], []
    for k in range(200):
        client.wait(seqs[-1] if seqs else 0)
        frame, _ = client.frame_at(k * FRAME_NANOS)
        pts.append(frame.pts_nanos)
        seqs.append(frame.seq)
    assert pts == [k * FRAME_NANOS for k in range(200)]
    assert seqs == list(range(1, 201))
    assert client.wait_event(SEGMENT_ENDED).pts_nanos == 5 * 10**9
    assert client.statistics().frames_skipped == 0


def say_phones(client: Native, phones: list[tuple[str, float, float]]) -> int:
    array = (Phone * len(phones))()
    for place, (symbol, begin, end) in zip(array, phones, strict=True):
        place.symbol = text(symbol)
        place.start_nanos, place.end_nanos = round(begin * 1e9), round(end * 1e9)
    known = Phones(ctypes.sizeof(Phones), ARPABET, array, len(phones))
    return client.call("session_push_phones", client.session, ctypes.byref(known))


def test_known_phones_move_the_lips_where_the_sound_tells_nothing(
    native: Callable[..., Native], service: ServiceProcess
) -> None:
    silence = np.zeros(RATE_HZ, np.int16)
    jaws = []
    for phones in ([], [("M", 0.1, 0.3), ("AA1", 0.3, 0.6), ("XX", 0.7, 0.75), ("M", 0.75, 0.9)]):
        client = native(service.address)
        client.open_session(pacing=BURST, transports=GRPC)
        if phones:
            assert say_phones(client, phones) == 0
        assert client.push(silence) == 0
        client.end_segment()
        jaw, seq = [], 0
        for k in range(40):
            client.wait(seq)
            frame, motion = client.frame_at(k * FRAME_NANOS)
            seq = frame.seq
            jaw.append(motion.values[JAW_OPEN])
        jaws.append(np.array(jaw))
        if phones:
            notice = client.wait_event(NOTICE)
            assert notice.value == 5  # NOTICE_KIND_PHONES_IGNORED
            assert notice.count == 1
        client.close()
    without, with_phones = jaws
    assert without.max() < 0.1
    assert with_phones[14:24].max() > 0.25, "AA opens"
    assert with_phones[8:11].max() < 0.5 * with_phones[14:24].max(), "M is closed"


def test_phones_out_of_order_are_refused_at_once(
    native: Callable[..., Native], service: ServiceProcess
) -> None:
    client = native(service.address)
    client.open_session()
    assert say_phones(client, [("AA", 0.2, 0.3), ("B", 0.1, 0.2)]) == INVALID_ARGUMENT
    assert client.error.message == b"phones: number 1 is empty or overlaps the one before it"
    assert say_phones(client, [("A" * 33, 0.2, 0.3)]) == INVALID_ARGUMENT


@needs_models
def test_the_badge_is_switched_while_the_session_runs(
    native: Callable[..., Native], service: ServiceProcess, photo: bytes
) -> None:
    client = native(service.address)
    client.open_session(
        avatar_id=client.create_avatar(photo),
        size_px=EDGE_PX,
        outputs=FRAMES | MOTION,
        transports=SHM,
    )
    label = draw_badge(EDGE_PX)[..., 3] > 0
    rows, columns = label.shape
    margin = badge_margin(EDGE_PX)

    def corner_from(pts_nanos: int) -> np.ndarray:
        seq, shown = 0, -1
        pixels = np.zeros((EDGE_PX, EDGE_PX, 4), np.uint8)
        while shown < pts_nanos:
            client.wait(seq)
            frame, _ = client.frame_at(PTS_NEWEST, pixels=pixels)
            seq, shown = frame.seq, frame.pts_nanos
        corner = pixels[EDGE_PX - margin - rows : EDGE_PX - margin, margin : margin + columns]
        return corner[label].astype(int)

    corners = [corner_from(500_000_000)]
    for badge in (1, 0):
        client.set_controls(CONTROL_BADGE, badge=badge)
        corners.append(corner_from(client.wait_event(CONTROL_APPLIED).pts_nanos))
    client.set_controls(CONTROL_MOTION_MODEL, motion_model=text("rules"))
    client.wait_event(CONTROL_APPLIED)
    with connect(service.address) as other:
        told = other.get_session(client.info().session_id.decode())
    assert told.controls.motion_model == "rules"
    plain, labelled, plain_again = corners
    assert plain.std() > 0, "a picture"
    assert np.abs(labelled - plain).mean() > 30
    assert np.abs(plain_again - plain).mean() < 6


@needs_models
def test_h264_frames_are_the_ones_of_the_ring(
    native: Callable[..., Native], service: ServiceProcess, photo: bytes
) -> None:
    controller, observer = native(service.address), native(service.address)
    if not controller.lib.avatar_features() & FEATURE_H264:
        assert controller.begin_session(encoding=H264) == UNIMPLEMENTED
        missing("OpenH264 or libyuv is not there")
    _, offered = controller.server_info()
    assert offered.capabilities & 1 << 6, "AVATAR_CAPABILITY_H264"
    avatar_id = controller.create_avatar(photo)
    wish = {"size_px": EDGE_PX, "outputs": FRAMES | MOTION, "encoding": H264}
    controller.open_session(avatar_id=avatar_id, transports=SHM | GRPC, **wish)
    observer.open_session(
        session_id=controller.info().session_id.decode(), observe=1, transports=GRPC
    )
    assert (controller.info().transport, observer.info().transport) == (SHM, GRPC)
    assert controller.push(speech(2.0)) == 0
    shape = (EDGE_PX, EDGE_PX, 4)
    seen: list[dict[int, np.ndarray]] = [{}, {}]
    seqs = [0, 0]
    for _ in range(60):
        for i, client in enumerate((observer, controller)):
            client.wait(seqs[i])
            pixels = np.zeros(shape, np.uint8)
            frame, _ = client.frame_at(PTS_NEWEST, pixels=pixels)
            seen[i][frame.seq] = pixels
            seqs[i] = frame.seq
    both = sorted(seen[0].keys() & seen[1].keys())
    assert len(both) > 10
    likeness = []
    for n in both:
        decoded, raw = (seen[i][n].astype(float) for i in (0, 1))
        assert (decoded[..., 3] == 255).all()
        error = np.square(decoded[..., :3] - raw[..., :3]).mean()
        likeness.append(10 * np.log10(255**2 / error))
        # Colours, not just shapes: a wrong matrix or swapped channels shift the means.
        shift = decoded[..., :3].mean((0, 1)) - raw[..., :3].mean((0, 1))
        assert np.abs(shift).max() < 2.0, (n, shift)
    # dB; key frames get few bits and are the worst.
    assert min(likeness) > 24.0
    assert np.median(likeness) > 29.0
    assert observer.statistics().messages_refused == 0
    per_second = observer.statistics().bytes_received / (max(seqs) / 40)
    assert per_second < EDGE_PX * EDGE_PX * 4 * 40 / 100, "it is far less than the pixels"


def test_who_asks_for_packed_pictures_from_afar_does_not_get_them_raw(
    native: Callable[..., Native], service: ServiceProcess
) -> None:
    port = service.address.rpartition(":")[2]
    afar = f"0.0.0.0:{port}"  # this host, by a name that is no loopback's
    if not native(afar).lib.avatar_features() & FEATURE_H264:
        missing("OpenH264 or libyuv is not there")
    chosen = {}
    for encoding in (0, RAW, JPEG, H264):
        client = native(afar)
        client.open_session(encoding=encoding)
        chosen[encoding] = client.info().transport
        client.close()
    assert chosen == {0: ZMQ, RAW: ZMQ, JPEG: GRPC, H264: GRPC}
    near = native(service.address)
    near.open_session(encoding=H264)
    assert near.info().transport == SHM


def test_zeromq_across_a_network_is_encrypted_by_curve(
    native: Callable[..., Native], service: ServiceProcess
) -> None:
    with FarNetwork(service.address) as network:
        client = native(network.address)
        client.open_session(transports=ZMQ)
        assert client.info().transport == ZMQ
        seen = read_motion(client, 20)
        assert len(seen) == 20
        assert network.num_zmq_connections == 1
        assert client.statistics().messages_refused == 0


def openssl(*arguments: str | Path) -> None:
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder: one authority, and what it and a stranger have signed."""
    if shutil.which("openssl") is None:
        missing("openssl is not there")
    folder = tmp_path_factory.mktemp("tls")
    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2")
    for authority in ("ca", "stranger"):
        out = ("-keyout", folder / f"{authority}.key", "-out", folder / f"{authority}.pem")
        openssl("req", "-x509", *key, "-subj", f"/CN={authority}", *out)
    (folder / "names").write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\n")
    for name, authority in (("server", "ca"), ("client", "ca"), ("intruder", "stranger")):
        out = ("-keyout", folder / f"{name}.key", "-out", folder / f"{name}.csr")
        openssl("req", *key, "-subj", f"/CN={name}", *out)
        by = ("-CA", folder / f"{authority}.pem", "-CAkey", folder / f"{authority}.key")
        out = ("-out", folder / f"{name}.pem", "-extfile", folder / "names")
        openssl("x509", "-req", "-in", folder / f"{name}.csr", *by, "-CAcreateserial", *out)
    return folder


def test_mutual_tls_lets_in_who_shows_a_certificate(
    native: Callable[..., Native], certificates: Path, tmp_path: Path
) -> None:
    pem = {path.name: path.read_text() for path in certificates.iterdir()}
    options = {
        "home": str(tmp_path),
        "tls.certificate": str(certificates / "server.pem"),
        "tls.private_key": str(certificates / "server.key"),
        "tls.client_ca": str(certificates / "ca.pem"),
    }

    def connect(name: str) -> Native:
        own = {"client_cert_pem": pem[f"{name}.pem"], "client_key_pem": pem[f"{name}.key"]}
        return native(service.address, tls=2, ca_pem=pem["ca.pem"], **own)

    with ServiceProcess(options) as service:
        friend = connect("client")
        assert friend.server_info()[0] == 0, friend.error.message
        friend.open_session(transports=GRPC)
        assert friend.push(speech(0.2)) == 0
        friend.wait_event(SEGMENT_STARTED)
        for other in (connect("intruder"), native(service.address, tls=1, ca_pem=pem["ca.pem"])):
            assert other.begin_session(transports=GRPC) == 0
            assert other.call("session_wait_ready", other.session, 700) != 0
            assert other.info().session_id == b""
        assert friend.server_info()[1].num_sessions == 1
