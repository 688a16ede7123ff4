#include "AvatarCurves.h"

namespace
{
	const TCHAR* const RotationNames[] = {
		TEXT("HeadYaw"), TEXT("HeadPitch"), TEXT("HeadRoll"),
		TEXT("LeftEyeYaw"), TEXT("LeftEyePitch"), TEXT("LeftEyeRoll"),
		TEXT("RightEyeYaw"), TEXT("RightEyePitch"), TEXT("RightEyeRoll")};

	FString ChannelName(int32 Index)
	{
		return FString(UTF8_TO_TCHAR(avatar_channel_name(static_cast<uint32>(Index))));
	}

	/** Drops case, separators, and what modelling tools put before the last dot or colon. */
	FString Fold(const FString& Name)
	{
		FString Result;
		for (const TCHAR Character : Name)
		{
			if (Character == TEXT('.') || Character == TEXT(':'))
			{
				Result.Reset();
			}
			else if (FChar::IsAlnum(Character))
			{
				Result.AppendChar(FChar::ToLower(Character));
			}
		}
		return Result;
	}

	/** These four end in a direction of movement, not in a side of the face. */
	bool IsDirection(const FString& Name)
	{
		return Name == TEXT("jawLeft") || Name == TEXT("jawRight") || Name == TEXT("mouthLeft") || Name == TEXT("mouthRight");
	}

	TMap<FString, int32> MakeSpellings()
	{
		TMap<FString, int32> Spellings;
		for (int32 Index = 0; Index < AVATAR_NUM_EXPRESSIONS; ++Index)
		{
			const FString Name = ChannelName(Index);
			Spellings.Add(Fold(Name), Index);
			for (const TCHAR* Side : {TEXT("Left"), TEXT("Right")})
			{
				if (Name.EndsWith(Side) && !IsDirection(Name))
				{
					const FString Stem = Name.LeftChop(FString(Side).Len());
					Spellings.Add(Fold(Stem + FString(Side).Left(1)), Index);
					Spellings.Add(Fold(FString(Side) + Stem), Index);
				}
			}
		}
		return Spellings;
	}
}

FName AvatarCurves::ArkitName(int32 Index)
{
	return FName(*ChannelName(Index));
}

int32 AvatarCurves::FindExpression(const FString& Name)
{
	static const TMap<FString, int32> Spellings = MakeSpellings();
	const int32* Index = Spellings.Find(Fold(Name));
	return Index != nullptr ? *Index : INDEX_NONE;
}

const TArray<FName>& AvatarCurves::LiveLinkNames()
{
	static const TArray<FName> Names = []
	{
		TArray<FName> Result;
		Result.Reserve(NumLiveLinkProperties);
		for (int32 Index = 0; Index < AVATAR_NUM_EXPRESSIONS; ++Index)
		{
			const FString Name = ChannelName(Index);
			Result.Add(FName(*(Name.Left(1).ToUpper() + Name.RightChop(1))));
		}
		for (const TCHAR* Name : RotationNames)
		{
			Result.Add(FName(Name));
		}
		return Result;
	}();
	return Names;
}

void AvatarCurves::LiveLinkValues(const avatar_motion& Motion, TArray<float>& OutValues)
{
	OutValues.SetNumUninitialized(NumLiveLinkProperties);
	for (int32 Index = 0; Index < AVATAR_NUM_EXPRESSIONS; ++Index)
	{
		OutValues[Index] = FMath::Clamp(Motion.expression[Index], 0.0f, 1.0f);
	}
	// The signs of avatar_service/export/conventions.py: the head's + is left, up and crown to the
	// right, as MetaHuman's animation blueprint takes it; the eyes' is right and down, as recorded.
	float* Angles = OutValues.GetData() + AVATAR_NUM_EXPRESSIONS;
	Angles[0] = Motion.head_rotation[0];
	Angles[1] = -Motion.head_rotation[1];
	Angles[2] = Motion.head_rotation[2];
	for (int32 Eye = 0; Eye < 2; ++Eye)
	{
		Angles[3 + 3 * Eye] = -Motion.gaze[2 * Eye];
		Angles[4 + 3 * Eye] = Motion.gaze[2 * Eye + 1];
		Angles[5 + 3 * Eye] = 0.0f;
	}
}

FRotator AvatarCurves::HeadRotation(const avatar_motion& Motion)
{
	const double Yaw = FMath::RadiansToDegrees(static_cast<double>(Motion.head_rotation[0]));
	const double Pitch = FMath::RadiansToDegrees(static_cast<double>(Motion.head_rotation[1]));
	const double Roll = FMath::RadiansToDegrees(static_cast<double>(Motion.head_rotation[2]));
	// FRotator: +pitch looks up, +yaw turns to the right, +roll tips to the right, in that order too.
	return FRotator(-Pitch, -Yaw, Roll);
}

FVector AvatarCurves::HeadOffset(const avatar_motion& Motion)
{
	const float* Offset = Motion.head_translation;
	return FVector(Offset[2], -Offset[0], Offset[1]) * CentimetresPerUnit;
}
