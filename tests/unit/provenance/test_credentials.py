from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from avatar_service.config import CredentialsConfig, load_config
from avatar_service.errors import AvatarError, Reason
from avatar_service.export.video import VideoWriter
from avatar_service.provenance.certificates import signing_pair
from avatar_service.provenance.credentials import read_credentials

pytestmark = pytest.mark.unit


def test_a_sealed_video_tells_what_it_is(video: Path) -> None:
    found = read_credentials(video)
    assert found is not None
    assert (found["state"], found["problems"]) == ("valid", [])
    assert found["is_test_certificate"]
    assert found["source_type"] == "compositeWithTrainedAlgorithmicMedia"
    assert found["actions"] == ["c2pa.created"]
    assert found["ingredients"][0]["instance_id"] == "sha256:" + "ab" * 32
    assert found["provenance"]["watermark"] == "abcdef-12345"
    assert found["made_with"][0].startswith("avatar-service ")
    assert [p.name for p in video.parent.iterdir() if p.is_file()] == ["out.mp4"]


def test_a_changed_video_is_told(video: Path, tmp_path: Path) -> None:
    data = bytearray(video.read_bytes())
    data[-len(data) // 4] ^= 1
    changed = tmp_path / "changed.mp4"
    changed.write_bytes(data)
    found = read_credentials(changed)
    assert found is not None
    assert found["state"] == "invalid"
    assert found["problems"]


def test_a_file_without_credentials_has_none(tmp_path: Path) -> None:
    path = tmp_path / "plain.mp4"
    with VideoWriter(path, width_px=64, height_px=64, frame_rate=Fraction(25)) as writer:
        writer.write_frame(np.zeros((64, 64, 4), np.uint8))
    assert read_credentials(path) is None


def test_a_fault_while_sealing_leaves_no_file(tmp_path: Path) -> None:
    def fail(path: Path) -> None:
        raise AvatarError(Reason.INVALID_FILE, "no")

    path = tmp_path / "out.mp4"
    writer = VideoWriter(path, width_px=64, height_px=64, frame_rate=Fraction(25), seal=fail)
    writer.write_frame(np.zeros((64, 64, 4), np.uint8))
    with pytest.raises(AvatarError):
        writer.close()
    assert list(tmp_path.iterdir()) == []


def test_a_certificate_of_another_key_is_refused(tmp_path: Path) -> None:
    for name in ("one", "two"):
        signing_pair(CredentialsConfig(), tmp_path / name)
    pems = [next((tmp_path / name).glob("*.pem")) for name in ("one", "two")]
    signing_pair(CredentialsConfig(certificate=pems[0], private_key=pems[0]), tmp_path)
    only_key = tmp_path / "key.pem"
    only_key.write_text(pems[1].read_text().split("-----BEGIN CERTIFICATE")[0])
    for bad in (
        CredentialsConfig(certificate=pems[0], private_key=only_key),
        CredentialsConfig(certificate=tmp_path / "gone", private_key=only_key),
        CredentialsConfig(certificate=only_key, private_key=only_key),
    ):
        with pytest.raises(AvatarError) as fault:
            signing_pair(bad, tmp_path)
        assert fault.value.reason is Reason.INVALID_FIELD


def test_a_certificate_goes_with_its_key() -> None:
    with pytest.raises(AvatarError):
        load_config({"credentials.certificate": "/x"}, environ={})
