using System.Collections.Generic;
using AvatarService.Client.Interop;
using AvatarService.Client.Rig;
using UnityEngine;

namespace AvatarService.Client
{
    /// <summary>Drives blend shapes and bones of any character with a speaker's motion.</summary>
    [AddComponentMenu("Avatar Service/Avatar Rig")]
    public sealed partial class AvatarRig : MonoBehaviour
    {
        private const float MetersPerUnit = 0.09f;  // outer eye corners, avatar.motion.v1
        private const float RestSecs = 0.1f;        // time constant of easing to rest
        private const int HeadRotation = 52, HeadTranslation = 55, Gaze = 58, Speech = 70;

        private readonly float[] _channels = new float[RingLayout.MotionFloats];
        private readonly float[] _visemes = new float[15];
        private NativeMotion _motion = NativeMotion.Create();
        private bool _isAtRest = true;
        private RigMap _map;
        private BonePose _head, _neck, _leftEye, _rightEye;

        private void OnEnable()
        {
            if (speaker == null) speaker = GetComponentInParent<AvatarSpeaker>();
            try
            {
                Rebuild();
            }
            catch (AvatarException error)
            {
                Debug.LogError("Avatar Service: " + error.Message, this);
                enabled = false;
                return;
            }
            if (!Report.IsUsable) Debug.LogWarning("Avatar Service: " + name + ": " + Report, this);
        }

        private void OnDisable()
        {
            if (_map != null)
            {
                foreach (ShapeBinding binding in _map.Bindings)
                {
                    if (binding.Renderer != null)
                        binding.Renderer.SetBlendShapeWeight(binding.Shape, 0);
                }
            }
            if (_head != null) _head.Rest();
            if (_neck != null) _neck.Rest();
            if (_leftEye != null) _leftEye.Rest();
            if (_rightEye != null) _rightEye.Rest();
            _head = _neck = _leftEye = _rightEye = null;
        }

        /// <summary>Looks at the meshes and bones again, after a change of either.</summary>
        public void Rebuild()
        {
            IList<SkinnedMeshRenderer> meshes = renderers;
            if (meshes.Count == 0) meshes = GetComponentsInChildren<SkinnedMeshRenderer>();
            _map = new RigMap(meshes, overrides, weightScale);
            BoneFinder.Fill(this);
            Transform reference = character == null ? transform : character;
            _head = head == null ? null : new BonePose(head, reference);
            _neck = neck == null || head == null ? null : new BonePose(neck, reference);
            bool hasBones = leftEye != null && rightEye != null;
            DrivesEyeBones = hasBones &&
                             (gaze == GazeTarget.Automatic || gaze == GazeTarget.EyeBones);
            _leftEye = DrivesEyeBones ? new BonePose(leftEye, reference) : null;
            _rightEye = DrivesEyeBones ? new BonePose(rightEye, reference) : null;
            if (gaze == GazeTarget.EyeBones && !hasBones)
                Report.Problems.Add("gaze is to turn eye bones, but they are not set");
        }

        private void LateUpdate()
        {
            bool hasMotion = speaker != null && speaker.Session != null && speaker.HasTime &&
                             speaker.Session.TryReadMotion(speaker.DuePtsNanos, ref _motion);
            if (hasMotion)
            {
                Presence = _motion.Presence;
                CopyChannels();
                _isAtRest = false;
                Apply();
            }
            else if (!_isAtRest)
            {
                EaseToRest();
            }
        }

        // The session has gone (closed, failed): nobody keeps a mouth open that says nothing.
        private void EaseToRest()
        {
            float keep = Mathf.Exp(-Time.unscaledDeltaTime / RestSecs);
            float largest = 0f;
            for (int i = 0; i < _channels.Length; i++)
            {
                _channels[i] *= keep;
                largest = Mathf.Max(largest, Mathf.Abs(_channels[i]));
            }
            _isAtRest = largest < 0.002f;
            if (_isAtRest) System.Array.Clear(_channels, 0, _channels.Length);
            Presence = 0f;
            Apply();
        }

        private unsafe void CopyChannels()
        {
            fixed (float* from = _motion.Channels)
            {
                for (int i = 0; i < _channels.Length; i++) _channels[i] = from[i];
            }
        }

        /// <summary>Shows Channels on the rig; LateUpdate does it for what the service sends.</summary>
        public void Apply()
        {
            bool areEyeShapesFree = gaze == GazeTarget.Automatic || gaze == GazeTarget.Shapes;
            areEyeShapesFree &= !DrivesEyeBones;
            if (Report.DrivesVisemes)
                Visemes.FromExpression(_channels, _channels[Speech], _visemes);
            ShapeBinding[] bindings = _map.Bindings;
            for (int i = 0; i < bindings.Length; i++)
            {
                float value;
                if (bindings[i].Kind == ShapeKind.Viseme) value = _visemes[bindings[i].Index];
                else if (IsEyeLook(bindings[i].Index)) value =
                    areEyeShapesFree ? _channels[bindings[i].Index] : 0f;
                else value = _channels[bindings[i].Index] * expressionStrength;
                bindings[i].Renderer.SetBlendShapeWeight(bindings[i].Shape,
                                                         Mathf.Clamp01(value) * bindings[i].Scale);
            }
            ApplyBones();
        }

        private void ApplyBones()
        {
            float yaw = _channels[HeadRotation] * headStrength;
            float pitch = _channels[HeadRotation + 1] * headStrength;
            float roll = _channels[HeadRotation + 2] * headStrength;
            float share = _neck == null ? 0f : neckShare;
            if (_neck != null) _neck.Turn(yaw * share, pitch * share, roll * share, isAdditive);
            if (_head != null)
            {
                float rest = 1f - share;
                _head.Turn(yaw * rest, pitch * rest, roll * rest, isAdditive);
                if (headTranslation > 0f) MoveHead(headTranslation * MetersPerUnit);
            }
            if (!DrivesEyeBones) return;
            _leftEye.Turn(_channels[Gaze], _channels[Gaze + 1], 0f, false);
            _rightEye.Turn(_channels[Gaze + 2], _channels[Gaze + 3], 0f, false);
        }

        private void MoveHead(float scale)
        {
            _head.Move(_channels[HeadTranslation] * scale, _channels[HeadTranslation + 1] * scale,
                       _channels[HeadTranslation + 2] * scale);
        }

        // eyeLook{Down,In,Out,Up}{Left,Right} in ARKit's order.
        private static bool IsEyeLook(int channel)
        {
            return (channel >= 1 && channel <= 4) || (channel >= 8 && channel <= 11);
        }
    }
}
