#include "AvatarSpeech.h"

#include "AvatarComponent.h"
#include "AvatarServiceModule.h"
#include "AvatarSession.h"
#include "AvatarVoice.h"
#include "Components/AudioComponent.h"
#include "Engine/World.h"
#include "GameFramework/Actor.h"
#include "HAL/PlatformTime.h"
#include "Sound/SoundWave.h"

bool FAvatarSpeech::Begin(int32 NumChannels, int32 RateHz)
{
	if (!Owner.Session.IsValid())
	{
		Owner.Refuse(TEXT("SESSION_CLOSED"), TEXT("call Connect before speaking"));
		return false;
	}
	if (Owner.VoiceComponent == nullptr)
	{
		Owner.VoiceComponent = NewObject<UAudioComponent>(Owner.GetOwner());
		Owner.VoiceComponent->bAutoActivate = false;
		if (USceneComponent* Root = Owner.GetOwner()->GetRootComponent())
		{
			Owner.VoiceComponent->SetupAttachment(Root);
		}
		Owner.VoiceComponent->RegisterComponent();
	}
	if (!SubmixClock.IsValid())
	{
		SubmixClock = FAvatarSubmixClock::Register(Owner.GetWorld());
		if (!SubmixClock.IsValid())
		{
			UE_LOG(LogAvatarService, Warning, TEXT("There is no audio device: speech runs silently by the computer's clock"));
		}
	}
	Buffer = MakeShared<FAvatarVoiceBuffer, ESPMode::ThreadSafe>(NumChannels, RateHz);
	SentTo = SegmentBegin = 0;
	NumPhonesSent = 0;
	SegmentPtsNanos = -1;
	GapSecs = 0.0;
	GapBeginNanos = -1;
	bIsStream = bIsComplete = bIsEndSent = bIsAlone = false;
	LostAtSecs = bIsConnected ? -1.0 : FPlatformTime::Seconds();
	return true;
}

void FAvatarSpeech::Tick()
{
	if (!IsActive())
	{
		return;
	}
	Decode();
	if (bIsConnected && !bIsAlone)
	{
		Send();
	}
	else if (!bIsAlone && LostAtSecs >= 0.0 && FPlatformTime::Seconds() - LostAtSecs > Owner.WaitForServiceSecs)
	{
		bIsAlone = true;
		PlayVoice(0.0);
	}
	if (bIsPlaying)
	{
		Follow();
	}
}

void FAvatarSpeech::OnSegmentStarted(int64 PtsNanos)
{
	// Until the service has answered an interrupt, it tells of what was interrupted.
	if (!IsActive() || bIsPlaying || bIsAlone || NumInterrupts > 0)
	{
		return;
	}
	int64 NowNanos = 0;
	const bool bKnown = Owner.Session->Now(NowNanos);
	SegmentPtsNanos = PtsNanos;
	PlayVoice(bKnown ? static_cast<double>(PtsNanos - NowNanos) * 1e-9 : 0.0);
	Owner.OnSpeechStarted.Broadcast();
}

void FAvatarSpeech::OnLateAudio(int64 PtsNanos, bool bContinues)
{
	if (!IsActive() || SegmentPtsNanos < 0)
	{
		return;
	}
	if (!bContinues)
	{
		GapBeginNanos = PtsNanos;
		return;
	}
	if (GapBeginNanos < 0)
	{
		return;
	}
	// The two times tell the gap to the sample; At counts samples only, as if there were no gaps.
	const double Gap = static_cast<double>(PtsNanos - GapBeginNanos) * 1e-9;
	const double At = static_cast<double>(GapBeginNanos - SegmentPtsNanos) * 1e-9 - GapSecs;
	GapBeginNanos = -1;
	GapSecs += Gap;
	Buffer->InsertGap(At, Gap);
}

void FAvatarSpeech::PlayVoice(double SilenceSecs)
{
	const double Lead = FMath::Max(0.0, SilenceSecs);
	Buffer->Start(Buffer->PositionAt(0.0), Lead);
	Owner.Voice = NewObject<UAvatarVoice>(&Owner);
	Owner.Voice->SetSource(Buffer.ToSharedRef());
	if (SubmixClock.IsValid())
	{
		SubmixClock->Follow(Buffer, Lead);
	}
	BeganAtSecs = FPlatformTime::Seconds() + Lead;
	Owner.VoiceComponent->SetSound(Owner.Voice);
	Owner.VoiceComponent->Play();
	bIsPlaying = true;
}

double FAvatarSpeech::HeardSecs() const
{
	return SubmixClock.IsValid() ? SubmixClock->HeardSecs() : FPlatformTime::Seconds() - BeganAtSecs;
}

void FAvatarSpeech::Follow()
{
	const double Heard = HeardSecs();
	if (Heard >= 0.0 && !bIsAlone)
	{
		if (!bIsClockPlaying)
		{
			Owner.Session->PlaybackBegins(SegmentPtsNanos);
			bIsClockPlaying = true;
		}
		Owner.Session->PlaybackIs(Heard);
	}
	const double Total = Buffer->TotalSecs();
	if (Total >= 0.0 && Heard >= Total)
	{
		Finish(false);
	}
}

void FAvatarSpeech::Finish(bool bInterrupted)
{
	StopVoice();
	Clear();
	Owner.OnSpeechEnded.Broadcast(bInterrupted);
	while (!IsActive() && !Owner.Waiting.IsEmpty())
	{
		const FAvatarLine Line = Owner.Waiting[0];
		Owner.Waiting.RemoveAt(0);
		BeginWave(Line.Wave, Line.Phones);
	}
}

void FAvatarSpeech::Clear()
{
	Buffer.Reset();
	Reader.Reset();
	Phones.Reset();
}

void FAvatarSpeech::Interrupt()
{
	const int64 Heard = bIsClockPlaying ? Owner.Session->DuePtsNanos() : -1;
	const bool bWasActive = IsActive();
	Owner.Waiting.Empty();
	if (Owner.Session.IsValid())
	{
		NumInterrupts += bIsConnected && Owner.Session->Interrupt(Heard) ? 1 : 0;
	}
	if (bWasActive)
	{
		Finish(true);
	}
	else
	{
		Phones.Reset();
	}
}

void FAvatarSpeech::Drop(bool bTell)
{
	Owner.Waiting.Empty();
	if (!IsActive())
	{
		return;
	}
	if (bTell)
	{
		Finish(true);
		return;
	}
	StopVoice();
	Clear();
}

void FAvatarSpeech::StopVoice()
{
	if (bIsPlaying)
	{
		Owner.VoiceComponent->Stop();
	}
	if (SubmixClock.IsValid())
	{
		SubmixClock->Follow(nullptr, 0.0);
	}
	bIsPlaying = false;
	StopClock();
}

void FAvatarSpeech::StopClock()
{
	if (bIsClockPlaying && Owner.Session.IsValid())
	{
		Owner.Session->PlaybackEnds();
	}
	bIsClockPlaying = false;
}

void FAvatarSpeech::OnConnected()
{
	bIsConnected = true;
	LostAtSecs = -1.0;
}

void FAvatarSpeech::OnInterrupted()
{
	NumInterrupts = FMath::Max(0, NumInterrupts - 1);
}

void FAvatarSpeech::OnConnectionLost()
{
	NumInterrupts = 0;
	if (bIsConnected)
	{
		LostAtSecs = FPlatformTime::Seconds();
	}
	bIsConnected = false;
	if (!IsActive() || bIsAlone)
	{
		return;
	}
	if (Owner.WhenConnectionIsLost == EAvatarWhenLost::KeepTalking)
	{
		StopClock();
		bIsAlone = true;
		if (!bIsPlaying)
		{
			PlayVoice(0.0);
		}
		return;
	}
	// What was not heard is said again, as a segment of its own.
	const int64 Rest = bIsPlaying ? Buffer->PositionAt(FMath::Max(0.0, HeardSecs())) : 0;
	StopVoice();
	Buffer->Start(Rest, 0.0);
	SentTo = SegmentBegin = Rest;
	NumPhonesSent = 0;
	SegmentPtsNanos = -1;
	GapSecs = 0.0;
	GapBeginNanos = -1;
	bIsEndSent = false;
}

void FAvatarSpeech::ReleaseAudio()
{
	Drop(false);
	if (SubmixClock.IsValid())
	{
		SubmixClock->Unregister(Owner.GetWorld());
		SubmixClock.Reset();
	}
}
