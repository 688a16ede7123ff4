using UnityEngine;

namespace AvatarService.Client
{
    // What becomes of the speech when the service or the audio device goes away.
    public sealed partial class AvatarSpeaker
    {
        private bool _isDetached;     // speech goes on without the service
        private float _lostAt = -1f;

        private void OnConnectionLost()
        {
            if (_lostAt < 0) _lostAt = Time.unscaledTime;
            _numUnanswered = 0;
            if (_voice == null || _isDetached) return;
            if (whenConnectionIsLost == WhenConnectionIsLost.PauseSpeech) _voice.Pause();
            else Detach();
            StopClock();
        }

        // Headphones were plugged in: Unity has stopped every source and counts dspTime anew. A clip
        // goes on from where it was; of samples that came piece by piece the rest is dropped.
        private void OnDeviceChanged(bool wasDeviceChanged)
        {
            MakeClock();
            _isClockPlaying = false;
            if (_voice == null) return;
            bool isConnected = Session != null && _lostAt < 0;
            if (isConnected && Session.Interrupt(-1)) _numUnanswered++;
            if (_stream != null)
            {
                DropSpeech();
                speechEnded.Invoke(true);
                return;
            }
            _voice.Pause();
            if (_isDetached) _voice.GoOnAlone();
            else if (isConnected) _voice.SendAgain();
        }

        private void OnConnected()
        {
            bool wasLost = _lostAt >= 0;
            _lostAt = -1f;
            if (_voice == null || _isDetached || !wasLost) return;
            _segmentPtsNanos = -1;
            _gapSecs = 0;
            _voice.SendAgain();
        }

        private void Detach()
        {
            _isDetached = true;
            _voice.GoOnAlone();
        }
    }
}
