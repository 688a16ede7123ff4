from fractions import Fraction
from pathlib import Path

import pytest

from avatar_service.config import LOOKAHEADS_MS, Config, load_config, parse_fps, parse_listen
from avatar_service.errors import AvatarError, Reason
from avatar_service.motion.articulation_parameters import load_weights
from avatar_service.server.access import read_tokens
from avatar_service.server.main import Service
from avatar_service.server.start_checks import check_exposure

pytestmark = pytest.mark.unit


def refused(call) -> AvatarError:
    with pytest.raises(AvatarError) as fault:
        call()
    assert fault.value.reason is Reason.INVALID_FIELD
    assert "\n" not in fault.value.message
    return fault.value


def test_options_win_over_the_environment_and_that_over_the_file(tmp_path: Path) -> None:
    file = tmp_path / "avatar.toml"
    file.write_text('listen = "127.0.0.1:1"\ndevice = "cpu"\n[limits]\nmax_sessions = 3\n')
    config = load_config(
        {"listen": "127.0.0.1:3", "device": None},
        environ={"AVATAR_LISTEN": "127.0.0.1:2", "AVATAR_LIMITS_MAX_SESSIONS": "5"},
        toml_file=file,
    )
    assert config.listen == "127.0.0.1:3"
    assert config.limits.max_sessions == 5
    assert config.device == "cpu"


@pytest.mark.parametrize("device", ["gpu", "cuda", "cuda:x", "auto", ""])
def test_networks_run_on_the_cpu_or_a_numbered_gpu(device: str) -> None:
    assert "motion_device" in refused(lambda: Config(motion_device=device)).message
    assert Config(motion_device="cuda:1").motion_device == "cuda:1"


def test_a_service_whose_networks_lack_their_gpu_does_not_start(tmp_path: Path) -> None:
    config = Config(motion_device="cuda:63", home=tmp_path)
    with pytest.raises(AvatarError, match="motion_device cuda:63: torch sees") as fault:
        Service(config)
    assert fault.value.reason is Reason.DEVICE_NOT_AVAILABLE
    assert not list(tmp_path.iterdir())


def test_home_is_where_avatar_home_says() -> None:
    config = load_config(environ={"AVATAR_HOME": "/somewhere"})
    assert (config.home, config.cache) == (Path("/somewhere"), Path("/somewhere/cache"))


def test_defaults_are_safe() -> None:
    config = Config()
    assert config.listen == "127.0.0.1:50551"
    assert not config.tls.is_enabled
    assert config.zmq.tcp_host is None


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("listen", "nonsense"),
        ("listen", "127.0.0.1:70000"),
        ("pacing.fps", "200"),
        ("pacing.fps", "1/0"),
        ("pacing.lookahead_ms", "60"),
        ("limits.max_sessions", "0"),
        ("limits.max_sessions", "many"),
        ("limits.audio_ahead_secs", "nan"),
        ("shm.enabled", "maybe"),
        ("log_level", "loud"),
        ("tls.certificate", "only.pem"),
        ("tls.client_ca", "only.pem"),
        ("zmq.endpoint", "udp://x"),
        ("a2f.listen", "52000"),
        ("a2f.max_streams", "0"),
        ("live.allowed_destinations", "192.168.7.0/99"),
        ("no.such.option", "1"),
    ],
)
def test_wrong_values_name_their_option(path: str, value: str) -> None:
    error = refused(lambda: load_config({path: value}, environ={}))
    assert error.field is not None
    assert error.field.split(".")[0] == path.split(".")[0]


def test_each_look_ahead_that_is_allowed_has_its_lips() -> None:
    assert [step * 20 for step in load_weights().config.look_ahead_steps] == [*LOOKAHEADS_MS]


def test_misspelt_names_are_not_ignored(tmp_path: Path) -> None:
    file = tmp_path / "avatar.toml"
    file.write_text("[limits]\nmax_session = 3\n")
    refused(lambda: load_config(environ={}, toml_file=file))
    refused(lambda: load_config(environ={"AVATAR_LIMITS_MAX_SESSION": "3"}))
    load_config(environ={"AVATAR_CONSENT": "belongs to a command"})


def test_lists_are_text_with_commas_or_toml_arrays(tmp_path: Path) -> None:
    file = tmp_path / "avatar.toml"
    file.write_text('[live]\nallowed_destinations = ["10.0.0.0/8", "studio.example"]\n')
    config = load_config(environ={}, toml_file=file)
    assert config.live.allowed_destinations == ("10.0.0.0/8", "studio.example")
    config = load_config(environ={"AVATAR_LIVE_ALLOWED_DESTINATIONS": "10.0.0.7, ::1/128,"})
    assert config.live.allowed_destinations == ("10.0.0.7", "::1/128")
    assert Config().live.allowed_destinations == ()


@pytest.mark.parametrize("content", [b"listen = ", b"\xff\xfe"])
def test_files_that_are_no_toml_are_refused(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "avatar.toml"
    file.write_bytes(content)
    refused(lambda: load_config(environ={}, toml_file=file))
    refused(lambda: load_config(environ={}, toml_file=tmp_path / "absent.toml"))


def test_rates_and_addresses_are_parsed() -> None:
    assert parse_fps("30000/1001") == Fraction(30000, 1001)
    assert parse_listen("[::1]:0") == ("::1", 0)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_loopback_needs_neither_tls_nor_token(host: str) -> None:
    check_exposure(host, has_tls=False, has_token=False)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "example.org"])
@pytest.mark.parametrize(("tls", "token"), [(False, False), (True, False), (False, True)])
def test_other_machines_are_let_in_only_with_tls_and_token(host: str, tls: bool, token: bool):
    refused(lambda: check_exposure(host, has_tls=tls, has_token=token))
    check_exposure(host, has_tls=True, has_token=True)


@pytest.mark.parametrize("token", ["", "short", "ümläute" * 4, "sixteen chars\x00\x01\x02\x03"])
def test_weak_tokens_are_refused(tmp_path: Path, token: str) -> None:
    (tmp_path / "token").write_text(token)
    refused(lambda: read_tokens(tmp_path / "token"))
    refused(lambda: read_tokens(tmp_path / "absent"))
