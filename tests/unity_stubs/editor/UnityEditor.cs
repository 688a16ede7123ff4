using System;
using UnityEngine;

namespace UnityEditor
{
    [AttributeUsage(AttributeTargets.Class)]
    public sealed class InitializeOnLoadAttribute : Attribute { }
    [AttributeUsage(AttributeTargets.Class)]
    public sealed class CustomEditor : Attribute { public CustomEditor(Type type) { } }
    [AttributeUsage(AttributeTargets.Method)]
    public sealed class MenuItem : Attribute { public MenuItem(string path) { } }

    public enum PlayModeStateChange { EnteredEditMode, ExitingEditMode, EnteredPlayMode, ExitingPlayMode }
    public enum MessageType { None, Info, Warning, Error }

    /// <summary>Raised before the C# domain goes.</summary>
    public static class AssemblyReloadEvents
    {
        public delegate void AssemblyReloadCallback();
        public static event AssemblyReloadCallback beforeAssemblyReload;
        public static void Raise() { if (beforeAssemblyReload != null) beforeAssemblyReload(); }
    }

    public static class EditorApplication
    {
        public static event Action quitting;
        public static event Action<PlayModeStateChange> playModeStateChanged;
        public static void Raise(PlayModeStateChange change)
        {
            if (playModeStateChanged != null) playModeStateChanged(change);
        }
        public static void Quit() { if (quitting != null) quitting(); }
    }

    public class Editor : ScriptableObject
    {
        public UnityEngine.Object target;
        public virtual void OnInspectorGUI() { }
        public virtual bool RequiresConstantRepaint() { return false; }
        public bool DrawDefaultInspector() { return true; }
    }

    public class EditorWindow : ScriptableObject
    {
        public static T GetWindow<T>(string title) where T : EditorWindow, new() { return new T(); }
        public static T[] FindObjectsOfType<T>() where T : UnityEngine.Object { return new T[0]; }
        public void Repaint() { }
    }

    public static class EditorStyles { public static GUIStyle boldLabel = new GUIStyle(); }

    public static class EditorGUILayout
    {
        public static void Space() { }
        public static void LabelField(string label) { }
        public static void LabelField(string label, string value) { }
        public static void HelpBox(string text, MessageType type) { }
        public static Vector2 BeginScrollView(Vector2 position) { return position; }
        public static void EndScrollView() { }
        public static UnityEngine.Object ObjectField(string label, UnityEngine.Object value, Type type, bool allowSceneObjects) { return value; }
    }
}

namespace UnityEngine
{
    public sealed class GUIStyle { }
    public static class GUILayout
    {
        public static bool Button(string text) { return false; }
        public static void Label(string text, GUIStyle style) { }
    }
}
