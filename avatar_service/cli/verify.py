"""`avatar verify`: what a picture or a video tells of its making."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from avatar_service.errors import AvatarError, Reason

if TYPE_CHECKING:
    from avatar_service.provenance.consent_book import ConsentBook
    from avatar_service.provenance.inspect import FoundMark
    from avatar_service.provenance.mark_reader import MarkReading

EXIT_NOTHING_FOUND: Final = 1
EXIT_INVALID: Final = 3
_PICTURES: Final = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff")
_VIDEOS: Final = (".mp4", ".mov", ".mkv", ".webm", ".m4v", ".avi", ".ts")


def verify(
    target: Annotated[Path, typer.Argument(help="A picture, a video, or a folder of them.")],
    every: Annotated[
        bool, typer.Option("--all", help="Read every second of a video, not only some.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Read the watermark and the content credentials of a file, or of all in a folder.

    Exit code 0: every file bears a watermark or valid credentials. 1: at least one bears nothing
    that can be read. 2: a file cannot be read. 3: credentials do not fit the file (it was changed)
    or their signature is wrong.
    """
    from avatar_service.cli.console import out, progress

    paths = _files(target)
    book = _own_book()
    reports = []
    with progress() as bar:
        task = bar.add_task("reading", total=len(paths))
        for path in paths:
            bar.update(task, description=f"reading {path.name}")
            reports.append(_report(path, book, every=every))
            bar.advance(task)
    if json:
        out.print_json(data=reports[0] if target.is_file() else reports)
    else:
        for report in reports:
            _print(report)
    raise typer.Exit(_exit_code(reports))


def _files(target: Path) -> list[Path]:
    if not target.exists():
        raise AvatarError(Reason.INVALID_FILE, f"{target}: there is no such file or folder")
    if not target.is_dir():
        return [target]
    found = sorted(p for p in target.rglob("*") if p.suffix.lower() in (*_PICTURES, *_VIDEOS))
    if not found:
        raise AvatarError(Reason.INVALID_FILE, f"{target} holds no picture and no video")
    return found


def _own_book() -> ConsentBook | None:
    """Return this installation's consents, where it has any: looking makes no key."""
    from avatar_service.config import load_config
    from avatar_service.provenance.consent_book import ConsentBook
    from avatar_service.provenance.installation import KEY_NAME

    folder = load_config().provenance_dir
    return ConsentBook(folder) if (folder / KEY_NAME).is_file() else None


def _report(path: Path, book: ConsentBook | None, *, every: bool) -> dict[str, Any]:
    from avatar_service.cli.decoding import once
    from avatar_service.provenance.credentials import read_credentials
    from avatar_service.provenance.inspect import mark_facts

    report: dict[str, Any] = {"file": str(path), "watermarks": [], "credentials": None}
    try:
        report["credentials"] = once(Reason.INVALID_FILE, path.name, read_credentials, path)
        report["watermarks"] = [mark_facts(mark, book) for mark in _marks(path, every=every)]
    except AvatarError as error:
        report["error"] = error.message
    return report


def _marks(path: Path, *, every: bool) -> list[FoundMark]:
    from avatar_service.cli.decoding import decode_photo, items
    from avatar_service.portrait.image_file import read_photo
    from avatar_service.provenance.inspect import gather
    from avatar_service.provenance.mark_reader import ClipMean

    if path.suffix.lower() not in _PICTURES:
        return gather(items(path, _clip_readings, path, every))
    mean = ClipMean()
    mean.add(decode_photo(read_photo(path)).pixels)
    return gather([(0.0, mean.read())])


def _clip_readings(path: Path, every: bool) -> Iterator[tuple[float, MarkReading | None]]:
    """Read a video over there, in the bounded process that decodes it."""
    from avatar_service.provenance.inspect import read_clips
    from avatar_service.tracking.video import VideoClip

    pictures = VideoClip(path).pictures()
    frames = ((picture.pts_nanos / 1e9, picture.pixels) for picture in pictures)
    yield from read_clips(frames, look_at_all=every)


def _exit_code(reports: list[dict[str, Any]]) -> int:
    if any("error" in report for report in reports):
        return 2
    if any((report["credentials"] or {}).get("state") == "invalid" for report in reports):
        return EXIT_INVALID
    is_told = all(report["watermarks"] or report["credentials"] for report in reports)
    return 0 if is_told else EXIT_NOTHING_FOUND


def _print(report: dict[str, Any]) -> None:
    from avatar_service.cli.console import out

    def line(text: str) -> None:
        # A hostile file may name its signer by escape sequences.
        shown = "".join(c if c.isprintable() else " " for c in text)
        out.print(shown, markup=False, highlight=False)

    line(report["file"])
    if "error" in report:
        line(f"  cannot be read: {report['error']}")
        return
    for mark in report["watermarks"]:
        line(f"  watermark: installation {mark['installation']}, session {mark['session']}")
        line(f"    made in the hour from {mark['hour'][:16]} UTC")
        line(f"    {mark['agreement']:.0%} of the code bits agree; {_seen_as(mark)}")
        for shown in mark["shown"]:
            what = f"{shown['purpose']} of photo {shown['photo_sha256'][:12]}"
            line(f"    this installation's: {what}, opened {shown['since'][:16]} UTC")
        if mark["is_own"] and not mark["shown"]:
            line("    this installation's number, but its ledger knows no such session")
    if not report["watermarks"]:
        line("  watermark: none that can be read")
    for text in _credential_lines(report["credentials"]):
        line(text)


def _credential_lines(found: dict[str, Any] | None) -> Iterator[str]:
    if found is None:
        yield "  content credentials: none"
        return
    meaning = {
        "trusted": "valid, signed by an authority that is trusted here",
        "valid": "valid: unchanged since signed, by a signer that is not known here",
        "invalid": "INVALID: the file was changed, or the signature is wrong",
    }
    yield f"  content credentials: {meaning.get(found['state'], found['state'])}"
    for problem in found["problems"]:
        yield f"    {problem}"
    if "signed_by" not in found:
        return
    test = (
        " (a self-signed TEST certificate: proves nothing)" if found["is_test_certificate"] else ""
    )
    yield f"    signed by {found['signed_by'] or 'nobody'}{test}"
    yield f"    made with {', '.join(found['made_with'])}; {found['source_type']}"
    for ingredient in found["ingredients"]:
        yield f"    of: {ingredient['title']}, {ingredient['instance_id']}"


def _seen_as(mark: dict[str, Any]) -> str:
    changes = [f"scale {mark['scale']:.2f}"]
    if abs(mark["turn_degrees"]) > 0.2:
        changes.append(f"turned by {mark['turn_degrees']:.1f} degrees")
    if mark["is_mirrored"]:
        changes.append("mirrored")
    return ", ".join(changes)
