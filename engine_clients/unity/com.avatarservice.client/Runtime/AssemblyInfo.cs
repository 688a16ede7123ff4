using System.Runtime.CompilerServices;

[assembly: InternalsVisibleTo("AvatarService.Client.Editor")]
[assembly: InternalsVisibleTo("AvatarService.Client.Tests")]
[assembly: InternalsVisibleTo("AvatarService.Client.PlayTests")]
