#pragma once

#include "CoreMinimal.h"
#include "Native/AvatarAbi.h"

/**
 * Names, signs and axes of the motion on the engine's side.
 *
 * The service's axes: +X the subject's left, +Y up, +Z out of the face; +yaw to the subject's left,
 * +pitch down, +roll tips the crown to the subject's right; radians; one length is 9 cm.
 */
namespace AvatarCurves
{
	/** 52 coefficients, then HeadYaw ... RightEyeRoll. */
	inline constexpr int32 NumLiveLinkProperties = AVATAR_NUM_EXPRESSIONS + 9;

	/** Distance of the outer eye corners, the motion's unit of length. */
	inline constexpr double CentimetresPerUnit = 9.0;

	/** ARKit's spelling: "jawOpen". */
	FName ArkitName(int32 Index);

	/** INDEX_NONE: no coefficient. Accepts "jawOpen", "JawOpen", "jaw_open", "eyeBlink_L", "Mesh.eyeBlinkLeft". */
	int32 FindExpression(const FString& Name);

	/** Names as Unreal's own ARKit source publishes them: PascalCase, then head and eyes. */
	const TArray<FName>& LiveLinkNames();

	/** Values in the order of LiveLinkNames: 0 to 1, angles in radians with Live Link's signs. */
	void LiveLinkValues(const avatar_motion& Motion, TArray<float>& OutValues);

	/** The head in a component whose X leaves the face, Y points to the subject's right, Z up. */
	FRotator HeadRotation(const avatar_motion& Motion);

	/** Offset of the head from rest, centimetres, same axes. */
	FVector HeadOffset(const avatar_motion& Motion);
}
