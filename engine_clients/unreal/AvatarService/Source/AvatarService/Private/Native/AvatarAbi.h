// The C interface for C++, without anything of the engine: this folder includes the standard
// library and avatar_client.h only, and nothing above it includes avatar_client.h's functions.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

#include "avatar_client.h"

namespace AvatarAbi
{
	/** A struct of the C interface with its struct_size set and the rest zero. */
	template <typename RecordType>
	RecordType Sized()
	{
		RecordType Record{};
		Record.struct_size = sizeof(RecordType);
		return Record;
	}

	/** What went wrong in a call; Code 0: nothing. */
	struct Fault
	{
		int32_t Code = AVATAR_OK;
		uint32_t RetryAfterMillis = 0;
		std::string Reason;
		std::string Message;

		bool IsOk() const { return Code == AVATAR_OK; }
	};

	struct ClientOptions
	{
		std::string Target;
		std::string Token;
		std::string CaPem;
		std::string ClientName;
		bool bTls = false;
	};

	struct Photo
	{
		std::vector<uint8_t> File;
		std::string DisplayName;
		std::string ConsentSubject;
		std::string ConsentBasis;
		std::string ConsentStatedBy;
		bool bKeepCrop = false;
	};

	struct SessionOptions
	{
		std::string AvatarId;
		uint32_t FrameRateHz = 40;
		uint32_t SizePx = 0;
		uint32_t Outputs = 0;
		uint32_t Transports = 0;
		/** AVATAR_ENCODING_*; 0: the library's choice. */
		uint32_t Encoding = 0;
	};

	/** Phones of one segment, with times from its first sample. */
	struct Phones
	{
		struct Phone
		{
			std::string Symbol;
			int64_t StartNanos;
			int64_t EndNanos;
		};

		uint32_t Alphabet = AVATAR_PHONES_ARPABET;
		std::vector<Phone> List;
	};

	/** Controls with the text that the C struct only points to. */
	struct Controls
	{
		avatar_controls Record = Sized<avatar_controls>();
		std::string SpeakingStyle;
		std::string MotionModel;

		const avatar_controls* Get();
	};

	/** Whether the library that was loaded fits this header; the fault says which it is. */
	Fault CheckVersion();

	/** One connection. Every function may be called from any thread. */
	class Client
	{
	public:
		Client() = default;
		~Client() { Close(); }
		Client(const Client&) = delete;
		Client& operator=(const Client&) = delete;

		Fault Open(const ClientOptions& Options);
		/** Blocks up to the time given. */
		Fault CheckServer(uint32_t TimeoutMillis);
		/** Blocks for seconds. */
		Fault CreateAvatar(const Photo& InPhoto, uint32_t TimeoutMillis, std::string& OutAvatarId);
		/** Cancels calls under way on other threads; blocks up to a second. */
		void Close();
		avatar_client* Get() const { return Handle; }

	private:
		avatar_client* Handle = nullptr;
	};

	/** One running face. Every function may be called from any thread but Open and Close. */
	class Session
	{
	public:
		Session() = default;
		~Session() { Close(); }
		Session(const Session&) = delete;
		Session& operator=(const Session&) = delete;

		Fault Open(const Client& InClient, const SessionOptions& Options, Controls& InControls);
		/** Blocks up to a second. */
		void Close();
		avatar_session* Get() const { return Handle.load(); }

		Fault LastFault() const;
		Fault PushAudio(const float* Samples, uint64_t NumFrames, uint32_t NumChannels, uint32_t RateHz, uint32_t Role);
		Fault PushPhones(const Phones& InPhones);
		Fault EndSegment(uint32_t Role);
		Fault SetControls(Controls& InControls, uint64_t& OutChangeId);
		Fault Interrupt(int64_t HeardPtsNanos);
		/** False: no event waits. */
		bool NextEvent(avatar_event& OutEvent);

	private:
		std::atomic<avatar_session*> Handle{nullptr};
	};

	/** Turns what the engine has played into session time. */
	class Clock
	{
	public:
		/** Unit of positions: the engine's rates differ, its seconds do not. */
		static constexpr uint32_t TicksPerSec = 48000;

		explicit Clock(int64_t OutputLatencyNanos);
		~Clock();
		Clock(const Clock&) = delete;
		Clock& operator=(const Clock&) = delete;

		void Play(int64_t SegmentPtsNanos);
		void Report(double PlayedSecs);
		void Stop();
		void Steer(int64_t SessionPtsNanos);
		avatar_clock_reading Read() const;

	private:
		avatar_clock* Handle = nullptr;
	};
}
