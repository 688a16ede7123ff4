#include "AvatarVoiceBuffer.h"

#include "Misc/ScopeLock.h"

namespace
{
	constexpr double KeptSecs = 10.0;
	/** The service tells of its gap as soon as samples come again. */
	constexpr double GapNoticeSecs = 0.25;
}

void FAvatarVoiceBuffer::Add(const float* InSamples, int32 NumFrames)
{
	FScopeLock Lock(&Gate);
	Samples.Append(InSamples, NumFrames * NumChannels);
	DropPlayed();
}

int32 FAvatarVoiceBuffer::Peek(int64 From, float* OutSamples, int32 MaxFrames) const
{
	FScopeLock Lock(&Gate);
	const int64 First = FMath::Max<int64>(0, From - Base);
	const int64 Num = FMath::Clamp<int64>(NumFramesHeld() - First, 0, MaxFrames);
	if (Num > 0)
	{
		FMemory::Memcpy(OutSamples, Samples.GetData() + First * NumChannels, static_cast<SIZE_T>(Num * NumChannels) * sizeof(float));
	}
	return static_cast<int32>(Num);
}

int64 FAvatarVoiceBuffer::NumAdded() const
{
	FScopeLock Lock(&Gate);
	return Base + NumFramesHeld();
}

void FAvatarVoiceBuffer::Start(int64 From, double SilenceSecs)
{
	FScopeLock Lock(&Gate);
	Begin = Next = FMath::Max(From, Base);
	LeadLeft = static_cast<int64>(FMath::Max(0.0, SilenceSecs) * RateHz);
	GapLeft = NumGaps = Owed = NumSilent = NumLate = WaitLeft = 0;
	Gaps.Reset();
	bHasBegun = false;
}

void FAvatarVoiceBuffer::InsertGap(double AtSecs, double GapSecs)
{
	FScopeLock Lock(&Gate);
	// Silence that was played here for want of samples is part of this gap already.
	const int64 Num = FMath::RoundToInt64(GapSecs * RateHz);
	const int64 Paid = FMath::Min(Owed, Num);
	Owed -= Paid;
	Forgive();
	Gaps.Add({Begin + FMath::RoundToInt64(AtSecs * RateHz), Num - Paid});
}

void FAvatarVoiceBuffer::Finish()
{
	FScopeLock Lock(&Gate);
	bIsFinished = true;
}

void FAvatarVoiceBuffer::Play(int16* OutSamples, int32 NumFrames)
{
	FScopeLock Lock(&Gate);
	bHasBegun = true;
	for (int32 Frame = 0; Frame < NumFrames; ++Frame)
	{
		int16* Out = OutSamples + Frame * NumChannels;
		FMemory::Memzero(Out, static_cast<SIZE_T>(NumChannels) * sizeof(int16));
		if (LeadLeft > 0)
		{
			--LeadLeft;
			continue;
		}
		while (GapLeft == 0 && NumGaps < Gaps.Num() && Next >= Gaps[static_cast<int32>(NumGaps)].At)
		{
			GapLeft = Gaps[static_cast<int32>(NumGaps++)].Num;
		}
		if (GapLeft > 0)
		{
			--GapLeft;
			++NumSilent;
		}
		else if (Next - Base >= NumFramesHeld())
		{
			// Starved: the service is too, and tells how long its gap was.
			NumSilent += bIsFinished ? 0 : 1;
			Owed += bIsFinished ? 0 : 1;
			WaitLeft = static_cast<int64>(GapNoticeSecs * RateHz);
		}
		else if (Owed > 0 && WaitLeft > 0)
		{
			--WaitLeft;
			++NumSilent;
			++Owed;
		}
		else
		{
			Forgive();
			const float* In = Samples.GetData() + (Next - Base) * NumChannels;
			for (int32 Channel = 0; Channel < NumChannels; ++Channel)
			{
				Out[Channel] = static_cast<int16>(FMath::RoundToInt32(FMath::Clamp(In[Channel], -1.0f, 1.0f) * 32767.0f));
			}
			++Next;
		}
	}
}

double FAvatarVoiceBuffer::PlayedSecs() const
{
	FScopeLock Lock(&Gate);
	return static_cast<double>(Next - Begin + NumSilent) / RateHz;
}

bool FAvatarVoiceBuffer::HasBegun() const
{
	FScopeLock Lock(&Gate);
	return bHasBegun;
}

double FAvatarVoiceBuffer::TotalSecs() const
{
	FScopeLock Lock(&Gate);
	return bIsFinished ? static_cast<double>(Base + NumFramesHeld() - Begin + NumSilent) / RateHz : -1.0;
}

double FAvatarVoiceBuffer::LateSecs() const
{
	FScopeLock Lock(&Gate);
	return static_cast<double>(NumLate) / RateHz;
}

int64 FAvatarVoiceBuffer::PositionAt(double Secs) const
{
	FScopeLock Lock(&Gate);
	const int64 Frames = static_cast<int64>(FMath::Max(0.0, Secs) * RateHz) - NumSilent;
	return FMath::Clamp(Begin + Frames, Begin, Next);
}

void FAvatarVoiceBuffer::Forgive()
{
	NumSilent -= Owed;
	NumLate += Owed;
	Owed = 0;
}

void FAvatarVoiceBuffer::DropPlayed()
{
	const int64 Num = Next - Base - static_cast<int64>(KeptSecs * RateHz);
	if (Num > static_cast<int64>(KeptSecs * RateHz))
	{
		Samples.RemoveAt(0, static_cast<int32>(Num * NumChannels));
		Base += Num;
	}
}
