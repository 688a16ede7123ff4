using System.Collections.Generic;
using AvatarService.Client.Rig;
using UnityEngine;

namespace AvatarService.Client
{
    /// <summary>What turns the eyes: bones or the eyeLook* shapes, never both.</summary>
    public enum GazeTarget
    {
        /// <summary>Eye bones where they are set, else the shapes.</summary>
        Automatic,
        EyeBones,
        Shapes,
        None
    }

    public sealed partial class AvatarRig
    {
        [Tooltip("Whose motion to show; none: the speaker on this object or above it.")]
        public AvatarSpeaker speaker;
        [Tooltip("The meshes with blend shapes; empty: all below this object.")]
        public List<SkinnedMeshRenderer> renderers = new List<SkinnedMeshRenderer>();
        [Tooltip("Weight of a full expression: leave it to the mesh.")]
        public WeightScale weightScale = WeightScale.Automatic;
        [Tooltip("For shapes with names of their own.")]
        public List<ShapeOverride> overrides = new List<ShapeOverride>();
        [Range(0f, 2f)]
        [Tooltip("Strength of the expressions.")]
        public float expressionStrength = 1f;

        [Header("Bones; empty ones are looked for")]
        [Tooltip("Faces along its +Z; none: this object.")]
        public Transform character;
        public Transform head;
        [Tooltip("Takes its share of the head's turn.")]
        public Transform neck;
        [Range(0f, 1f)]
        public float neckShare = 0.3f;
        public Transform leftEye;
        public Transform rightEye;
        [Tooltip("What turns the eyes.")]
        public GazeTarget gaze = GazeTarget.Automatic;
        [Range(0f, 2f)]
        [Tooltip("Strength of head turns.")]
        public float headStrength = 1f;
        [Range(0f, 2f)]
        [Tooltip("How far the head moves; most rigs have a neck that does not like it.")]
        public float headTranslation;
        [Tooltip("Turn the head on top of what an Animator does in the same frame.")]
        public bool isAdditive;

        /// <summary>What matches and what does not; null before the first use.</summary>
        public RigReport Report
        {
            get { return _map == null ? null : _map.Report; }
        }

        /// <summary>The 71 channels that are shown, in the order of NativeLibrary.ChannelNames.</summary>
        public float[] Channels
        {
            get { return _channels; }
        }

        /// <summary>1: motion as received; 0: at rest, because nothing is due.</summary>
        public float Presence { get; private set; }

        /// <summary>True where eye bones turn the eyes.</summary>
        public bool DrivesEyeBones { get; private set; }
    }
}
