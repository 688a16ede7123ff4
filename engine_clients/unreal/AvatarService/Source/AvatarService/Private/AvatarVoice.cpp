#include "AvatarVoice.h"

#include "AvatarVoiceBuffer.h"

void UAvatarVoice::SetSource(const TSharedRef<FAvatarVoiceBuffer, ESPMode::ThreadSafe>& InBuffer)
{
	Buffer = InBuffer;
	NumChannels = InBuffer->NumChannels;
	SetSampleRate(static_cast<uint32>(InBuffer->RateHz));
	Duration = INDEFINITELY_LOOPING_DURATION;
	SoundGroup = SOUNDGROUP_Voice;
	bLooping = false;
}

int32 UAvatarVoice::OnGeneratePCMAudio(TArray<uint8>& OutAudio, int32 NumSamples)
{
	const int32 NumFrames = NumSamples / NumChannels;
	OutAudio.SetNumUninitialized(NumFrames * NumChannels * static_cast<int32>(sizeof(int16)));
	Buffer->Play(reinterpret_cast<int16*>(OutAudio.GetData()), NumFrames);
	return NumFrames * NumChannels;
}
