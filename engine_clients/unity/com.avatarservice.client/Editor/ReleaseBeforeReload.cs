using AvatarService.Client.Internal;
using UnityEditor;

namespace AvatarService.Client.Editor
{
    /// <summary>
    /// Closes everything native before the editor throws the C# domain away and when play mode
    /// ends: the library stays loaded and would go on talking to the service.
    /// </summary>
    [InitializeOnLoad]
    public static class ReleaseBeforeReload
    {
        static ReleaseBeforeReload()
        {
            AssemblyReloadEvents.beforeAssemblyReload += LiveObjects.ReleaseAll;
            EditorApplication.quitting += LiveObjects.ReleaseAll;
            EditorApplication.playModeStateChanged += OnPlayModeChanged;
        }

        /// <summary>Has the hooks set; the editor does it by itself.</summary>
        public static void Register() { }

        // Components have closed theirs in OnDisable by then; this is for what scripts forgot.
        private static void OnPlayModeChanged(PlayModeStateChange change)
        {
            if (change == PlayModeStateChange.EnteredEditMode) LiveObjects.ReleaseAll();
        }
    }
}
