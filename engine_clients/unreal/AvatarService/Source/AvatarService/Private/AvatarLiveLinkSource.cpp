#include "AvatarLiveLinkSource.h"

#include "AvatarCurves.h"
#include "HAL/PlatformTime.h"
#include "ILiveLinkClient.h"
#include "Misc/ScopeLock.h"
#include "Roles/LiveLinkBasicRole.h"

#define LOCTEXT_NAMESPACE "AvatarService"

void FAvatarLiveLinkSource::ReceiveClient(ILiveLinkClient* InClient, FGuid InSourceGuid)
{
	FScopeLock Lock(&Gate);
	Client = InClient;
	SourceGuid = InSourceGuid;
	Subjects.Reset();
}

bool FAvatarLiveLinkSource::IsSourceStillValid() const
{
	return IsAdded();
}

bool FAvatarLiveLinkSource::RequestSourceShutdown()
{
	FScopeLock Lock(&Gate);
	Client = nullptr;
	return true;
}

FText FAvatarLiveLinkSource::GetSourceType() const
{
	return LOCTEXT("SourceType", "Avatar Service");
}

FText FAvatarLiveLinkSource::GetSourceMachineName() const
{
	return LOCTEXT("SourceMachine", "This game");
}

FText FAvatarLiveLinkSource::GetSourceStatus() const
{
	FScopeLock Lock(&Gate);
	return Subjects.Num() > 0 ? LOCTEXT("Active", "Active") : LOCTEXT("Waiting", "No avatar is connected");
}

bool FAvatarLiveLinkSource::IsAdded() const
{
	FScopeLock Lock(&Gate);
	return Client != nullptr;
}

void FAvatarLiveLinkSource::Publish(FName Subject, const avatar_motion& Motion)
{
	// Held while pushing, so that Live Link does not go away in between.
	FScopeLock Lock(&Gate);
	if (Client == nullptr)
	{
		return;
	}
	const FLiveLinkSubjectKey Key(SourceGuid, Subject);
	if (!Subjects.Contains(Subject))
	{
		FLiveLinkStaticDataStruct StaticData(FLiveLinkBaseStaticData::StaticStruct());
		StaticData.Cast<FLiveLinkBaseStaticData>()->PropertyNames = AvatarCurves::LiveLinkNames();
		Client->PushSubjectStaticData_AnyThread(Key, ULiveLinkBasicRole::StaticClass(), MoveTemp(StaticData));
		Subjects.Add(Subject);
	}
	FLiveLinkFrameDataStruct FrameData(FLiveLinkBaseFrameData::StaticStruct());
	FLiveLinkBaseFrameData* Frame = FrameData.Cast<FLiveLinkBaseFrameData>();
	AvatarCurves::LiveLinkValues(Motion, Frame->PropertyValues);
	Frame->WorldTime = FLiveLinkWorldTime(FPlatformTime::Seconds());
	Client->PushSubjectFrameData_AnyThread(Key, MoveTemp(FrameData));
}

void FAvatarLiveLinkSource::Forget(FName Subject)
{
	FScopeLock Lock(&Gate);
	if (Client != nullptr && Subjects.Remove(Subject) > 0)
	{
		Client->RemoveSubject_AnyThread(FLiveLinkSubjectKey(SourceGuid, Subject));
	}
}

#undef LOCTEXT_NAMESPACE
