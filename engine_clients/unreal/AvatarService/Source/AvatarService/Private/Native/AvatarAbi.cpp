#include "AvatarAbi.h"

namespace AvatarAbi
{
	namespace
	{
		avatar_string Text(const std::string& Value)
		{
			return {Value.data(), Value.size()};
		}

		Fault Explain(avatar_status Status, const avatar_error& Error)
		{
			Fault Result;
			Result.Code = Status;
			if (Status != AVATAR_OK)
			{
				Result.RetryAfterMillis = Error.retry_after_millis;
				Result.Reason = Error.reason;
				Result.Message = Error.message;
			}
			return Result;
		}
	}

	const avatar_controls* Controls::Get()
	{
		Record.speaking_style = Text(SpeakingStyle);
		Record.motion_model = Text(MotionModel);
		return &Record;
	}

	Fault CheckVersion()
	{
		Fault Result;
		if (avatar_abi_version() != AVATAR_ABI_VERSION)
		{
			Result.Code = AVATAR_FAILED_PRECONDITION;
			Result.Reason = "PROTOCOL_MISMATCH";
			Result.Message = "the native library has interface version " + std::to_string(avatar_abi_version()) +
				", the plugin was built for " + std::to_string(AVATAR_ABI_VERSION);
		}
		else if ((avatar_features() & AVATAR_FEATURE_GRPC) == 0)
		{
			Result.Code = AVATAR_UNIMPLEMENTED;
			Result.Message = "the native library was built without gRPC and cannot open sessions";
		}
		return Result;
	}

	Fault Client::Open(const ClientOptions& Options)
	{
		Close();
		avatar_client_options Record{};
		avatar_client_options_init(&Record, sizeof(Record));
		Record.target = Text(Options.Target);
		Record.token = Text(Options.Token);
		Record.ca_pem = Text(Options.CaPem);
		Record.client_name = Text(Options.ClientName);
		Record.tls = Options.bTls ? AVATAR_TLS_SERVER : AVATAR_TLS_OFF;
		avatar_error Error = Sized<avatar_error>();
		const avatar_status Status = avatar_client_create(&Record, &Handle, &Error);
		return Explain(Status, Error);
	}

	Fault Client::CheckServer(uint32_t TimeoutMillis)
	{
		avatar_server_info Info = Sized<avatar_server_info>();
		avatar_error Error = Sized<avatar_error>();
		const avatar_status Status = avatar_client_get_server_info(Handle, TimeoutMillis, &Info, &Error);
		return Explain(Status, Error);
	}

	Fault Client::CreateAvatar(const Photo& InPhoto, uint32_t TimeoutMillis, std::string& OutAvatarId)
	{
		avatar_photo Record = Sized<avatar_photo>();
		Record.crop = InPhoto.bKeepCrop ? AVATAR_CROP_KEEP : AVATAR_CROP_FACE;
		Record.file = {InPhoto.File.data(), InPhoto.File.size()};
		Record.display_name = Text(InPhoto.DisplayName);
		Record.consent_subject = Text(InPhoto.ConsentSubject);
		Record.consent_basis = Text(InPhoto.ConsentBasis);
		Record.consent_stated_by = Text(InPhoto.ConsentStatedBy);
		avatar_info Info = Sized<avatar_info>();
		avatar_error Error = Sized<avatar_error>();
		const avatar_status Status = avatar_client_create_avatar(Handle, &Record, TimeoutMillis, &Info, &Error);
		if (Status == AVATAR_OK)
		{
			OutAvatarId = Info.avatar_id;
		}
		return Explain(Status, Error);
	}

	void Client::Close()
	{
		if (Handle != nullptr)
		{
			avatar_client_close(Handle);
		}
	}

	Fault Session::Open(const Client& InClient, const SessionOptions& Options, Controls& InControls)
	{
		Close();
		avatar_session_options Record{};
		avatar_session_options_init(&Record, sizeof(Record));
		Record.avatar_id = Text(Options.AvatarId);
		Record.fps_num = Options.FrameRateHz;
		Record.size_px = Options.SizePx;
		Record.outputs = Options.Outputs;
		Record.transports = Options.Transports;
		Record.encoding = Options.Encoding;
		Record.controls = InControls.Get();
		avatar_error Error = Sized<avatar_error>();
		avatar_session* Opened = nullptr;
		const avatar_status Status = avatar_session_open(InClient.Get(), &Record, &Opened, &Error);
		Handle = Opened;
		return Explain(Status, Error);
	}

	void Session::Close()
	{
		// A handle that was closed stays a name that every call refuses, so readers need no lock.
		if (Handle != nullptr)
		{
			avatar_session_close(Handle);
		}
	}

	Fault Session::LastFault() const
	{
		avatar_error Error = Sized<avatar_error>();
		const avatar_status Status = avatar_session_last_error(Handle, &Error);
		return Explain(Status, Error);
	}

	Fault Session::PushAudio(const float* Samples, uint64_t NumFrames, uint32_t NumChannels, uint32_t RateHz, uint32_t Role)
	{
		avatar_audio Audio = Sized<avatar_audio>();
		Audio.role = Role;
		Audio.format = AVATAR_AUDIO_F32;
		Audio.sample_rate_hz = RateHz;
		Audio.channels = NumChannels;
		Audio.samples = Samples;
		Audio.num_frames = NumFrames;
		avatar_error Error = Sized<avatar_error>();
		const avatar_status Status = avatar_session_push_audio(Handle, &Audio, &Error);
		return Explain(Status, Error);
	}

	Fault Session::PushPhones(const Phones& InPhones)
	{
		std::vector<avatar_phone> List;
		for (const Phones::Phone& Phone : InPhones.List)
		{
			List.push_back({Text(Phone.Symbol), Phone.StartNanos, Phone.EndNanos});
		}
		avatar_phones Record = Sized<avatar_phones>();
		Record.alphabet = InPhones.Alphabet;
		Record.phones = List.data();
		Record.num_phones = List.size();
		avatar_error Error = Sized<avatar_error>();
		const avatar_status Status = avatar_session_push_phones(Handle, &Record, &Error);
		return Explain(Status, Error);
	}

	Fault Session::EndSegment(uint32_t Role)
	{
		avatar_error Error = Sized<avatar_error>();
		const avatar_status Status = avatar_session_end_segment(Handle, Role, &Error);
		return Explain(Status, Error);
	}

	Fault Session::SetControls(Controls& InControls, uint64_t& OutChangeId)
	{
		avatar_error Error = Sized<avatar_error>();
		const avatar_status Status = avatar_session_set_controls(Handle, InControls.Get(), 0, &OutChangeId, &Error);
		return Explain(Status, Error);
	}

	Fault Session::Interrupt(int64_t HeardPtsNanos)
	{
		avatar_error Error = Sized<avatar_error>();
		const avatar_status Status = avatar_session_interrupt(Handle, HeardPtsNanos, &Error);
		return Explain(Status, Error);
	}

	bool Session::NextEvent(avatar_event& OutEvent)
	{
		OutEvent = Sized<avatar_event>();
		const avatar_status Status = avatar_session_next_event(Handle, &OutEvent, nullptr);
		return Status == AVATAR_OK && OutEvent.kind != AVATAR_EVENT_NONE;
	}

	Clock::Clock(int64_t OutputLatencyNanos)
	{
		avatar_clock_create(TicksPerSec, OutputLatencyNanos, &Handle, nullptr);
	}

	Clock::~Clock()
	{
		avatar_clock_close(Handle);
	}

	void Clock::Play(int64_t SegmentPtsNanos)
	{
		avatar_clock_play(Handle, SegmentPtsNanos, avatar_monotonic_nanos(), nullptr);
	}

	void Clock::Report(double PlayedSecs)
	{
		const auto Ticks = static_cast<int64_t>(PlayedSecs * TicksPerSec);
		avatar_clock_report(Handle, Ticks, avatar_monotonic_nanos(), nullptr);
	}

	void Clock::Stop()
	{
		avatar_clock_stop(Handle, avatar_monotonic_nanos(), nullptr);
	}

	void Clock::Steer(int64_t SessionPtsNanos)
	{
		avatar_clock_steer(Handle, SessionPtsNanos, avatar_monotonic_nanos(), nullptr);
	}

	avatar_clock_reading Clock::Read() const
	{
		avatar_clock_reading Reading = Sized<avatar_clock_reading>();
		avatar_clock_read(Handle, avatar_monotonic_nanos(), &Reading, nullptr);
		return Reading;
	}
}
