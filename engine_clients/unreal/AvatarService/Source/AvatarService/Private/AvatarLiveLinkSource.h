#pragma once

#include "CoreMinimal.h"
#include "ILiveLinkSource.h"
#include "LiveLinkTypes.h"
#include "Native/AvatarAbi.h"

class ILiveLinkClient;

/**
 * All avatars of this process as subjects of one Live Link source, under the property names of
 * Unreal's own ARKit face source, which MetaHumans and other ARKit rigs map.
 *
 * Publish and Forget: any thread. The rest: the game thread, called by Live Link.
 */
class FAvatarLiveLinkSource final : public ILiveLinkSource
{
public:
	// ILiveLinkSource
	virtual void ReceiveClient(ILiveLinkClient* InClient, FGuid InSourceGuid) override;
	virtual bool IsSourceStillValid() const override;
	virtual bool RequestSourceShutdown() override;
	virtual FText GetSourceType() const override;
	virtual FText GetSourceMachineName() const override;
	virtual FText GetSourceStatus() const override;

	/** Whether Live Link holds this source. */
	bool IsAdded() const;

	void Publish(FName Subject, const avatar_motion& Motion);
	void Forget(FName Subject);

private:
	mutable FCriticalSection Gate;
	ILiveLinkClient* Client = nullptr;
	FGuid SourceGuid;
	TSet<FName> Subjects;
};
