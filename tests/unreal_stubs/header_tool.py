"""Stands in for the engine's header tool and for its include folders.

    python header_tool.py MODULE_FOLDER OUT_FOLDER

Writes NAME.generated.h for every header with reflection macros, a forwarding header for every
engine include that the plugin may use, and refuses what the real tool refuses (or what the
project's own rules forbid) with one line each.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Final

ENGINE_HEADERS: Final = {
    "stub_core.h": ("CoreMinimal.h",),
    "stub_threads.h": (
        "Containers/Queue.h", "HAL/CriticalSection.h", "HAL/Event.h", "HAL/PlatformProcess.h",
        "HAL/PlatformTime.h", "HAL/Runnable.h", "HAL/RunnableThread.h", "Misc/FileHelper.h",
        "Misc/Paths.h", "Misc/ScopeLock.h",
    ),
    "stub_object.h": ("UObject/Object.h",),
    "stub_module.h": (
        "Features/IModularFeatures.h", "Interfaces/IPluginManager.h", "Misc/AutomationTest.h",
        "Modules/ModuleManager.h",
    ),
    "stub_engine.h": (
        "Animation/MorphTarget.h", "AudioDevice.h", "Components/ActorComponent.h",
        "Components/AudioComponent.h", "Components/SkeletalMeshComponent.h", "Engine/DataAsset.h",
        "Engine/SkeletalMesh.h", "Engine/Texture2D.h", "Engine/World.h", "GameFramework/Actor.h",
        "ISubmixBufferListener.h", "RHITypes.h", "Sound/SoundWave.h",
        "Sound/SoundWaveProcedural.h", "Sound/SoundWaveProxyReader.h",
    ),
    "stub_livelink.h": (
        "ILiveLinkClient.h", "ILiveLinkSource.h", "LiveLinkSourceFactory.h", "LiveLinkTypes.h",
        "Roles/LiveLinkBasicRole.h",
    ),
}  # fmt: skip
"""Where the API reference says that each header lies, and the stand-in behind it."""

MACRO: Final = re.compile(r"^\t*(UCLASS|USTRUCT|UENUM|UPROPERTY|UFUNCTION)\((.*)\)\s*$")
TYPE: Final = re.compile(
    r"^(class|struct|enum class) (?:\w+_API )?(\w+)(?: final)?(?: : (?:public )?(\w+))?"
)
REFLECTED: Final = re.compile(
    r"^(?:const )?(?:bool|uint8|int32|int64|float|double|FString|FName|FText|FVector|FRotator"
    r"|FColor|(?:TObjectPtr|TArray|TSubclassOf)<.+>|TMap<.+, .+>|[EF]Avatar\w+|U\w+\*|void)&?$"
)


def fail(path: Path, line: int, what: str) -> None:
    """End with one line that names the place."""
    sys.exit(f"{path.name}:{line + 1}: {what}")


def check_comment(path: Path, lines: list[str], at: int, what: str) -> None:
    """Tooltips are made of the comment above the macro."""
    if not lines[at - 1].strip().endswith("*/"):
        fail(path, at, f"{what} has no tooltip")


def check_type(path: Path, at: int, type_name: str) -> None:
    """Reflection knows these types only."""
    if not REFLECTED.match(type_name.replace("TWeakObjectPtr", "TObjectPtr").strip()):
        fail(path, at, f"{type_name.strip()} is not a reflected type")


def check_property(path: Path, lines: list[str], at: int, specifiers: str) -> None:
    check_comment(path, lines, at, "the property")
    declaration = re.match(r"\t+(.+?) (\w+)(?: = .+)?;$", lines[at + 1])
    if declaration is None:
        fail(path, at + 1, "not a property")
        return
    type_name, name = declaration.groups()
    check_type(path, at + 1, type_name)
    if type_name.endswith("*"):
        fail(path, at + 1, "object properties are TObjectPtr")
    if (type_name == "bool") != bool(re.match(r"b[A-Z]", name)):
        fail(path, at + 1, "bool properties, and no others, begin with b")
    if ("Edit" in specifiers or "Blueprint" in specifiers) and "Category" not in specifiers:
        fail(path, at, "no Category")
    if "BlueprintAssignable" in specifiers and not type_name.endswith("Signature"):
        fail(path, at, "only multicast delegates are assignable")


def check_function(path: Path, lines: list[str], at: int, specifiers: str) -> None:
    check_comment(path, lines, at, "the function")
    form = r"\t+(?:virtual )?(\S+) \w+\((.*)\)(?: const)?(?:;| \{.*\})$"
    declaration = re.match(form, lines[at + 1])
    if declaration is None:
        fail(path, at + 1, "not a function")
        return
    check_type(path, at + 1, declaration[1])
    for parameter in filter(None, declaration[2].split(", ")):
        words = parameter.split(" = ")[0].rsplit(" ", 1)[0].removeprefix("const ")
        check_type(path, at + 1, words)
    if "Category" not in specifiers:
        fail(path, at, "no Category")


def generate(path: Path) -> str:
    """Check a header and return its generated one."""
    lines = path.read_text().split("\n")
    includes = [line for line in lines if line.startswith("#include")]
    if includes[-1] != f'#include "{path.stem}.generated.h"':
        fail(path, 0, "the generated header is not the last include")
    identity = path.stem
    out = ["#pragma once", '#include "stub_object.h"', "#undef STUB_FILE_ID"]
    out.append(f"#define STUB_FILE_ID {identity}")
    current: tuple[str, str, str | None] | None = None
    for at, line in enumerate(lines):
        if macro := MACRO.match(line):
            kind, specifiers = macro.groups()
            if kind == "UPROPERTY":
                check_property(path, lines, at, specifiers)
            elif kind == "UFUNCTION":
                check_function(path, lines, at, specifiers)
            else:
                check_comment(path, lines, at, "the type")
                found = TYPE.match(lines[at + 1])
                expected = {"UCLASS": "class", "USTRUCT": "struct", "UENUM": "enum class"}[kind]
                if found is None or found[1] != expected:
                    fail(path, at + 1, f"{kind} is not followed by a {expected}")
                    return ""
                if kind == "UENUM" and found[3] != "uint8":
                    fail(path, at + 1, "enums for Blueprint are enum class : uint8")
                current = (kind, found[2], found[3])
        elif "GENERATED_BODY()" in line:
            if current is None:
                fail(path, at, "GENERATED_BODY outside a reflected type")
                return ""
            out.append(f"#define STUB_BODY_{identity}_{at + 1} {body(*current)}")
            current = None
    if current is not None and current[0] != "UENUM":
        fail(path, 0, f"{current[1]} has no GENERATED_BODY")
    return "\n".join(out) + "\n"


def body(kind: str, name: str, base: str | None) -> str:
    """What GENERATED_BODY stands for; the access that follows it is private in classes."""
    once = f'static {{0}} it{{{{"{name[1:]}"}}}}; return &it;'
    if kind == "USTRUCT":
        return f"static UScriptStruct* StaticStruct() {{ {once.format('UScriptStruct')} }}"
    return (
        f"public: using Super = {base}; using ThisClass = {name}; "
        f"static UClass* StaticClass() {{ {once.format('UClass')} }} private:"
    )


def main() -> None:
    module, out = Path(sys.argv[1]), Path(sys.argv[2])
    for stub, paths in ENGINE_HEADERS.items():
        for path in paths:
            target = out / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(f'#pragma once\n#include "{stub}"\n')
    for header in sorted(module.rglob("*.h")):
        if ".generated.h" in header.read_text():
            (out / f"{header.stem}.generated.h").write_text(generate(header))
            # UHT's own translation unit: the header alone must compile.
            (out / f"{header.stem}.gen.cpp").write_text(f'#include "{header.name}"\n')


if __name__ == "__main__":
    main()
