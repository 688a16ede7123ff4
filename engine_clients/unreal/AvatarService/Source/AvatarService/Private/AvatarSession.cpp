#include "AvatarSession.h"

#include "AvatarControlsConversion.h"
#include "AvatarLiveLinkSource.h"
#include "AvatarPhonesConversion.h"
#include "AvatarServiceModule.h"
#include "HAL/RunnableThread.h"

namespace
{
	constexpr uint32 ServerTimeoutMillis = 5000;
	/** The longest time that the service gives a fit; a first one on a machine compiles for a minute. */
	constexpr uint32 PhotoTimeoutMillis = 180000;
	constexpr uint32 FirstPauseMillis = 250;
	constexpr uint32 LongestPauseMillis = 4000;
	/** NOTICE_KIND_LATE_AUDIO of event.proto. */
	constexpr uint64 NoticeLateAudio = 1;

	FString ToString(const std::string& Text)
	{
		return FString(UTF8_TO_TCHAR(Text.c_str()));
	}

	bool MayPass(const AvatarAbi::Fault& Fault)
	{
		return Fault.Code == AVATAR_UNAVAILABLE || Fault.Code == AVATAR_DEADLINE_EXCEEDED || Fault.RetryAfterMillis > 0;
	}
}

TSharedRef<FAvatarSession> FAvatarSession::Start(FAvatarSessionSettings&& InSettings)
{
	TSharedRef<FAvatarSession> Session = MakeShareable(new FAvatarSession(MoveTemp(InSettings)));
	Session->Thread.Reset(FRunnableThread::Create(&Session.Get(), TEXT("AvatarSession")));
	return Session;
}

FAvatarSession::FAvatarSession(FAvatarSessionSettings&& InSettings)
	: Settings(MoveTemp(InSettings))
	, Clock(static_cast<int64>(Settings.OutputLatencyMillis * 1e6f))
	, Wake(EEventMode::AutoReset)
{
}

FAvatarSession::~FAvatarSession()
{
	Join();
}

void FAvatarSession::RequestStop()
{
	bIsStopping = true;
	Wake->Trigger();
}

void FAvatarSession::Join()
{
	RequestStop();
	if (Thread.IsValid())
	{
		Client.Close(); // ends a call that hangs in the network
		Thread->WaitForCompletion();
		Thread.Reset();
	}
}

uint32 FAvatarSession::Run()
{
	if (Connect() && Open())
	{
		const uint32 PeriodMillis = FMath::Max(1u, 1000u / FMath::Max(1u, Settings.Session.FrameRateHz));
		while (!bIsStopping)
		{
			Wake->Wait(PeriodMillis);
			Pump();
		}
	}
	Session.Close();
	Client.Close();
	if (Settings.LiveLink.IsValid())
	{
		Settings.LiveLink->Forget(Settings.LiveLinkSubject);
	}
	bIsFinished = true;
	return 0;
}

bool FAvatarSession::Connect()
{
	TellState(EAvatarState::Connecting, FString());
	const AvatarAbi::Fault Fault = Client.Open(Settings.Client);
	if (!Fault.IsOk())
	{
		TellFault(Fault);
		return false;
	}
	return Retry([this] { return Client.CheckServer(ServerTimeoutMillis); });
}

bool FAvatarSession::Open()
{
	const auto Attempt = [this]
	{
		AvatarAbi::Fault Fault;
		if (!Settings.Photo.File.empty() && !UploadPhoto(Fault))
		{
			return Fault;
		}
		const AvatarAbi::Fault Conversion = AvatarControls::ToNative(Settings.Controls, Controls);
		return Conversion.IsOk() ? Session.Open(Client, Settings.Session, Controls) : Conversion;
	};
	return Retry(Attempt);
}

bool FAvatarSession::UploadPhoto(AvatarAbi::Fault& OutFault)
{
	OutFault = Client.CreateAvatar(Settings.Photo, PhotoTimeoutMillis, Settings.Session.AvatarId);
	return OutFault.IsOk();
}

bool FAvatarSession::Retry(TFunctionRef<AvatarAbi::Fault()> Attempt)
{
	uint32 PauseMillis = FirstPauseMillis;
	while (!bIsStopping)
	{
		const AvatarAbi::Fault Fault = Attempt();
		if (Fault.IsOk())
		{
			return true;
		}
		if (bIsStopping)
		{
			break;
		}
		if (!MayPass(Fault))
		{
			TellFault(Fault);
			return false;
		}
		TellState(EAvatarState::Connecting, ToString(Fault.Message));
		Wake->Wait(FMath::Max(PauseMillis, FMath::Min(Fault.RetryAfterMillis, LongestPauseMillis)));
		PauseMillis = FMath::Min(2 * PauseMillis, LongestPauseMillis);
	}
	return false;
}

void FAvatarSession::Pump()
{
	avatar_event Event;
	while (Session.NextEvent(Event))
	{
		Translate(Event);
	}
	if (bIsLost)
	{
		// A service that came back without its avatars gets the photo once more.
		bIsLost = false;
		Open();
	}
	int64 NowNanos = 0;
	if (Now(NowNanos))
	{
		Clock.Steer(NowNanos);
	}
	avatar_motion Motion;
	if (Settings.LiveLink.IsValid() && ReadMotion(Motion))
	{
		Settings.LiveLink->Publish(Settings.LiveLinkSubject, Motion);
	}
}

void FAvatarSession::Translate(const avatar_event& Event)
{
	using EKind = FAvatarSessionEvent::EKind;
	FAvatarSessionEvent Told;
	Told.PtsNanos = Event.pts_nanos;
	Told.Value = Event.value;
	Told.Count = Event.count;
	Told.Text = UTF8_TO_TCHAR(Event.text);
	switch (Event.kind)
	{
	case AVATAR_EVENT_STATE:
		switch (Event.value)
		{
		case AVATAR_STATE_CONNECTING: TellState(EAvatarState::Connecting, Told.Text); break;
		case AVATAR_STATE_READY: TellState(EAvatarState::Ready, Told.Text); break;
		case AVATAR_STATE_RECONNECTING: TellState(EAvatarState::Reconnecting, Told.Text); break;
		case AVATAR_STATE_ENDED: TellState(EAvatarState::Disconnected, Told.Text); break;
		default:
		{
			const AvatarAbi::Fault Fault = Session.LastFault();
			bIsLost = Fault.Reason == "AVATAR_NOT_FOUND" && !Settings.Photo.File.empty();
			if (!bIsLost)
			{
				TellFault(Fault);
			}
		}
		}
		return;
	case AVATAR_EVENT_SEGMENT_STARTED: Told.Kind = EKind::SegmentStarted; break;
	case AVATAR_EVENT_CONTROL_APPLIED: Told.Kind = EKind::ControlApplied; break;
	case AVATAR_EVENT_INTERRUPTED: Told.Kind = EKind::Interrupted; break;
	case AVATAR_EVENT_RESTARTED: Told.Kind = EKind::Restarted; break;
	case AVATAR_EVENT_NOTICE: Told.Kind = Event.value == NoticeLateAudio ? EKind::LateAudio : EKind::Notice; break;
	case AVATAR_EVENT_LOST:
		Told.Kind = EKind::Notice;
		Told.Text = FString::Printf(TEXT("%llu events were lost"), static_cast<uint64>(Event.count));
		break;
	default: return; // SEGMENT_ENDED: what is heard says when speech ends
	}
	if (Event.kind == AVATAR_EVENT_SEGMENT_STARTED && Event.role != AVATAR_ROLE_SPEAK)
	{
		return;
	}
	Events.Enqueue(MoveTemp(Told));
}

void FAvatarSession::TellState(EAvatarState State, const FString& Why)
{
	FAvatarSessionEvent Event;
	Event.Kind = FAvatarSessionEvent::EKind::State;
	Event.State = State;
	Event.Text = Why;
	Events.Enqueue(MoveTemp(Event));
}

void FAvatarSession::TellFault(const AvatarAbi::Fault& Fault)
{
	FAvatarSessionEvent Event;
	Event.Kind = FAvatarSessionEvent::EKind::Fault;
	Event.Reason = ToString(Fault.Reason);
	Event.Text = ToString(Fault.Message);
	Events.Enqueue(MoveTemp(Event));
	TellState(EAvatarState::Failed, ToString(Fault.Message));
}

AvatarAbi::Fault FAvatarSession::PushAudio(const float* Samples, int32 NumFrames, int32 NumChannels, int32 RateHz)
{
	return Session.PushAudio(Samples, static_cast<uint64>(NumFrames), static_cast<uint32>(NumChannels),
		static_cast<uint32>(RateHz), AVATAR_ROLE_SPEAK);
}

AvatarAbi::Fault FAvatarSession::PushPhones(const FAvatarPhones& Phones, double FromSecs)
{
	const AvatarAbi::Phones Native = AvatarPhones::ToNative(Phones, FromSecs);
	return Native.List.empty() ? AvatarAbi::Fault() : Session.PushPhones(Native);
}

AvatarAbi::Fault FAvatarSession::EndSegment()
{
	return Session.EndSegment(AVATAR_ROLE_SPEAK);
}

uint64 FAvatarSession::SetControls(const FAvatarControls& InControls, AvatarAbi::Fault& OutFault)
{
	AvatarAbi::Controls Native;
	uint64_t ChangeId = 0;
	OutFault = AvatarControls::ToNative(InControls, Native);
	if (OutFault.IsOk())
	{
		OutFault = Session.SetControls(Native, ChangeId);
	}
	return OutFault.IsOk() ? ChangeId : 0;
}

bool FAvatarSession::Interrupt(int64 HeardPtsNanos)
{
	const AvatarAbi::Fault Fault = Session.Interrupt(HeardPtsNanos);
	if (!Fault.IsOk() && Fault.Code != AVATAR_UNAVAILABLE)
	{
		UE_LOG(LogAvatarService, Warning, TEXT("The interrupt was refused: %s"), *ToString(Fault.Message));
	}
	return Fault.IsOk();
}

bool FAvatarSession::Now(int64& OutPtsNanos) const
{
	int64_t Nanos = 0;
	const bool bKnown = avatar_session_now(Session.Get(), &Nanos, nullptr) == AVATAR_OK;
	OutPtsNanos = Nanos;
	return bKnown;
}

int64 FAvatarSession::DuePtsNanos() const
{
	return Clock.Read().pts_nanos;
}

void FAvatarSession::PlaybackBegins(int64 SegmentPtsNanos)
{
	Clock.Play(SegmentPtsNanos);
}

void FAvatarSession::PlaybackIs(double PlayedSecs)
{
	Clock.Report(PlayedSecs);
	avatar_session_ack_playback(Session.Get(), DuePtsNanos(), nullptr);
}

void FAvatarSession::PlaybackEnds()
{
	Clock.Stop();
}

bool FAvatarSession::ReadMotion(avatar_motion& OutMotion) const
{
	OutMotion = AvatarAbi::Sized<avatar_motion>();
	return avatar_session_read_motion(Session.Get(), DuePtsNanos(), &OutMotion, nullptr) == AVATAR_OK;
}

bool FAvatarSession::GetFrameSize(FIntPoint& OutSize) const
{
	avatar_session_info Info = AvatarAbi::Sized<avatar_session_info>();
	if (avatar_session_get_info(Session.Get(), &Info, nullptr) != AVATAR_OK || Info.pixel_bytes == 0)
	{
		return false;
	}
	OutSize = FIntPoint(static_cast<int32>(Info.width_px), static_cast<int32>(Info.height_px));
	return true;
}

bool FAvatarSession::CopyFrame(uint64& HaveSeq, uint8* Pixels, uint64 Capacity) const
{
	avatar_frame Frame = AvatarAbi::Sized<avatar_frame>();
	const avatar_status Status =
		avatar_session_copy_frame(Session.Get(), DuePtsNanos(), HaveSeq, Pixels, Capacity, &Frame, nullptr, nullptr);
	if (Status != AVATAR_OK || (Frame.flags & AVATAR_FRAME_NEW) == 0 || (Frame.flags & AVATAR_FRAME_PIXELS) == 0)
	{
		return false;
	}
	HaveSeq = Frame.seq;
	return true;
}

FAvatarStatistics FAvatarSession::GetStatistics() const
{
	FAvatarStatistics Result;
	avatar_statistics Native = AvatarAbi::Sized<avatar_statistics>();
	if (avatar_session_get_statistics(Session.Get(), &Native, nullptr) == AVATAR_OK)
	{
		switch (Native.transport)
		{
		case AVATAR_TRANSPORT_SHM: Result.Transport = TEXT("shared memory"); break;
		case AVATAR_TRANSPORT_ZMQ: Result.Transport = TEXT("ZeroMQ"); break;
		case AVATAR_TRANSPORT_GRPC: Result.Transport = TEXT("gRPC"); break;
		default: break;
		}
		Result.FramesShown = static_cast<int64>(Native.frames_shown);
		Result.FramesSkipped = static_cast<int64>(Native.frames_skipped);
		Result.ReadsStarved = static_cast<int64>(Native.reads_starved);
		Result.BytesReceived = static_cast<int64>(Native.bytes_received);
		Result.NumReconnects = static_cast<int32>(Native.num_reconnects);
		Result.DelayMillis = static_cast<float>(Native.delay_nanos) * 1e-6f;
		Result.ServerLatencyMillis = Native.server_latency_p50_millis;
	}
	const avatar_clock_reading Reading = Clock.Read();
	Result.DriftMillis = static_cast<float>(Reading.drift_nanos) * 1e-6f;
	Result.AudioRatePpm = static_cast<float>(Reading.rate_ppm);
	return Result;
}
