#pragma once

#include "AvatarSubmixClock.h"
#include "AvatarTypes.h"
#include "AvatarVoiceBuffer.h"
#include "AvatarWaveReader.h"
#include "CoreMinimal.h"

class UAvatarComponent;
class USoundWave;

/**
 * What an Avatar component says: sends the samples, plays them when the service's time reaches
 * them, and makes what is heard the session's clock. Game thread.
 */
class FAvatarSpeech
{
public:
	explicit FAvatarSpeech(UAvatarComponent& InOwner)
		: Owner(InOwner)
	{
	}

	void Say(USoundWave* Wave, const FAvatarPhones& InPhones);
	void Stream(const TArray<float>& Samples, int32 RateHz, int32 NumChannels);
	/** Of what is streamed, or will be next. */
	void AddPhones(const FAvatarPhones& InPhones);
	void EndStream();
	void Interrupt();
	bool IsActive() const { return Buffer.IsValid(); }

	/** Falls silent and forgets everything that waits. */
	void Drop(bool bTell);
	void ReleaseAudio();

	void Tick();
	void OnConnected();
	void OnConnectionLost();
	void OnSegmentStarted(int64 PtsNanos);
	void OnInterrupted();
	void OnLateAudio(int64 PtsNanos, bool bContinues);

private:
	bool Begin(int32 NumChannels, int32 RateHz);
	bool BeginWave(USoundWave* Wave, const FAvatarPhones& InPhones);
	void Decode();
	void Send();
	/** False: the connection is lost. Phones that are refused are told, and the lips follow the sound. */
	bool SendPhones();
	/** Forgets the utterance. */
	void Clear();
	void Follow();
	void Finish(bool bInterrupted);
	void PlayVoice(double SilenceSecs);
	void StopVoice();
	void StopClock();
	/** Seconds of this segment that are heard; negative: nothing yet. */
	double HeardSecs() const;

	UAvatarComponent& Owner;
	TSharedPtr<FAvatarSubmixClock, ESPMode::ThreadSafe> SubmixClock;
	TSharedPtr<FAvatarVoiceBuffer, ESPMode::ThreadSafe> Buffer;
	TUniquePtr<FAvatarWaveReader> Reader;
	TArray<float> Chunk;
	TArray<FAvatarPhones> Phones; // of the utterance, or of the next stream
	int32 NumPhonesSent = 0;
	int64 SegmentBegin = 0;      // position at which the segment begins that the service hears
	int64 SentTo = 0;            // position up to which the service has the samples
	int64 SegmentPtsNanos = -1;  // of the segment being said; -1: not started
	double GapSecs = 0.0;        // silence that the service put into it
	int64 GapBeginNanos = -1;    // of the silence that the service shows; -1: none
	double BeganAtSecs = 0.0;    // by the platform's clock, where there is no audio device
	double LostAtSecs = -1.0;
	int32 NumInterrupts = 0;     // not yet answered
	bool bIsStream = false;
	bool bIsComplete = false;    // no more samples come
	bool bIsEndSent = false;
	bool bIsPlaying = false;
	bool bIsClockPlaying = false;
	bool bIsAlone = false;       // said without the service
	bool bIsConnected = false;
};
