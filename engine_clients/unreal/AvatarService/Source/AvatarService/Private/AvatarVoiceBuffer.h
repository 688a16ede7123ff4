#pragma once

#include "CoreMinimal.h"
#include "HAL/CriticalSection.h"

/**
 * The samples of one utterance between who provides them (game thread) and who plays them (audio
 * render thread). Positions count frames (one sample per channel) from the utterance's beginning;
 * what has been played stays for a while, so that it can be said again after a lost connection.
 *
 * Every function may be called from any thread.
 */
class FAvatarVoiceBuffer
{
public:
	FAvatarVoiceBuffer(int32 InNumChannels, int32 InRateHz)
		: NumChannels(InNumChannels)
		, RateHz(InRateHz)
	{
	}

	const int32 NumChannels;
	const int32 RateHz;

	/** Interleaved, -1 to 1. */
	void Add(const float* Samples, int32 NumFrames);
	/** Copies frames from a position on; returns how many there were. */
	int32 Peek(int64 From, float* OutSamples, int32 MaxFrames) const;
	int64 NumAdded() const;

	/** Begins (again) at a position, behind so much silence; forgets gaps. */
	void Start(int64 From, double SilenceSecs);
	/** The service heard silence of this length at this place of what was started. */
	void InsertGap(double AtSecs, double GapSecs);
	/** No more samples come: an empty buffer is the end, not starvation. */
	void Finish();

	/** The player's next frames, 16 bit; always fills them all. */
	void Play(int16* OutSamples, int32 NumFrames);

	/** Seconds handed to the player since Start, without the silence before the first sample. */
	double PlayedSecs() const;
	/** Whether the player has asked for anything since Start. */
	bool HasBegun() const;
	/** Seconds from the first sample to the end, gaps included; negative: not known yet. */
	double TotalSecs() const;
	/** Silence played for want of samples that the service's own time does not have. */
	double LateSecs() const;
	/** Where to go on after PlayedSecs were heard. */
	int64 PositionAt(double Secs) const;

private:
	/** Of silence in what was started, from its first sample on. */
	struct FGap
	{
		int64 At;
		int64 Num;
	};

	int64 NumFramesHeld() const { return Samples.Num() / NumChannels; }
	void DropPlayed();
	/** Silence that the service does not have is our own delay. */
	void Forgive();

	mutable FCriticalSection Gate;
	TArray<float> Samples;
	TArray<FGap> Gaps;
	int64 Base = 0;      // position of the first sample held
	int64 Begin = 0;     // position of Start
	int64 Next = 0;      // position to be played next
	int64 LeadLeft = 0;
	int64 GapLeft = 0;   // of the gap being played
	int64 NumGaps = 0;   // gaps begun
	int64 Owed = 0;      // silence played while starved, not yet told as a gap
	int64 NumSilent = 0; // silence played since the first sample that the service's time has too
	int64 NumLate = 0;   // silence played since the first sample that it has not
	int64 WaitLeft = 0;  // how long to wait for the length of the service's gap
	bool bHasBegun = false;
	bool bIsFinished = false;
};
