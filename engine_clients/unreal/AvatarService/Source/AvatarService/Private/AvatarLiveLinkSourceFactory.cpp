#include "AvatarLiveLinkSourceFactory.h"

#include "AvatarLiveLinkSource.h"
#include "AvatarServiceModule.h"

#define LOCTEXT_NAMESPACE "AvatarService"

FText UAvatarLiveLinkSourceFactory::GetSourceDisplayName() const
{
	return LOCTEXT("SourceName", "Avatar Service");
}

FText UAvatarLiveLinkSourceFactory::GetSourceTooltip() const
{
	return LOCTEXT("SourceTooltip", "ARKit curves, head and eyes of every Avatar component of this game");
}

ULiveLinkSourceFactory::EMenuType UAvatarLiveLinkSourceFactory::GetMenuType() const
{
	return EMenuType::MenuEntry;
}

TSharedPtr<ILiveLinkSource> UAvatarLiveLinkSourceFactory::CreateSource(const FString&) const
{
	const TSharedRef<FAvatarLiveLinkSource> Source = FAvatarServiceModule::Get().GetLiveLinkSource();
	if (Source->IsAdded())
	{
		UE_LOG(LogAvatarService, Warning, TEXT("Live Link has the Avatar Service source already: every avatar is a subject of it"));
		return nullptr;
	}
	return Source;
}

#undef LOCTEXT_NAMESPACE
