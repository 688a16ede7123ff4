#include "AvatarControlsConversion.h"

#include "AvatarCurves.h"

namespace
{
	/** Channels behind the expressions: head 3 + 3, gaze 4. */
	constexpr int32 FirstEmotion = AVATAR_NUM_EXPRESSIONS + 10;

	/** Channels are called "emotionHappy"; names compare without case, as FNames do. */
	FName EmotionName(int32 Index)
	{
		const FString Channel(UTF8_TO_TCHAR(avatar_channel_name(static_cast<uint32>(FirstEmotion + Index))));
		return FName(*Channel.RightChop(FString(TEXT("emotion")).Len()));
	}

	int32 FindEmotion(FName Name)
	{
		for (int32 Index = 0; Index < AVATAR_NUM_EMOTIONS; ++Index)
		{
			if (EmotionName(Index) == Name)
			{
				return Index;
			}
		}
		return INDEX_NONE;
	}

	void SetGaze(const FAvatarControls& Controls, avatar_controls& Record)
	{
		switch (Controls.Gaze)
		{
		case EAvatarGaze::Free:
			Record.mask |= AVATAR_CONTROL_GAZE_FREE;
			break;
		case EAvatarGaze::Direction:
			Record.mask |= AVATAR_CONTROL_GAZE_DIRECTION;
			Record.gaze[0] = FMath::DegreesToRadians(Controls.GazeYawDegrees);
			Record.gaze[1] = FMath::DegreesToRadians(Controls.GazePitchDegrees);
			break;
		case EAvatarGaze::Point:
		{
			const FVector Point = Controls.LookAtCentimetres / AvatarCurves::CentimetresPerUnit;
			Record.mask |= AVATAR_CONTROL_LOOK_AT;
			Record.gaze[0] = static_cast<float>(-Point.Y);
			Record.gaze[1] = static_cast<float>(Point.Z);
			Record.gaze[2] = static_cast<float>(Point.X);
			break;
		}
		}
	}

	void SetBackground(const FAvatarControls& Controls, avatar_controls& Record)
	{
		const FColor Color = Controls.BackgroundColor;
		Record.background_rgb = (uint32(Color.R) << 16) | (uint32(Color.G) << 8) | Color.B;
		switch (Controls.Background)
		{
		case EAvatarBackground::Keep: Record.background = AVATAR_BACKGROUND_KEEP; break;
		case EAvatarBackground::Transparent: Record.background = AVATAR_BACKGROUND_TRANSPARENT; break;
		case EAvatarBackground::Color: Record.background = AVATAR_BACKGROUND_COLOR; break;
		}
	}
}

AvatarAbi::Fault AvatarControls::ToNative(const FAvatarControls& Controls, AvatarAbi::Controls& OutNative)
{
	AvatarAbi::Fault Fault;
	avatar_controls& Record = OutNative.Record;
	avatar_controls_init(&Record, sizeof(Record));
	Record.mask = AVATAR_CONTROL_DISTANCE | AVATAR_CONTROL_EMOTION | AVATAR_CONTROL_HEAD_MOTION | AVATAR_CONTROL_EXPRESSION |
		AVATAR_CONTROL_BLINK_RATE | AVATAR_CONTROL_IDLE | AVATAR_CONTROL_BACKGROUND | AVATAR_CONTROL_SEED | AVATAR_CONTROL_BADGE;
	SetGaze(Controls, Record);
	SetBackground(Controls, Record);
	Record.distance = Controls.Distance;
	Record.head_motion = Controls.HeadMotion;
	Record.expression = Controls.Expression;
	Record.blink_rate = Controls.BlinkRate;
	Record.idle = Controls.Idle;
	Record.seed = static_cast<uint32>(Controls.Seed);
	Record.badge = Controls.bBadge ? 1 : 0;
	if (!Controls.SpeakingStyle.IsEmpty())
	{
		Record.mask |= AVATAR_CONTROL_SPEAKING_STYLE;
		OutNative.SpeakingStyle = TCHAR_TO_UTF8(*Controls.SpeakingStyle);
	}
	if (!Controls.MotionModel.IsEmpty())
	{
		Record.mask |= AVATAR_CONTROL_MOTION_MODEL;
		OutNative.MotionModel = TCHAR_TO_UTF8(*Controls.MotionModel);
	}
	for (const TPair<FName, float>& Weight : Controls.Emotion)
	{
		const int32 Index = FindEmotion(Weight.Key);
		if (Index == INDEX_NONE)
		{
			Fault.Code = AVATAR_INVALID_ARGUMENT;
			Fault.Reason = "INVALID_FIELD";
			Fault.Message = std::string("there is no emotion ") + TCHAR_TO_UTF8(*Weight.Key.ToString());
			return Fault;
		}
		Record.emotion[Index] = Weight.Value;
	}
	return Fault;
}
