using AvatarService.Client.Interop;
using AvatarService.Client.Rig;
using UnityEditor;
using UnityEngine;

namespace AvatarService.Client.Editor
{
    /// <summary>Shows what of the rig matches below its settings.</summary>
    [CustomEditor(typeof(AvatarRig))]
    public sealed class AvatarRigInspector : UnityEditor.Editor
    {
        private RigReport _report;

        public override void OnInspectorGUI()
        {
            DrawDefaultInspector();
            AvatarRig rig = (AvatarRig)target;
            EditorGUILayout.Space();
            if (GUILayout.Button("Check the rig")) _report = Check(rig);
            RigReport report = Application.isPlaying ? rig.Report : _report;
            if (report != null)
                EditorGUILayout.HelpBox(report.ToString(),
                                        report.IsUsable ? MessageType.Info : MessageType.Warning);
            if (Application.isPlaying && rig.Report != null)
                EditorGUILayout.LabelField("Presence", rig.Presence.ToString("0.00"));
        }

        /// <summary>Looks at a rig without touching it.</summary>
        public static RigReport Check(AvatarRig rig)
        {
            try
            {
                System.Collections.Generic.IList<SkinnedMeshRenderer> meshes = rig.renderers;
                if (meshes.Count == 0) meshes = rig.GetComponentsInChildren<SkinnedMeshRenderer>();
                return new RigMap(meshes, rig.overrides, rig.weightScale).Report;
            }
            catch (AvatarException error)
            {
                RigReport report = new RigReport();
                report.Problems.Add(error.Message);
                return report;
            }
        }
    }
}
