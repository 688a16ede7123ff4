using System.IO;
using UnrealBuildTool;

/// The native client behind its C interface. engine_clients/unreal/package.py fills include/, lib/
/// and Binaries/ThirdParty/AvatarClient/; gRPC, protobuf and OpenSSL stay inside the library.
public class AvatarClient : ModuleRules
{
	public AvatarClient(ReadOnlyTargetRules Target) : base(Target)
	{
		Type = ModuleType.External;
		PublicSystemIncludePaths.Add(Path.Combine(ModuleDirectory, "include"));

		string Binaries = Path.Combine(PluginDirectory, "Binaries", "ThirdParty", "AvatarClient");
		if (Target.Platform == UnrealTargetPlatform.Win64)
		{
			PublicAdditionalLibraries.Add(Path.Combine(ModuleDirectory, "lib", "Win64", "avatar_client.lib"));
			PublicDelayLoadDLLs.Add("avatar_client.dll");
			Ship(Path.Combine(Binaries, "Win64", "avatar_client.dll"));
		}
		else if (Target.Platform == UnrealTargetPlatform.Mac)
		{
			string Library = Path.Combine(Binaries, "Mac", "libavatar_client.1.dylib");
			PublicDelayLoadDLLs.Add(Library);
			Ship(Library);
		}
		else if (Target.Platform == UnrealTargetPlatform.Linux)
		{
			string Folder = Path.Combine(Binaries, "Linux");
			PublicAdditionalLibraries.Add(Path.Combine(Folder, "libavatar_client.so"));
			PublicRuntimeLibraryPaths.Add(Folder);
			string Library = Path.Combine(Folder, "libavatar_client.so.1");
			PublicDelayLoadDLLs.Add(Library);
			Ship(Library);
		}
		else
		{
			throw new BuildException("AvatarClient has no library for {0}", Target.Platform);
		}
	}

	private void Ship(string Library)
	{
		if (!File.Exists(Library))
		{
			throw new BuildException("{0} is missing: run engine_clients/unreal/package.py", Library);
		}
		RuntimeDependencies.Add(Library);
	}
}
