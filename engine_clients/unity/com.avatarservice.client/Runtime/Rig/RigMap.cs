using System;
using System.Collections.Generic;
using AvatarService.Client.Interop;
using UnityEngine;

namespace AvatarService.Client.Rig
{
    /// <summary>Weight that a shape takes for a full expression.</summary>
    public enum WeightScale
    {
        /// <summary>What the mesh says (Mesh.GetBlendShapeFrameWeight): 100 for FBX, 1 for glTF.</summary>
        Automatic = 0,
        ZeroToOne = 1,
        ZeroToHundred = 100
    }

    /// <summary>One blend shape and what drives it.</summary>
    internal struct ShapeBinding
    {
        public SkinnedMeshRenderer Renderer;
        public int Shape;
        public ShapeKind Kind;
        /// <summary>Channel or viseme.</summary>
        public int Index;
        /// <summary>Weight for a full expression.</summary>
        public float Scale;
    }

    /// <summary>Which shapes of which meshes are driven by what, and what does not match.</summary>
    public sealed class RigMap
    {
        // An ARKit mouth is there where more than half of its 24 mouth shapes and the jaw are.
        private const int FirstMouth = 17, LastMouth = 40, EnoughMouth = 12;

        private readonly List<ShapeBinding> _found = new List<ShapeBinding>();

        /// <summary>Looks at the meshes; overrides: "shape name = ARKit name" where names fail.</summary>
        public RigMap(IList<SkinnedMeshRenderer> renderers, IList<ShapeOverride> overrides,
                      WeightScale scale)
        {
            Report = new RigReport();
            foreach (SkinnedMeshRenderer renderer in renderers)
            {
                if (renderer == null || renderer.sharedMesh == null) continue;
                Report.NumMeshes++;
                Inspect(renderer, overrides, scale);
            }
            ChooseMouth();
            Bindings = _found.ToArray();
            Report.Finish(Bindings);
        }

        /// <summary>What matches and what does not.</summary>
        public RigReport Report { get; private set; }

        internal ShapeBinding[] Bindings { get; private set; }

        private void Inspect(SkinnedMeshRenderer renderer, IList<ShapeOverride> overrides,
                             WeightScale scale)
        {
            Mesh mesh = renderer.sharedMesh;
            for (int shape = 0; shape < mesh.blendShapeCount; shape++)
            {
                string name = mesh.GetBlendShapeName(shape);
                int index;
                ShapeKind kind = Find(name, overrides, out index);
                if (kind == ShapeKind.Unknown)
                {
                    Report.UnknownShapes.Add(name);
                    continue;
                }
                ShapeBinding binding = new ShapeBinding();
                binding.Renderer = renderer;
                binding.Shape = shape;
                binding.Kind = kind;
                binding.Index = index;
                float full = mesh.GetBlendShapeFrameWeight(shape,
                                                           mesh.GetBlendShapeFrameCount(shape) - 1);
                binding.Scale = scale == WeightScale.Automatic ? full : (float)scale;
                Report.CheckScale(renderer.name + "/" + name, full, binding.Scale);
                _found.Add(binding);
            }
        }

        private static ShapeKind Find(string name, IList<ShapeOverride> overrides, out int index)
        {
            if (overrides != null)
            {
                foreach (ShapeOverride entry in overrides)
                {
                    if (entry.shape != name) continue;
                    index = -1;
                    return string.IsNullOrEmpty(entry.drivenBy)
                        ? ShapeKind.Unknown : ShapeNames.Find(entry.drivenBy, out index);
                }
            }
            return ShapeNames.Find(name, out index);
        }

        // A mesh with both has them for one mouth: driving both would open it twice.
        private void ChooseMouth()
        {
            int numMouth = 0;
            bool hasVisemes = false;
            foreach (ShapeBinding binding in _found)
            {
                hasVisemes |= binding.Kind == ShapeKind.Viseme;
                if (IsMouth(binding)) numMouth++;
            }
            if (!hasVisemes) return;
            Report.DrivesVisemes = numMouth < EnoughMouth;
            bool visemes = Report.DrivesVisemes;
            _found.RemoveAll(delegate(ShapeBinding binding)
            {
                return visemes ? IsMouth(binding) : binding.Kind == ShapeKind.Viseme;
            });
        }

        private static bool IsMouth(ShapeBinding binding)
        {
            return binding.Kind == ShapeKind.Expression && binding.Index >= FirstMouth &&
                   binding.Index <= LastMouth;
        }
    }

    /// <summary>Says by hand what drives a shape whose name is not recognised, or wrongly.</summary>
    [Serializable]
    public sealed class ShapeOverride
    {
        [Tooltip("Name of the blend shape, exactly.")]
        public string shape = "";
        [Tooltip("ARKit or viseme name that drives it; empty: nothing does.")]
        public string drivenBy = "";
    }
}
