// What is to be said: taken in, decoded and sent ahead of what is heard.
#include "AvatarComponent.h"
#include "AvatarServiceModule.h"
#include "AvatarSession.h"
#include "AvatarSpeech.h"
#include "Sound/SoundWave.h"

namespace
{
	/** Decoded and sent ahead of what is heard; the service takes more, but memory need not. */
	constexpr double AheadSecs = 5.0;
	constexpr int32 ReadsPerTick = 8;
	constexpr int32 FramesPerChunk = 4096;
}

void FAvatarSpeech::Say(USoundWave* Wave, const FAvatarPhones& InPhones)
{
	if (!IsActive())
	{
		BeginWave(Wave, InPhones);
		return;
	}
	FAvatarLine Line;
	Line.Wave = Wave;
	Line.Phones = InPhones;
	Owner.Waiting.Add(Line);
}

bool FAvatarSpeech::BeginWave(USoundWave* Wave, const FAvatarPhones& InPhones)
{
	Phones.Reset();
	FString Why;
	TUniquePtr<FAvatarWaveReader> Opened = FAvatarWaveReader::Open(Wave, Why);
	if (!Opened.IsValid())
	{
		Owner.Refuse(TEXT("INVALID_AUDIO"), Why);
		return false;
	}
	if (!Begin(Opened->GetNumChannels(), Opened->GetRateHz()))
	{
		return false;
	}
	Reader = MoveTemp(Opened);
	if (!InPhones.Phones.IsEmpty())
	{
		Phones.Add(InPhones);
	}
	return true;
}

void FAvatarSpeech::Stream(const TArray<float>& Samples, int32 RateHz, int32 NumChannels)
{
	if (NumChannels < 1 || NumChannels > 2 || RateHz < 8000 || RateHz > 48000 || Samples.Num() % FMath::Max(1, NumChannels) != 0)
	{
		Owner.Refuse(TEXT("INVALID_AUDIO"), FString::Printf(TEXT("%d samples, %d channels at %d Hz; whole frames of 1 or 2 at 8000 to 48000"),
			Samples.Num(), NumChannels, RateHz));
		return;
	}
	if (!IsActive())
	{
		if (!Begin(NumChannels, RateHz))
		{
			return;
		}
		bIsStream = true;
	}
	else if (!bIsStream || bIsComplete || Buffer->NumChannels != NumChannels || Buffer->RateHz != RateHz)
	{
		Owner.Refuse(TEXT("INVALID_AUDIO"), TEXT("something else is being said: wait for On Speech Ended, or interrupt it"));
		return;
	}
	Buffer->Add(Samples.GetData(), Samples.Num() / NumChannels);
}

void FAvatarSpeech::AddPhones(const FAvatarPhones& InPhones)
{
	if (IsActive() && (!bIsStream || bIsComplete))
	{
		Owner.Refuse(TEXT("INVALID_AUDIO"), TEXT("something else is being said: wait for On Speech Ended, or interrupt it"));
	}
	else if (!InPhones.Phones.IsEmpty())
	{
		Phones.Add(InPhones);
	}
}

void FAvatarSpeech::EndStream()
{
	if (bIsStream && IsActive())
	{
		bIsComplete = true;
		Buffer->Finish();
	}
}

void FAvatarSpeech::Decode()
{
	for (int32 Read = 0; Reader.IsValid() && Read < ReadsPerTick; ++Read)
	{
		const double Ahead = static_cast<double>(Buffer->NumAdded() - Buffer->PositionAt(Buffer->PlayedSecs())) / Buffer->RateHz;
		if (Ahead > AheadSecs)
		{
			return;
		}
		const TArrayView<const float> Samples = Reader->Read();
		Buffer->Add(Samples.GetData(), Samples.Num() / Buffer->NumChannels);
		if (Reader->IsOver())
		{
			Reader.Reset();
			bIsComplete = true;
			Buffer->Finish();
		}
	}
}

bool FAvatarSpeech::SendPhones()
{
	for (; NumPhonesSent < Phones.Num(); ++NumPhonesSent)
	{
		const double FromSecs = static_cast<double>(SegmentBegin) / Buffer->RateHz;
		const AvatarAbi::Fault Fault = Owner.Session->PushPhones(Phones[NumPhonesSent], FromSecs);
		if (Fault.Code == AVATAR_UNAVAILABLE)
		{
			return false;
		}
		if (!Fault.IsOk())
		{
			Owner.Refuse(UTF8_TO_TCHAR(Fault.Reason.c_str()), UTF8_TO_TCHAR(Fault.Message.c_str()));
		}
	}
	return true;
}

void FAvatarSpeech::Send()
{
	if (!SendPhones())
	{
		return;
	}
	Chunk.SetNumUninitialized(FramesPerChunk * Buffer->NumChannels);
	while (const int32 NumFrames = Buffer->Peek(SentTo, Chunk.GetData(), FramesPerChunk))
	{
		const AvatarAbi::Fault Fault = Owner.Session->PushAudio(Chunk.GetData(), NumFrames, Buffer->NumChannels, Buffer->RateHz);
		if (Fault.Code == AVATAR_UNAVAILABLE || Fault.Code == AVATAR_RESOURCE_EXHAUSTED)
		{
			return; // lost, or far enough ahead: later
		}
		if (!Fault.IsOk())
		{
			Owner.Refuse(UTF8_TO_TCHAR(Fault.Reason.c_str()), UTF8_TO_TCHAR(Fault.Message.c_str()));
			Drop(true);
			return;
		}
		SentTo += NumFrames;
	}
	if (bIsComplete && !bIsEndSent)
	{
		bIsEndSent = Owner.Session->EndSegment().IsOk();
	}
}
