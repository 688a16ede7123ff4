using AvatarService.Client.Interop;
using UnityEngine;

namespace AvatarService.Client
{
    /// <summary>
    /// A change of how a face behaves: call what should change, then AvatarSpeaker.SetControls.
    /// Changes are eased and in effect within 100 ms. Angles in degrees.
    /// </summary>
    public sealed class AvatarControls
    {
        private NativeControls _values;
        private string _speakingStyle;
        private string _motionModel;

        /// <summary>Order of the emotions' weights.</summary>
        public enum Emotion
        {
            Neutral, Happy, Sad, Angry, Surprised, Afraid, Disgusted, Contemptuous
        }

        /// <summary>Let the gaze wander by itself.</summary>
        public AvatarControls GazeFree()
        {
            _values.Mask = (_values.Mask & ~6u) | 1;
            return this;
        }

        /// <summary>Look in a direction seen from the camera: yaw to the subject's left, pitch down.</summary>
        public unsafe AvatarControls GazeDirection(float yawDegrees, float pitchDegrees)
        {
            fixed (float* gaze = _values.Gaze)
            {
                gaze[0] = yawDegrees * Mathf.Deg2Rad;
                gaze[1] = pitchDegrees * Mathf.Deg2Rad;
            }
            _values.Mask = (_values.Mask & ~5u) | 2;
            return this;
        }

        /// <summary>1 as photographed, 0.5 half as far from the camera.</summary>
        public AvatarControls Distance(float distance)
        {
            _values.Distance = distance;
            _values.Mask |= 8;
            return this;
        }

        /// <summary>Weight of one emotion, 0 to 1; those not named in this change become 0.</summary>
        public unsafe AvatarControls Feel(Emotion emotion, float weight)
        {
            fixed (float* weights = _values.Emotion) weights[(int)emotion] = weight;
            _values.Mask |= 16;
            return this;
        }

        /// <summary>Strength of head motion; 1 is natural.</summary>
        public AvatarControls HeadMotion(float strength)
        {
            _values.HeadMotion = strength;
            _values.Mask |= 32;
            return this;
        }

        /// <summary>Strength of expressions; 1 is natural.</summary>
        public AvatarControls Expression(float strength)
        {
            _values.Expression = strength;
            _values.Mask |= 64;
            return this;
        }

        /// <summary>One of the service's speaking styles.</summary>
        public AvatarControls SpeakingStyle(string name)
        {
            _speakingStyle = name;
            _values.Mask |= 128;
            return this;
        }

        /// <summary>Blinks, as a multiple of the natural rate.</summary>
        public AvatarControls BlinkRate(float rate)
        {
            _values.BlinkRate = rate;
            _values.Mask |= 256;
            return this;
        }

        /// <summary>Strength of the life in silence; 0 stands still.</summary>
        public AvatarControls Idle(float strength)
        {
            _values.Idle = strength;
            _values.Mask |= 512;
            return this;
        }

        /// <summary>Keep the photo's background.</summary>
        public AvatarControls BackgroundKeep()
        {
            return Background(1, 0);
        }

        /// <summary>Cut the head out: alpha is real, composite it in the engine.</summary>
        public AvatarControls BackgroundTransparent()
        {
            return Background(2, 0);
        }

        /// <summary>One colour behind the head.</summary>
        public AvatarControls BackgroundColor(Color32 color)
        {
            return Background(3, ((uint)color.r << 16) | ((uint)color.g << 8) | color.b);
        }

        private AvatarControls Background(uint kind, uint rgb)
        {
            _values.Background = kind;
            _values.BackgroundRgb = rgb;
            _values.Mask |= 1024;
            return this;
        }

        /// <summary>Whether pictures bear the visible badge, "AI-generated"; a service may always show it.</summary>
        public AvatarControls Badge(bool isShown)
        {
            _values.Badge = isShown ? 1u : 0u;
            _values.Mask |= 4096;
            return this;
        }

        /// <summary>Who moves head and face, one of the service's motion models: "mixed", "transformer" or "rules".</summary>
        public AvatarControls MotionModel(string name)
        {
            _motionModel = name;
            _values.Mask |= 8192;
            return this;
        }

        internal unsafe void Fill(ref NativeControls target, PinnedInputs inputs)
        {
            uint size = target.StructSize;
            target = _values;
            target.StructSize = size;
            target.SpeakingStyle = inputs.Text(_speakingStyle);
            target.MotionModel = inputs.Text(_motionModel);
        }
    }
}
