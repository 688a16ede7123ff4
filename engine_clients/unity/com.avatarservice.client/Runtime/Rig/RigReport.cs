using System.Collections.Generic;
using System.Text;
using AvatarService.Client.Interop;

namespace AvatarService.Client.Rig
{
    /// <summary>What of a rig matches and what does not, for the inspector and the setup window.</summary>
    public sealed class RigReport
    {
        /// <summary>ARKit coefficients that no shape shows.</summary>
        public readonly List<string> MissingExpressions = new List<string>();

        /// <summary>Shapes that nothing drives.</summary>
        public readonly List<string> UnknownShapes = new List<string>();

        /// <summary>What is wrong, one line each; empty: nothing.</summary>
        public readonly List<string> Problems = new List<string>();

        public int NumMeshes;
        public int NumDriven;
        public bool DrivesVisemes;

        private readonly HashSet<float> _scales = new HashSet<float>();

        /// <summary>True where a face will move as it should.</summary>
        public bool IsUsable
        {
            get { return NumDriven > 0 && Problems.Count == 0; }
        }

        internal void CheckScale(string shape, float meshSays, float used)
        {
            _scales.Add(used);
            if (meshSays == used) return;
            Problems.Add(shape + ": weights are scaled to " + used + " but the mesh is full at " +
                         meshSays + ": set the scale to Automatic");
        }

        internal void Finish(ShapeBinding[] bindings)
        {
            NumDriven = bindings.Length;
            bool[] isShown = new bool[ShapeNames.NumExpressions];
            foreach (ShapeBinding binding in bindings)
            {
                if (binding.Kind == ShapeKind.Expression) isShown[binding.Index] = true;
            }
            string[] names = NativeLibrary.ChannelNames;
            for (int i = 0; i < isShown.Length; i++)
            {
                if (!isShown[i]) MissingExpressions.Add(names[i]);
            }
            foreach (float scale in _scales)
            {
                if (scale == 1f || scale == 100f) continue;
                Problems.Add("some shapes are full at a weight of " + scale + "; 1 or 100 is usual");
            }
            if (NumMeshes == 0) Problems.Add("there is no SkinnedMeshRenderer with a mesh");
            else if (NumDriven == 0)
                Problems.Add("no blend shape has a name that is known: add overrides, or rename " +
                             "them as ARKit does (jawOpen, eyeBlinkLeft, ...)");
            else if (!DrivesVisemes && MissingExpressions.Contains("jawOpen"))
                Problems.Add("no shape opens the jaw (jawOpen): the mouth will not move as it speaks");
        }

        /// <summary>Some lines for a person.</summary>
        public override string ToString()
        {
            StringBuilder text = new StringBuilder();
            text.AppendLine(NumDriven + " blend shapes of " + NumMeshes + " meshes are driven" +
                            (DrivesVisemes ? ", the mouth by visemes" : ""));
            foreach (string problem in Problems) text.AppendLine("PROBLEM " + problem);
            if (MissingExpressions.Count > 0)
                text.AppendLine("not shown: " + string.Join(", ", MissingExpressions.ToArray()));
            if (UnknownShapes.Count > 0)
                text.AppendLine("not driven: " + string.Join(", ", UnknownShapes.ToArray()));
            return text.ToString();
        }
    }
}
