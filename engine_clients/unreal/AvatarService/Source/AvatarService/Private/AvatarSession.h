#pragma once

#include "AvatarTypes.h"
#include "Containers/Queue.h"
#include "CoreMinimal.h"
#include "HAL/Event.h"
#include "HAL/Runnable.h"
#include "Native/AvatarAbi.h"

#include <atomic>

class FAvatarLiveLinkSource;
class FRunnableThread;

/** What to connect to and as whom. */
struct FAvatarSessionSettings
{
	AvatarAbi::ClientOptions Client;
	AvatarAbi::SessionOptions Session;
	/** File empty: Session.AvatarId is an avatar that the service has, or no picture is wanted. */
	AvatarAbi::Photo Photo;
	FAvatarControls Controls;
	FName LiveLinkSubject;
	TSharedPtr<FAvatarLiveLinkSource> LiveLink;
	float OutputLatencyMillis = 0.0f;
};

/** Something that happened, for the game thread. */
struct FAvatarSessionEvent
{
	enum class EKind : uint8
	{
		State,
		Fault,
		SegmentStarted,
		ControlApplied,
		Interrupted,
		Notice,
		LateAudio,
		Restarted
	};

	EKind Kind = EKind::Notice;
	EAvatarState State = EAvatarState::Disconnected;
	int64 PtsNanos = 0;
	uint64 Value = 0;
	uint64 Count = 0;
	/** Row of the service's error table; Fault only. */
	FString Reason;
	FString Text;
};

/**
 * One avatar in the service, with the thread that connects, tells events and feeds Live Link at the
 * session's frame rate whatever the game's frame rate is. No UObject.
 *
 * Game thread: all but what says otherwise. Nothing blocks but Join.
 */
class FAvatarSession final : public FRunnable
{
public:
	static TSharedRef<FAvatarSession> Start(FAvatarSessionSettings&& InSettings);
	virtual ~FAvatarSession() override;

	void RequestStop();
	/** Waits for the thread, a second at most while nothing hangs in the network. */
	void Join();
	bool IsFinished() const { return bIsFinished.load(); }

	bool NextEvent(FAvatarSessionEvent& OutEvent) { return Events.Dequeue(OutEvent); }

	/** Code 0, or why not; UNAVAILABLE: not connected, RESOURCE_EXHAUSTED: too far ahead. */
	AvatarAbi::Fault PushAudio(const float* Samples, int32 NumFrames, int32 NumChannels, int32 RateHz);
	/** Of the segment that is being pushed, or of the next, which begins FromSecs into the speech. */
	AvatarAbi::Fault PushPhones(const FAvatarPhones& Phones, double FromSecs);
	AvatarAbi::Fault EndSegment();
	/** The id that comes back with ControlApplied; 0: refused, OutFault says why. */
	uint64 SetControls(const FAvatarControls& Controls, AvatarAbi::Fault& OutFault);
	/** False: refused. */
	bool Interrupt(int64 HeardPtsNanos);

	/** Session time by the service's clock; false: not known yet. Any thread. */
	bool Now(int64& OutPtsNanos) const;
	/** Session time to show: of the sample being heard, else the service's. Any thread. */
	int64 DuePtsNanos() const;
	void PlaybackBegins(int64 SegmentPtsNanos);
	void PlaybackIs(double PlayedSecs);
	void PlaybackEnds();

	/** False: nothing has come yet. Any thread. */
	bool ReadMotion(avatar_motion& OutMotion) const;
	/** Size of the pictures; false: none (yet). */
	bool GetFrameSize(FIntPoint& OutSize) const;
	/** Copies the frame due into Pixels unless it is HaveSeq; false: nothing new. */
	bool CopyFrame(uint64& HaveSeq, uint8* Pixels, uint64 Capacity) const;
	FAvatarStatistics GetStatistics() const;

private:
	explicit FAvatarSession(FAvatarSessionSettings&& InSettings);

	// FRunnable
	virtual uint32 Run() override;

	bool Connect();
	bool Open();
	bool UploadPhoto(AvatarAbi::Fault& OutFault);
	/** Repeats an attempt while its fault may pass; false: it will not, and was told. */
	bool Retry(TFunctionRef<AvatarAbi::Fault()> Attempt);
	void Pump();
	void Translate(const avatar_event& Event);
	void TellState(EAvatarState State, const FString& Why);
	void TellFault(const AvatarAbi::Fault& Fault);

	FAvatarSessionSettings Settings;
	AvatarAbi::Controls Controls;
	AvatarAbi::Client Client;
	AvatarAbi::Session Session;
	AvatarAbi::Clock Clock;
	TQueue<FAvatarSessionEvent, EQueueMode::Spsc> Events;
	FEventRef Wake;
	std::atomic<bool> bIsStopping{false};
	std::atomic<bool> bIsFinished{false};
	bool bIsLost = false;
	TUniquePtr<FRunnableThread> Thread;
};
