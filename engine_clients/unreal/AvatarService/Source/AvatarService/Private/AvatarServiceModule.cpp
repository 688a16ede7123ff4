#include "AvatarServiceModule.h"

#include "AvatarLiveLinkSource.h"
#include "AvatarSession.h"
#include "Features/IModularFeatures.h"
#include "HAL/PlatformProcess.h"
#include "ILiveLinkClient.h"
#include "Interfaces/IPluginManager.h"
#include "Misc/Paths.h"
#include "Native/AvatarAbi.h"

DEFINE_LOG_CATEGORY(LogAvatarService);
IMPLEMENT_MODULE(FAvatarServiceModule, AvatarService)

namespace
{
#if PLATFORM_WINDOWS
	const TCHAR* const LibraryPath = TEXT("Win64/avatar_client.dll");
#elif PLATFORM_MAC
	const TCHAR* const LibraryPath = TEXT("Mac/libavatar_client.1.dylib");
#else
	const TCHAR* const LibraryPath = TEXT("Linux/libavatar_client.so.1");
#endif
}

FAvatarServiceModule& FAvatarServiceModule::Get()
{
	return FModuleManager::LoadModuleChecked<FAvatarServiceModule>(TEXT("AvatarService"));
}

void FAvatarServiceModule::StartupModule()
{
	const TSharedPtr<IPlugin> Plugin = IPluginManager::Get().FindPlugin(TEXT("AvatarService"));
	check(Plugin.IsValid());
	const FString Path = FPaths::Combine(Plugin->GetBaseDir(), TEXT("Binaries/ThirdParty/AvatarClient"), LibraryPath);
	// Delay-loaded: nothing of it may be called before this has succeeded.
	LibraryHandle = FPlatformProcess::GetDllHandle(*Path);
	if (LibraryHandle == nullptr)
	{
		LibraryFault = FString::Printf(TEXT("the native library %s cannot be loaded"), *Path);
	}
	else
	{
		const AvatarAbi::Fault Fault = AvatarAbi::CheckVersion();
		LibraryFault = UTF8_TO_TCHAR(Fault.Message.c_str());
	}
	if (!LibraryFault.IsEmpty())
	{
		UE_LOG(LogAvatarService, Error, TEXT("Avatar Service does not work: %s"), *LibraryFault);
	}
}

void FAvatarServiceModule::ShutdownModule()
{
	for (const TSharedPtr<FAvatarSession>& Session : Retired)
	{
		Session->Join();
	}
	Retired.Empty();
	LiveLinkSource.Reset();
	if (LibraryHandle != nullptr)
	{
		FPlatformProcess::FreeDllHandle(LibraryHandle);
		LibraryHandle = nullptr;
	}
}

TSharedRef<FAvatarLiveLinkSource> FAvatarServiceModule::GetLiveLinkSource()
{
	if (!LiveLinkSource.IsValid())
	{
		LiveLinkSource = MakeShared<FAvatarLiveLinkSource>();
	}
	return LiveLinkSource.ToSharedRef();
}

TSharedPtr<FAvatarLiveLinkSource> FAvatarServiceModule::AddLiveLinkSource()
{
	IModularFeatures& Features = IModularFeatures::Get();
	if (!Features.IsModularFeatureAvailable(ILiveLinkClient::ModularFeatureName))
	{
		UE_LOG(LogAvatarService, Error, TEXT("Live Link is not there: enable the plugin, or leave Live Link Subject empty"));
		return nullptr;
	}
	const TSharedRef<FAvatarLiveLinkSource> Source = GetLiveLinkSource();
	if (!Source->IsAdded())
	{
		Features.GetModularFeature<ILiveLinkClient>(ILiveLinkClient::ModularFeatureName).AddSource(Source);
	}
	return Source;
}

void FAvatarServiceModule::Retire(TSharedPtr<FAvatarSession>&& Session)
{
	Retired.RemoveAll([](const TSharedPtr<FAvatarSession>& Other) { return Other->IsFinished(); });
	Session->RequestStop();
	Retired.Add(MoveTemp(Session));
}
