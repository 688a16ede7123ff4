using UnityEditor;
using UnityEngine;

namespace AvatarService.Client.Editor
{
    /// <summary>Says what is missing before play, and how the stream is doing during it.</summary>
    [CustomEditor(typeof(AvatarSpeaker))]
    public sealed class AvatarSpeakerInspector : UnityEditor.Editor
    {
        public override bool RequiresConstantRepaint()
        {
            return Application.isPlaying;
        }

        public override void OnInspectorGUI()
        {
            DrawDefaultInspector();
            AvatarSpeaker speaker = (AvatarSpeaker)target;
            EditorGUILayout.Space();
            if (!Application.isPlaying)
            {
                foreach (string problem in SetupCheck.Problems(speaker))
                    EditorGUILayout.HelpBox(problem, MessageType.Warning);
                return;
            }
            EditorGUILayout.LabelField("State", speaker.State.ToString());
            if (speaker.LastError != null)
                EditorGUILayout.HelpBox(speaker.LastError.Message, MessageType.Error);
            if (speaker.State != AvatarState.Ready) return;
            AvatarStatistics statistics = speaker.Statistics;
            EditorGUILayout.LabelField("Transport", statistics.Transport.ToString());
            EditorGUILayout.LabelField("Frames", statistics.FramesShown + " shown, " +
                                       statistics.FramesSkipped + " skipped, " +
                                       statistics.ReadsStarved + " late");
            EditorGUILayout.LabelField("Behind the service",
                                       statistics.DelayMillis.ToString("0") + " ms");
            EditorGUILayout.LabelField("Audio clock", speaker.DriftMillis.ToString("0.0") + " ms, " +
                                       speaker.DeviceRatePpm.ToString("0") + " ppm");
        }
    }
}
