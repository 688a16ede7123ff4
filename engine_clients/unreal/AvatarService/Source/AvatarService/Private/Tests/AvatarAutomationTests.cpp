#include "AvatarControlsConversion.h"
#include "AvatarCurves.h"
#include "AvatarPhonesConversion.h"
#include "AvatarRigMapping.h"
#include "AvatarTexture.h"
#include "AvatarVoiceBuffer.h"
#include "Engine/Texture2D.h"
#include "Misc/AutomationTest.h"

#if WITH_DEV_AUTOMATION_TESTS

namespace
{
	constexpr int32 RateHz = 8000;

	/** A pose in which every channel and every sign differs. */
	avatar_motion MakePose()
	{
		avatar_motion Motion = AvatarAbi::Sized<avatar_motion>();
		float* Channel = Motion.expression;
		for (int32 Index = 0; Index < AVATAR_NUM_EXPRESSIONS; ++Index)
		{
			Channel[Index] = 0.01f * static_cast<float>(Index + 1);
		}
		const float Head[] = {0.1f, 0.2f, 0.3f};
		const float Offset[] = {1.0f, 2.0f, 3.0f};
		const float Gaze[] = {0.4f, 0.5f, 0.6f, 0.7f};
		FMemory::Memcpy(Motion.head_rotation, Head, sizeof(Head));
		FMemory::Memcpy(Motion.head_translation, Offset, sizeof(Offset));
		FMemory::Memcpy(Motion.gaze, Gaze, sizeof(Gaze));
		return Motion;
	}

	TArray<int16> Play(FAvatarVoiceBuffer& Buffer, int32 NumFrames)
	{
		TArray<int16> Samples;
		Samples.SetNumZeroed(NumFrames);
		Buffer.Play(Samples.GetData(), NumFrames);
		return Samples;
	}

	void AddOnes(FAvatarVoiceBuffer& Buffer, int32 NumFrames)
	{
		TArray<float> Samples;
		Samples.Init(1.0f, NumFrames);
		Buffer.Add(Samples.GetData(), NumFrames);
	}

	int32 CountSilence(const TArray<int16>& Samples)
	{
		int32 Count = 0;
		for (const int16 Sample : Samples)
		{
			Count += Sample == 0 ? 1 : 0;
		}
		return Count;
	}
}

IMPLEMENT_SIMPLE_AUTOMATION_TEST(FAvatarNamesTest, "AvatarService.Curves.LiveLinkNames",
	EAutomationTestFlags::EditorContext | EAutomationTestFlags::ClientContext | EAutomationTestFlags::EngineFilter)
bool FAvatarNamesTest::RunTest(const FString&)
{
	const TArray<FName>& Names = AvatarCurves::LiveLinkNames();
	TestEqual(TEXT("number of properties"), Names.Num(), 61);
	TestEqual(TEXT("first"), Names[0].ToString(), FString(TEXT("EyeBlinkLeft")));
	TestEqual(TEXT("jaw"), Names[17].ToString(), FString(TEXT("JawOpen")));
	TestEqual(TEXT("last coefficient"), Names[51].ToString(), FString(TEXT("TongueOut")));
	TestEqual(TEXT("first angle"), Names[52].ToString(), FString(TEXT("HeadYaw")));
	TestEqual(TEXT("last angle"), Names[60].ToString(), FString(TEXT("RightEyeRoll")));
	return true;
}

IMPLEMENT_SIMPLE_AUTOMATION_TEST(FAvatarSignsTest, "AvatarService.Curves.Signs",
	EAutomationTestFlags::EditorContext | EAutomationTestFlags::ClientContext | EAutomationTestFlags::EngineFilter)
bool FAvatarSignsTest::RunTest(const FString&)
{
	TArray<float> Values;
	avatar_motion Pose = MakePose();
	Pose.expression[17] = 1.2f;
	AvatarCurves::LiveLinkValues(Pose, Values);
	TestEqual(TEXT("coefficients keep their order"), Values[51], 0.52f);
	TestEqual(TEXT("coefficients end at 1"), Values[17], 1.0f);
	const float Angles[] = {0.1f, -0.2f, 0.3f, -0.4f, 0.5f, 0.0f, -0.6f, 0.7f, 0.0f};
	for (int32 Index = 0; Index < 9; ++Index)
	{
		TestEqual(AvatarCurves::LiveLinkNames()[52 + Index].ToString(), Values[52 + Index], Angles[Index]);
	}
	const FRotator Rotation = AvatarCurves::HeadRotation(Pose);
	TestEqual(TEXT("left is negative yaw"), Rotation.Yaw, FMath::RadiansToDegrees(-0.1), 1e-4);
	TestEqual(TEXT("down is negative pitch"), Rotation.Pitch, FMath::RadiansToDegrees(-0.2), 1e-4);
	TestEqual(TEXT("right is positive roll"), Rotation.Roll, FMath::RadiansToDegrees(0.3), 1e-4);
	const FVector Offset = AvatarCurves::HeadOffset(Pose);
	TestEqual(TEXT("forward"), Offset.X, 27.0, 1e-4);
	TestEqual(TEXT("right"), Offset.Y, -9.0, 1e-4);
	TestEqual(TEXT("up"), Offset.Z, 18.0, 1e-4);
	return true;
}

IMPLEMENT_SIMPLE_AUTOMATION_TEST(FAvatarRigTest, "AvatarService.Rig.Binding",
	EAutomationTestFlags::EditorContext | EAutomationTestFlags::ClientContext | EAutomationTestFlags::EngineFilter)
bool FAvatarRigTest::RunTest(const FString&)
{
	for (const TCHAR* Spelling : {TEXT("jawOpen"), TEXT("JawOpen"), TEXT("jaw_open"), TEXT("Head.jawOpen"), TEXT("face:JAW_OPEN")})
	{
		TestEqual(Spelling, AvatarCurves::FindExpression(Spelling), 17);
	}
	TestEqual(TEXT("eyeBlink_L"), AvatarCurves::FindExpression(TEXT("eyeBlink_L")), 0);
	TestEqual(TEXT("mouthLeft is a direction"), AvatarCurves::FindExpression(TEXT("mouth_L")), static_cast<int32>(INDEX_NONE));
	UAvatarRigMapping* Mapping = NewObject<UAvatarRigMapping>();
	FAvatarCurveTarget Own;
	Own.MorphTarget = TEXT("MyMouth");
	Own.Scale = 0.5f;
	Mapping->Curves.Add(TEXT("jawOpen"), Own);
	Own.MorphTarget = TEXT("Missing");
	Mapping->Curves.Add(TEXT("tongueOut"), Own);
	TArray<FString> Mismatches;
	const FAvatarRigBinding Binding = Mapping->Bind({TEXT("MyMouth"), TEXT("JawOpen"), TEXT("eyeBlink_L"), TEXT("Elbow")}, Mismatches);
	TestEqual(TEXT("bound"), Binding.Entries.Num(), 2);
	TestEqual(TEXT("an entry of its own wins"), Binding.Entries[0].MorphTarget, FName(TEXT("MyMouth")));
	TestEqual(TEXT("scaled"), FAvatarRigBinding::Weight(Binding.Entries[0], 1.2f), 0.5f);
	TestEqual(TEXT("told"), Mismatches.Num(), 1 + AVATAR_NUM_EXPRESSIONS - 3);
	return true;
}

IMPLEMENT_SIMPLE_AUTOMATION_TEST(FAvatarVoiceTest, "AvatarService.Voice.Gaps",
	EAutomationTestFlags::EditorContext | EAutomationTestFlags::ClientContext | EAutomationTestFlags::EngineFilter)
bool FAvatarVoiceTest::RunTest(const FString&)
{
	FAvatarVoiceBuffer Buffer(1, RateHz);
	AddOnes(Buffer, 800);
	Buffer.Start(0, 0.05);
	TestEqual(TEXT("silence before the first sample"), CountSilence(Play(Buffer, 500)), 400);
	TestEqual(TEXT("played"), Buffer.PlayedSecs(), 100.0 / RateHz, 1e-9);
	Buffer.InsertGap(200.0 / RateHz, 0.1);
	const TArray<int16> Gapped = Play(Buffer, 1000);
	TestEqual(TEXT("the gap"), CountSilence(Gapped), 800);
	TestTrue(TEXT("where it belongs"), Gapped[99] != 0 && Gapped[100] == 0 && Gapped[899] == 0 && Gapped[900] != 0);
	TestEqual(TEXT("a gap is time too"), Buffer.PlayedSecs(), 1100.0 / RateHz, 1e-9);
	TestEqual(TEXT("not known"), Buffer.TotalSecs(), -1.0, 1e-9);
	Buffer.Finish();
	TestEqual(TEXT("the rest, then silence"), CountSilence(Play(Buffer, 1000)), 500);
	TestEqual(TEXT("all of it"), Buffer.PlayedSecs(), 0.2, 1e-9);
	TestEqual(TEXT("is over"), Buffer.TotalSecs(), 0.2, 1e-9);
	return true;
}

IMPLEMENT_SIMPLE_AUTOMATION_TEST(FAvatarStarvedTest, "AvatarService.Voice.Starvation",
	EAutomationTestFlags::EditorContext | EAutomationTestFlags::ClientContext | EAutomationTestFlags::EngineFilter)
bool FAvatarStarvedTest::RunTest(const FString&)
{
	FAvatarVoiceBuffer Told(1, RateHz);
	Told.Start(0, 0.0);
	AddOnes(Told, 100);
	Play(Told, 300);
	AddOnes(Told, 4000);
	TestEqual(TEXT("waits for the length of the gap"), CountSilence(Play(Told, 200)), 200);
	Told.InsertGap(100.0 / RateHz, 500.0 / RateHz);
	TestEqual(TEXT("plays what is left of it"), CountSilence(Play(Told, 1000)), 100);
	TestEqual(TEXT("in time with the service"), Told.PlayedSecs(), 1500.0 / RateHz, 1e-9);
	TestEqual(TEXT("not late"), Told.LateSecs(), 0.0, 1e-9);

	FAvatarVoiceBuffer Longer(1, RateHz);
	Longer.Start(0, 0.0);
	AddOnes(Longer, 100);
	Play(Longer, 600);
	AddOnes(Longer, 4000);
	Longer.InsertGap(100.0 / RateHz, 400.0 / RateHz);
	TestEqual(TEXT("a shorter gap ends the wait"), CountSilence(Play(Longer, 1000)), 0);
	TestEqual(TEXT("the rest is delay"), Longer.LateSecs(), 100.0 / RateHz, 1e-9);

	FAvatarVoiceBuffer Alone(1, RateHz);
	Alone.Start(0, 0.0);
	AddOnes(Alone, 100);
	Play(Alone, 300);
	AddOnes(Alone, 4000);
	TestEqual(TEXT("no gap there: it was ours"), CountSilence(Play(Alone, 3000)), 2000);
	TestEqual(TEXT("late by it"), Alone.LateSecs(), 2200.0 / RateHz, 1e-9);
	TestEqual(TEXT("samples alone are time"), Alone.PlayedSecs(), 1100.0 / RateHz, 1e-9);
	return true;
}

IMPLEMENT_SIMPLE_AUTOMATION_TEST(FAvatarResendTest, "AvatarService.Voice.SaidAgain",
	EAutomationTestFlags::EditorContext | EAutomationTestFlags::ClientContext | EAutomationTestFlags::EngineFilter)
bool FAvatarResendTest::RunTest(const FString&)
{
	FAvatarVoiceBuffer Buffer(2, RateHz);
	TArray<float> Ramp;
	for (int32 Index = 0; Index < 2000; ++Index)
	{
		Ramp.Add(static_cast<float>(Index) / 4000.0f);
	}
	Buffer.Add(Ramp.GetData(), 1000);
	Buffer.Start(0, 0.0);
	TArray<int16> Out;
	Out.SetNumZeroed(1200);
	Buffer.Play(Out.GetData(), 600);
	const int64 Rest = Buffer.PositionAt(400.0 / RateHz);
	TestEqual(TEXT("what was heard"), Rest, static_cast<int64>(400));
	Buffer.Start(Rest, 0.0);
	float Peeked[4];
	TestEqual(TEXT("frames"), Buffer.Peek(Rest, Peeked, 2), 2);
	TestEqual(TEXT("left"), Peeked[0], 800.0f / 4000.0f);
	TestEqual(TEXT("right"), Peeked[1], 801.0f / 4000.0f);
	Buffer.Play(Out.GetData(), 600);
	TestEqual(TEXT("goes on from there"), static_cast<int32>(Out[0]), FMath::RoundToInt32(800.0f / 4000.0f * 32767.0f));
	TestEqual(TEXT("to the end"), Buffer.Peek(1000, Peeked, 2), 0);
	return true;
}

IMPLEMENT_SIMPLE_AUTOMATION_TEST(FAvatarControlsTest, "AvatarService.Controls.Units",
	EAutomationTestFlags::EditorContext | EAutomationTestFlags::ClientContext | EAutomationTestFlags::EngineFilter)
bool FAvatarControlsTest::RunTest(const FString&)
{
	FAvatarControls Controls;
	Controls.Gaze = EAvatarGaze::Point;
	Controls.LookAtCentimetres = FVector(90.0, 18.0, 27.0);
	Controls.Emotion.Add(TEXT("Happy"), 0.5f);
	Controls.Background = EAvatarBackground::Color;
	Controls.BackgroundColor = FColor(0x12, 0x34, 0x56, 0xff);
	Controls.bBadge = true;
	Controls.MotionModel = TEXT("rules");
	AvatarAbi::Controls Native;
	TestTrue(TEXT("accepted"), AvatarControls::ToNative(Controls, Native).IsOk());
	TestEqual(TEXT("to the subject's left"), Native.Record.gaze[0], -2.0f);
	TestEqual(TEXT("up"), Native.Record.gaze[1], 3.0f);
	TestEqual(TEXT("to the camera"), Native.Record.gaze[2], 10.0f);
	TestEqual(TEXT("happy"), Native.Record.emotion[1], 0.5f);
	TestEqual(TEXT("colour"), static_cast<int32>(Native.Record.background_rgb), 0x123456);
	TestEqual(TEXT("badge"), static_cast<int32>(Native.Record.badge), 1);
	TestEqual(TEXT("motion model"), static_cast<int32>(Native.Get()->motion_model.size), 5);
	Controls.Emotion.Add(TEXT("hungry"), 0.5f);
	TestFalse(TEXT("refused"), AvatarControls::ToNative(Controls, Native).IsOk());
	return true;
}

IMPLEMENT_SIMPLE_AUTOMATION_TEST(FAvatarPhonesTest, "AvatarService.Speech.Phones",
	EAutomationTestFlags::EditorContext | EAutomationTestFlags::ClientContext | EAutomationTestFlags::EngineFilter)
bool FAvatarPhonesTest::RunTest(const FString&)
{
	FAvatarPhones Phones;
	Phones.Alphabet = EAvatarPhoneAlphabet::Ipa;
	const double Times[] = {0.0, 0.25, 0.5, 0.75};
	for (int32 Index = 0; Index < 3; ++Index)
	{
		FAvatarPhone Phone;
		Phone.Symbol = TEXT("\u0251");
		Phone.StartSecs = Times[Index];
		Phone.EndSecs = Times[Index + 1];
		Phones.Phones.Add(Phone);
	}
	const AvatarAbi::Phones Whole = AvatarPhones::ToNative(Phones, 0.0);
	TestEqual(TEXT("alphabet"), static_cast<int32>(Whole.Alphabet), static_cast<int32>(AVATAR_PHONES_IPA));
	TestEqual(TEXT("all"), static_cast<int32>(Whole.List.size()), 3);
	TestTrue(TEXT("UTF-8"), Whole.List[0].Symbol == "\xC9\x91");
	TestEqual(TEXT("nanoseconds"), static_cast<int64>(Whole.List[2].StartNanos), static_cast<int64>(500000000));
	const AvatarAbi::Phones Rest = AvatarPhones::ToNative(Phones, 0.35);
	TestEqual(TEXT("what was said is left out"), static_cast<int32>(Rest.List.size()), 2);
	TestEqual(TEXT("one half said begins at once"), static_cast<int64>(Rest.List[0].StartNanos), static_cast<int64>(0));
	TestEqual(TEXT("and ends in its time"), static_cast<int64>(Rest.List[0].EndNanos), static_cast<int64>(150000000));
	return true;
}

IMPLEMENT_SIMPLE_AUTOMATION_TEST(FAvatarTextureTest, "AvatarService.Texture.Buffers",
	EAutomationTestFlags::EditorContext | EAutomationTestFlags::ClientContext | EAutomationTestFlags::EngineFilter)
bool FAvatarTextureTest::RunTest(const FString&)
{
	UAvatarTexture* Frames = NewObject<UAvatarTexture>();
	TestTrue(TEXT("a new texture"), Frames->SetSize(FIntPoint(4, 2)));
	TestFalse(TEXT("the same texture"), Frames->SetSize(FIntPoint(4, 2)));
	TestEqual(TEXT("width"), Frames->Texture->GetSizeX(), 4);
	TestTrue(TEXT("a buffer"), Frames->BeginUpdate() != nullptr);
	Frames->EndUpdate(false);
	TestEqual(TEXT("given back"), static_cast<int32>(Frames->NumUpdates), 0);
	TestTrue(TEXT("a buffer again"), Frames->BeginUpdate() != nullptr);
	Frames->EndUpdate(true);
	TestEqual(TEXT("uploaded"), static_cast<int32>(Frames->NumUpdates), 1);
	return true;
}

#endif
