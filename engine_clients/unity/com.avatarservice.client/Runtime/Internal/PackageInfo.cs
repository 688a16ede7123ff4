namespace AvatarService.Client.Internal
{
    internal static class PackageInfo
    {
        /// <summary>Version in package.json; a test compares both.</summary>
        public const string Version = "0.1.0";
    }
}
