#pragma once

#include "CoreMinimal.h"
#include "Modules/ModuleManager.h"

class FAvatarLiveLinkSource;
class FAvatarSession;

DECLARE_LOG_CATEGORY_EXTERN(LogAvatarService, Log, All);

/** Loads the native library; owns what all avatars share. Game thread only. */
class FAvatarServiceModule : public IModuleInterface
{
public:
	static FAvatarServiceModule& Get();

	virtual void StartupModule() override;
	virtual void ShutdownModule() override;

	/** Empty: the native library is there and fits. Otherwise why not. */
	const FString& GetLibraryFault() const { return LibraryFault; }

	TSharedRef<FAvatarLiveLinkSource> GetLiveLinkSource();
	/** The source, added to Live Link; null where the game runs without Live Link. */
	TSharedPtr<FAvatarLiveLinkSource> AddLiveLinkSource();

	/** Takes a session whose thread is to end, so that nobody waits for it but the module's own end. */
	void Retire(TSharedPtr<FAvatarSession>&& Session);

private:
	void* LibraryHandle = nullptr;
	FString LibraryFault;
	TSharedPtr<FAvatarLiveLinkSource> LiveLinkSource;
	TArray<TSharedPtr<FAvatarSession>> Retired;
};
