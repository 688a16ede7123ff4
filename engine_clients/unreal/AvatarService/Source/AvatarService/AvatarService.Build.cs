using UnrealBuildTool;

public class AvatarService : ModuleRules
{
	public AvatarService(ReadOnlyTargetRules Target) : base(Target)
	{
		PCHUsage = PCHUsageMode.UseExplicitOrSharedPCHs;
		PublicDependencyModuleNames.AddRange(new string[] { "Core", "CoreUObject", "Engine", "LiveLinkInterface" });
		PrivateDependencyModuleNames.AddRange(new string[] { "AudioMixer", "AvatarClient", "Projects", "RHI", "SignalProcessing" });
	}
}
