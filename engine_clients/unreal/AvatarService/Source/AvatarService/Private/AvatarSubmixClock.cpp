#include "AvatarSubmixClock.h"

#include "AudioDevice.h"
#include "Engine/World.h"
#include "Misc/ScopeLock.h"

TSharedPtr<FAvatarSubmixClock, ESPMode::ThreadSafe> FAvatarSubmixClock::Register(UWorld* World)
{
	FAudioDeviceHandle Device = World->GetAudioDevice();
	if (!Device.IsValid())
	{
		return nullptr;
	}
	const TSharedRef<FAvatarSubmixClock, ESPMode::ThreadSafe> Clock = MakeShared<FAvatarSubmixClock, ESPMode::ThreadSafe>();
	Device->RegisterSubmixBufferListener(Clock, Device->GetMainSubmixObject());
	return Clock;
}

void FAvatarSubmixClock::Unregister(UWorld* World)
{
	FAudioDeviceHandle Device = World->GetAudioDevice();
	if (Device.IsValid())
	{
		Device->UnregisterSubmixBufferListener(AsShared(), Device->GetMainSubmixObject());
	}
}

void FAvatarSubmixClock::Follow(const TSharedPtr<FAvatarVoiceBuffer, ESPMode::ThreadSafe>& InVoice, double InLeadSecs)
{
	FScopeLock Lock(&Gate);
	Voice = InVoice;
	LeadSecs = InLeadSecs;
	StartClock = -1.0;
	MixedSecs = 0.0;
}

double FAvatarSubmixClock::HeardSecs() const
{
	FScopeLock Lock(&Gate);
	if (!Voice.IsValid() || StartClock < 0.0)
	{
		return -1.0;
	}
	const double Secs = MixedSecs - LeadSecs - Voice->LateSecs();
	// The mixer cannot have played what it was not given.
	return FMath::Min(Secs, Voice->PlayedSecs());
}

void FAvatarSubmixClock::OnNewSubmixBuffer(
	const USoundSubmix*, float*, int32 NumSamples, int32 NumChannels, const int32 SampleRate, double AudioClock)
{
	FScopeLock Lock(&Gate);
	if (!Voice.IsValid() || NumChannels <= 0 || SampleRate <= 0)
	{
		return;
	}
	if (StartClock < 0.0 && Voice->HasBegun())
	{
		StartClock = AudioClock;
	}
	if (StartClock >= 0.0)
	{
		MixedSecs = AudioClock - StartClock + static_cast<double>(NumSamples) / NumChannels / SampleRate;
	}
}
