"""Generated code is what its sources say, and the interface keeps its own rules."""

import subprocess
import sys
from pathlib import Path

import pytest
from avatar_client.gen.avatar.v1 import avatar_service_pb2 as client_pb2

from avatar_service.errors import ANSWERS, DOMAIN, Reason
from avatar_service.gen.avatar.v1 import avatar_service_pb2, endpoint_pb2, error_reason_pb2
from avatar_service.transports import grpc_messages, motion_schema

pytestmark = pytest.mark.contract
ROOT = Path(__file__).resolve().parents[2]
PROTOS = ROOT / "protos"


def run(*command):
    return subprocess.run(
        [str(part) for part in command], cwd=ROOT, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("tool", ["gen_protos.py", "gen_ring.py"])
def test_generated_code_has_not_drifted(tool):
    pytest.importorskip("grpc_tools")
    result = run(sys.executable, f"tools/{tool}", "--check")
    assert result.returncode == 0, result.stdout + result.stderr


def test_a_changed_table_is_noticed(tmp_path):
    text = (PROTOS / "ring/v1/frame_ring.toml").read_text()
    sys.path.insert(0, str(ROOT / "tools"))
    try:
        import gen_ring
    finally:
        sys.path.pop(0)
    sound = gen_ring.load()
    assert (
        gen_ring.to_c(sound)
        == (ROOT / "engine_clients/native/include/avatar_ring_layout.h").read_text()
    )
    for old, new, word in (
        ('"seq", type = "u64", offset = 8', '"seq", type = "u64", offset = 4', "align"),
        ('"version", type = "u32", offset = 8', '"version", type = "u32", offset = 4', "overlap"),
        ("bytes = 284", "bytes = 280", "size"),
        ("MOTION_FLOATS = { value = 71", "MOTION_FLOATS = { value = 70", "floats"),
    ):
        assert old in text
        broken = tmp_path / "broken.toml"
        broken.write_text(text.replace(old, new))
        with pytest.raises(ValueError, match=word):
            gen_ring.load(broken)


@pytest.mark.parametrize("arguments", [("lint",), ("format", "--diff", "--exit-code")])
def test_the_protos_keep_bufs_rules(arguments):
    buf = Path(sys.executable).parent / "buf"
    if not buf.exists():
        pytest.skip("no buf in this environment (wheel buf-bin)")
    result = run(buf, *arguments, PROTOS)
    assert result.returncode == 0, result.stdout + result.stderr


def test_service_and_client_packages_live_in_one_process():
    name = avatar_service_pb2.CreateSessionRequest.DESCRIPTOR.full_name
    assert client_pb2.CreateSessionRequest.DESCRIPTOR.full_name == name
    ours = avatar_service_pb2.CreateSessionRequest(avatar_id="a")
    theirs = client_pb2.CreateSessionRequest.FromString(ours.SerializeToString())
    assert theirs.avatar_id == "a"


def test_generated_code_runs_with_the_oldest_runtimes_that_are_promised():
    for path in ROOT.glob("**/gen/avatar/v1/*_pb2.py"):
        if ".venv" not in path.parts:
            assert "Protobuf Python Version: 6.31.1" in path.read_text()


def test_every_reason_stands_in_the_enum_and_the_other_way_round():
    names = {
        name.removeprefix("ERROR_REASON_")
        for name in error_reason_pb2.ErrorReason.keys()  # noqa: SIM118 - a wrapper, not a dict
    }
    assert names == {reason.value for reason in Reason} | {"UNSPECIFIED"}
    assert {reason.value for reason in ANSWERS} | {"UNSPECIFIED"} == names
    assert error_reason_pb2.DESCRIPTOR.package == DOMAIN


def test_the_enum_documents_code_and_retry_as_the_table_has_them():
    text = (PROTOS / "avatar/v1/error_reason.proto").read_text()
    for reason, answer in ANSWERS.items():
        comment = text.split(f"ERROR_REASON_{reason.value} =")[0].rsplit("//", 1)[1]
        assert comment.split(".")[0].strip().split(",")[0] == answer.code, reason
        assert (", retry." in comment) is (answer.retry_secs is not None), reason


def test_the_schema_message_holds_all_channels():
    message = grpc_messages.motion_schema_message()
    assert message.schema_id == "avatar.motion.v1"
    assert message.schema_hash == motion_schema.schema_hash()
    assert [c.name for c in message.channels] == [c.name for c in motion_schema.CHANNELS]
    assert all(c.group and c.unit and c.blob_step > 0 for c in message.channels)
    assert message.camera_distance == 10.0


def test_the_ring_descriptor_needs_no_more_than_the_header_says():
    fields = {field.name for field in endpoint_pb2.RingDescriptor.DESCRIPTOR.fields}
    assert {"path", "layout_id", "ring_id", "file_bytes", "slot_count"} <= fields
