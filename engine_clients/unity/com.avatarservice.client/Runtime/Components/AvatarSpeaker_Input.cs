using AvatarService.Client.Internal;
using AvatarService.Client.Interop;
using UnityEngine;

namespace AvatarService.Client
{
    public sealed partial class AvatarSpeaker
    {
        private const float SilentBelow = 1e-3f;
        private const float SilentForSecs = 0.6f;

        private AvatarVoiceTap _tap;
        private float _lastHeardTime = float.NegativeInfinity;
        private bool _isTapSpeaking;
        private MicrophoneInput _microphone;
        private AudioRole _microphoneRole;
        private volatile float _gain = 1f;

        /// <summary>Sends a microphone: Speak, and the avatar says what the player says (volume is
        /// how loud it is heard); Listen, and it listens. device null: the default one.</summary>
        public void StartMicrophone(string device, AudioRole role, float volume)
        {
            StopMicrophone();
            _microphone = new MicrophoneInput(device);
            _microphoneRole = role;
            _gain = role == AudioRole.Speak ? volume : 1f;
        }

        /// <summary>Stops sending the microphone.</summary>
        public void StopMicrophone()
        {
            if (_microphone == null) return;
            _microphone.Stop();
            _microphone = null;
            if (_microphoneRole == AudioRole.Speak) EndSpeech();
            else if (Session != null && Session.IsOpen) Session.EndSegment(AudioRole.Listen);
        }

        private void StartInput()
        {
            _gain = 1f;
            if (voiceSource == null) return;
            if (voiceSource == _source)
            {
                Fail(new AvatarException(AvatarStatus.InvalidArgument, "",
                    "the voice source of " + name + " has to be on another object: the speaker's " +
                    "own AudioSource plays the delayed voice", 0));
                return;
            }
            _tap = voiceSource.gameObject.AddComponent<AvatarVoiceTap>();
        }

        private void StopInput()
        {
            StopMicrophone();
            if (_tap != null) Destroy(_tap);
            _tap = null;
            _isTapSpeaking = false;
        }

        private void UpdateInput()
        {
            if (_microphone != null) SendMicrophone();
            if (_tap == null || State != AvatarState.Ready) return;
            int count = _tap.Read();
            if (_tap.Peak > SilentBelow) _lastHeardTime = Time.unscaledTime;
            bool isSpeaking = Time.unscaledTime - _lastHeardTime < SilentForSecs;
            bool isBusy = _voice != null && _stream == null;  // a clip is being said
            if (isSpeaking && count > 0 && !isBusy)
                SpeakSamples(_tap.Samples, count, 1, AudioSettings.outputSampleRate);
            if (_isTapSpeaking && !isSpeaking) EndSpeech();
            _isTapSpeaking = isSpeaking;
        }

        private void SendMicrophone()
        {
            int count;
            while ((count = _microphone.Read()) > 0)
            {
                if (State != AvatarState.Ready) continue;
                if (_microphoneRole == AudioRole.Speak)
                    SpeakSamples(_microphone.Samples, count, 1, _microphone.RateHz);
                else
                    Session.PushAudio(_microphone.Samples, count, 1, _microphone.RateHz,
                                      AudioRole.Listen);
            }
        }

        // Audio thread.
        private void OnAudioFilterRead(float[] data, int channels)
        {
            StreamVoice stream = _stream;
            if (stream != null) stream.Fill(data, channels, AudioSettings.dspTime, _gain);
        }
    }
}
