#pragma once

#include "AvatarVoiceBuffer.h"
#include "CoreMinimal.h"
#include "ISubmixBufferListener.h"

class UWorld;

/**
 * Tells how much of a voice has been mixed into the main submix, by the audio renderer's own clock.
 * That is the master clock of speech: it runs with the audio device, pauses with it, and does not
 * see how far ahead the mixer lets the voice generate.
 */
class FAvatarSubmixClock final : public ISubmixBufferListener
{
public:
	/** Null where the world has no audio device. Game thread. */
	static TSharedPtr<FAvatarSubmixClock, ESPMode::ThreadSafe> Register(UWorld* World);
	void Unregister(UWorld* World);

	/** Counts from this voice's first buffer on. Game thread. */
	void Follow(const TSharedPtr<FAvatarVoiceBuffer, ESPMode::ThreadSafe>& Voice, double LeadSecs);

	/** Seconds of the voice that were mixed; negative: its first sample was not. Any thread. */
	double HeardSecs() const;

	// ISubmixBufferListener; audio render thread
	virtual void OnNewSubmixBuffer(const USoundSubmix* OwningSubmix, float* AudioData, int32 NumSamples, int32 NumChannels,
		const int32 SampleRate, double AudioClock) override;

private:
	mutable FCriticalSection Gate;
	TSharedPtr<FAvatarVoiceBuffer, ESPMode::ThreadSafe> Voice;
	double LeadSecs = 0.0;
	double StartClock = -1.0;
	double MixedSecs = 0.0;
};
