using UnityEngine;

namespace AvatarService.Client.Samples
{
    /// <summary>Says a clip when the face is ready, and falls silent when it is interrupted. Put it
    /// beside an AvatarSpeaker (with a photo) and an AvatarTexture (with a RawImage).</summary>
    [RequireComponent(typeof(AvatarSpeaker))]
    public sealed class TalkingPortrait : MonoBehaviour
    {
        public AudioClip clip;

        private AvatarSpeaker _speaker;

        private void Start()
        {
            _speaker = GetComponent<AvatarSpeaker>();
            _speaker.stateChanged.AddListener(OnState);
            _speaker.failed.AddListener(OnFailed);
        }

        /// <summary>For a button: somebody cuts in.</summary>
        public void CutIn()
        {
            _speaker.Interrupt();
        }

        private void OnState(AvatarState state)
        {
            if (state != AvatarState.Ready || _speaker.IsSpeaking) return;
            _speaker.SetControls(new AvatarControls().Feel(AvatarControls.Emotion.Happy, 0.4f));
            _speaker.Speak(clip);
        }

        private void OnFailed(string line)
        {
            Debug.Log("the portrait cannot speak: " + line);
        }
    }
}
