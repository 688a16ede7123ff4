"""Content credentials: a signed C2PA manifest in exported videos, and reading it back.

The manifest says with which tool the video was made, that it is synthetic (IPTC digital source
type), of which portrait (its SHA-256, never its pixels) and under which watermark. Signing and
checking are c2pa-python's, the C2PA's own library (specification 2.x). Nothing is fetched: there is
no time stamp unless an authority is named.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from avatar_service import __version__
from avatar_service.errors import AvatarError, Reason
from avatar_service.provenance.certificates import TEST_NAME, SigningPair

SEALABLE: Final = {".mp4": "video/mp4", ".mov": "video/quicktime", ".m4v": "video/mp4"}
"""Endings of the files that can hold a manifest; Matroska and WebM cannot (c2pa-rs)."""
_READABLE: Final = {
    **SEALABLE,
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".png": "image/png",
    ".webp": "image/webp",
    ".tif": "image/tiff",
    ".tiff": "image/tiff",
    ".avi": "video/avi",
}
_IPTC: Final = "http://cv.iptc.org/newscodes/digitalsourcetype/"
SPOKEN: Final = _IPTC + "compositeWithTrainedAlgorithmicMedia"
"""A real photo moved by motion that a trained network made from speech."""
PERFORMED: Final = _IPTC + "compositeSynthetic"
"""A real photo moved by a captured performance."""
_OWN_ASSERTION: Final = "org.avatar-service.provenance"


@dataclass(frozen=True, slots=True)
class Origin:
    """What a video was made of.

    Attributes:
        photo_sha256: of the portrait's file, hexadecimal.
        source_type: SPOKEN or PERFORMED.
        mark: installation and session of the watermark, "" where another process made the frames.
        has_badge: whether the picture says visibly what it is.
    """

    photo_sha256: str
    source_type: str
    mark: str = ""
    has_badge: bool = False


def seal(path: Path, suffix: str, title: str, origin: Origin, pair: SigningPair) -> None:
    """Put a signed manifest into a finished video, in place.

    Args:
        path: the file, of any name.
        suffix: the ending that tells its format, one of SEALABLE.
        title: name of the video, as the manifest tells it.
        origin: what it was made of.
        pair: who signs.

    Raises:
        AvatarError: INVALID_FILE where the file or the certificate cannot be used.
    """
    import c2pa

    media_type = SEALABLE[suffix.lower()]
    sealed = path.with_name(path.name + ".sealed")
    try:
        info = c2pa.C2paSignerInfo(
            pair.algorithm,
            pair.certificates.encode(),
            pair.private_key.encode(),
            pair.timestamp_url or None,
        )
        with (
            c2pa.Context(_settings()) as context,
            c2pa.Signer.from_info(info) as signer,
            c2pa.Builder(_manifest(title, media_type, origin), context) as builder,
            open(path, "rb") as source,
            open(sealed, "w+b") as target,
        ):
            builder.sign(signer, media_type, source, target)
        sealed.replace(path)
    except (c2pa.C2paError, OSError, ValueError) as error:
        raise AvatarError(
            Reason.INVALID_FILE, f"content credentials of {title} cannot be signed: {_line(error)}"
        ) from error
    finally:
        sealed.unlink(missing_ok=True)


def read_credentials(path: Path) -> dict[str, Any] | None:
    """Read and check a file's manifest.

    Returns:
        None where the file has none or cannot hold one. Else state ("trusted": signed by an
        authority that this machine trusts; "valid": signed by somebody, and unchanged; "invalid"),
        problems (codes of the C2PA specification), signed_by, is_test_certificate, made_with,
        source_type, actions, ingredients, provenance.
    """
    import c2pa

    media_type = _READABLE.get(path.suffix.lower())
    if media_type is None:
        return None
    try:
        with open(path, "rb") as file, c2pa.Reader(media_type, file) as reader:
            store = json.loads(reader.json())
    except c2pa.C2paError as error:
        text = str(error)
        if "ManifestNotFound" in text or "JumbfNotFound" in text or "no JUMBF" in text:
            return None
        return {"state": "invalid", "problems": [_line(error)]}
    except (OSError, ValueError) as error:
        return {"state": "invalid", "problems": [_line(error)]}
    try:
        return _facts(store)
    except (AttributeError, TypeError, KeyError, ValueError):
        return {"state": "invalid", "problems": ["the manifest cannot be understood"]}


def _settings() -> Any:
    import c2pa

    # No picture of anybody goes into the manifest, and nothing is asked of the network.
    return c2pa.Settings.from_dict(
        {"builder": {"thumbnail": {"enabled": False}}, "verify": {"verify_after_sign": True}}
    )


def _manifest(title: str, media_type: str, origin: Origin) -> dict[str, Any]:
    agent = {"name": "avatar-service", "version": __version__}
    made = {"action": "c2pa.created", "digitalSourceType": origin.source_type}
    own: dict[str, Any] = {
        "portrait_sha256": origin.photo_sha256,
        "visible_badge": origin.has_badge,
    }
    if origin.mark:
        own["watermark"] = origin.mark
    return {
        "claim_generator_info": [agent],
        "title": title,
        "format": media_type,
        "ingredients": [
            {
                "title": "portrait photo",
                "relationship": "componentOf",
                "instance_id": f"sha256:{origin.photo_sha256}",
                "description": "not embedded; known by the SHA-256 of its file",
            }
        ],
        "assertions": [
            {
                "label": "c2pa.actions.v2",
                "data": {"actions": [{**made, "softwareAgent": agent}]},
            },
            {"label": _OWN_ASSERTION, "data": own, "kind": "Json"},
        ],
    }


def _facts(store: dict[str, Any]) -> dict[str, Any]:
    active = store.get("manifests", {}).get(store.get("active_manifest", ""), {})
    signature = active.get("signature_info", {})
    assertions = {one.get("label", ""): one.get("data") for one in active.get("assertions", [])}
    actions = [
        action
        for label, data in assertions.items()
        if label.startswith("c2pa.actions") and isinstance(data, dict)
        for action in data.get("actions", [])
    ]
    sources = [a["digitalSourceType"] for a in actions if a.get("digitalSourceType")]
    problems = [
        str(one.get("code", one))
        for one in store.get("validation_status", [])
        if one.get("code") != "signingCredential.untrusted"
    ]
    issuer = str(signature.get("issuer", ""))
    name = str(signature.get("common_name", ""))
    return {
        "state": str(store.get("validation_state", "invalid")).lower(),
        "problems": problems,
        "signed_by": name or issuer,
        "is_test_certificate": TEST_NAME in (issuer, name),
        "made_with": [
            " ".join(str(one[key]) for key in ("name", "version") if key in one)
            for one in active.get("claim_generator_info", [])
        ],
        "source_type": sources[0].removeprefix(_IPTC) if sources else "",
        "actions": [str(action.get("action", "")) for action in actions],
        "ingredients": [
            {"title": one.get("title", ""), "instance_id": one.get("instance_id", "")}
            for one in active.get("ingredients", [])
        ],
        "provenance": assertions.get(_OWN_ASSERTION),
    }


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
