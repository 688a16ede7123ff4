using UnityEngine;

namespace AvatarService.Client.Samples
{
    /// <summary>A character that speaks line after line and looks at the player meanwhile. Put it on
    /// the character's root beside an AvatarSpeaker and an AvatarRig.</summary>
    [RequireComponent(typeof(AvatarSpeaker))]
    [RequireComponent(typeof(AvatarRig))]
    public sealed class RiggedHead : MonoBehaviour
    {
        public AudioClip[] lines = new AudioClip[0];
        [Tooltip("Degrees to the character's left, and down, at which the player stands.")]
        public Vector2 playerDirection;

        private AvatarSpeaker _speaker;
        private int _next;

        private void Start()
        {
            _speaker = GetComponent<AvatarSpeaker>();
            if (!GetComponent<AvatarRig>().Report.IsUsable)
                Debug.LogWarning("open Window > Avatar Service: the rig does not match");
        }

        private void Update()
        {
            if (_speaker.State != AvatarState.Ready || _speaker.IsSpeaking) return;
            if (_next >= lines.Length) return;
            _speaker.SetControls(new AvatarControls().GazeDirection(playerDirection.x,
                                                                    playerDirection.y));
            _speaker.Speak(lines[_next++]);
        }
    }
}
