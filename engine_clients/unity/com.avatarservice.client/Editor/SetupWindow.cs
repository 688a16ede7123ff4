using AvatarService.Client.Internal;
using AvatarService.Client.Interop;
using AvatarService.Client.Rig;
using UnityEditor;
using UnityEngine;

namespace AvatarService.Client.Editor
{
    /// <summary>Window > Avatar Service: the library, the service, every speaker and rig.</summary>
    public sealed class SetupWindow : EditorWindow
    {
        private AvatarClient _client;
        private BackgroundJob<ServerInfo> _job;
        private string _server = "";
        private bool _isServerFine;
        private Vector2 _scroll;

        [MenuItem("Window/Avatar Service")]
        public static void Open()
        {
            GetWindow<SetupWindow>("Avatar Service");
        }

        private void OnGUI()
        {
            _scroll = EditorGUILayout.BeginScrollView(_scroll);
            GUILayout.Label("Installation", EditorStyles.boldLabel);
            System.Collections.Generic.List<string> problems = SetupCheck.InstallationProblems();
            foreach (string problem in problems) EditorGUILayout.HelpBox(problem, MessageType.Error);
            if (problems.Count == 0)
                EditorGUILayout.LabelField("Native library", NativeLibrary.Version);
            ShowService();
            foreach (AvatarSpeaker speaker in FindObjectsOfType<AvatarSpeaker>())
                ShowSpeaker(speaker);
            foreach (AvatarRig rig in FindObjectsOfType<AvatarRig>()) ShowRig(rig);
            EditorGUILayout.EndScrollView();
        }

        private void Update()
        {
            if (_job == null || !_job.IsDone) return;
            _isServerFine = _job.Error == null;
            _server = _isServerFine
                ? "Avatar Service " + _job.Result.ProductVersion + " on " + _job.Result.Device +
                  ", " + _job.Result.NumSessions + " sessions"
                : _job.Error.Message;
            _job = null;
            Repaint();
        }

        private void ShowService()
        {
            GUILayout.Label("Service", EditorStyles.boldLabel);
            _client = (AvatarClient)EditorGUILayout.ObjectField("Client", _client,
                                                                typeof(AvatarClient), false);
            if (_client != null && _job == null && GUILayout.Button("Connect")) Connect();
            if (_job != null) EditorGUILayout.LabelField("connecting ...");
            else if (_server.Length > 0)
                EditorGUILayout.HelpBox(_server, _isServerFine ? MessageType.Info : MessageType.Error);
        }

        private void Connect()
        {
            try
            {
                _job = _client.CheckServer();
            }
            catch (AvatarException error)
            {
                _isServerFine = false;
                _server = error.Message;
            }
        }

        private static void ShowSpeaker(AvatarSpeaker speaker)
        {
            GUILayout.Label("Speaker " + speaker.name, EditorStyles.boldLabel);
            System.Collections.Generic.List<string> problems = SetupCheck.Problems(speaker);
            foreach (string problem in problems) EditorGUILayout.HelpBox(problem, MessageType.Warning);
            if (problems.Count == 0) EditorGUILayout.LabelField("nothing is missing");
        }

        private static void ShowRig(AvatarRig rig)
        {
            GUILayout.Label("Rig " + rig.name, EditorStyles.boldLabel);
            RigReport report = SetupCheck.Report(rig);
            EditorGUILayout.HelpBox(report.ToString(),
                                    report.IsUsable ? MessageType.Info : MessageType.Warning);
        }
    }
}
