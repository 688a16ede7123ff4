using UnityEngine;

namespace AvatarService.Client.Samples
{
    /// <summary>One of many: it has a session only while the listener is near, for a service has room
    /// for so many faces at once. All of them share one AvatarClient.</summary>
    [RequireComponent(typeof(AvatarSpeaker))]
    public sealed class NearbyNpc : MonoBehaviour
    {
        public Transform listener;
        [Tooltip("Metres at which it wakes; it sleeps again half as far beyond.")]
        public float wakeWithin = 8f;

        private AvatarSpeaker _speaker;

        private void Start()
        {
            _speaker = GetComponent<AvatarSpeaker>();
        }

        private void Update()
        {
            float distance = (listener.position - transform.position).sqrMagnitude;
            float wake = wakeWithin * wakeWithin;
            if (!_speaker.enabled && distance < wake) _speaker.enabled = true;
            if (_speaker.enabled && distance > wake * 2.25f && !_speaker.IsSpeaking)
                _speaker.enabled = false;
        }
    }
}
