using AvatarService.Client.Internal;
using AvatarService.Client.Interop;
using UnityEngine;

namespace AvatarService.Client
{
    public sealed partial class AvatarSpeaker
    {
        private const float SilentBelow = 1e-3f;
        private const float SilentForSecs = 0.6f;
        private const int CaptureSecs = 2;

        private SampleQueue _capture;       // from the audio thread: what the AudioSource plays
        private float[] _captured;
        private float _silentSecs;
        private MicrophoneInput _microphone;
        private AudioRole _microphoneRole;
        private float _microphoneGain;

        /// <summary>Sends a microphone: Speak, and the avatar says what the player says (volume is
        /// how loud it is heard); Listen, and it listens. device null: the default one.</summary>
        public void StartMicrophone(string device, AudioRole role, float volume)
        {
            StopMicrophone();
            _microphone = new MicrophoneInput(device);
            _microphoneRole = role;
            _microphoneGain = volume;
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
            _silentSecs = SilentForSecs;
            if (!speakAudioSource) return;
            int rateHz = AudioSettings.outputSampleRate;
            _captured = new float[rateHz * CaptureSecs];
            _capture = new SampleQueue(rateHz * CaptureSecs);
        }

        private void UpdateInput()
        {
            if (_microphone != null) SendMicrophone();
            if (_capture == null) return;
            int count = 0;
            float sample;
            float peak = 0;
            while (count < _captured.Length && _capture.TryTake(out sample))
            {
                _captured[count++] = sample;
                peak = Mathf.Max(peak, Mathf.Abs(sample));
            }
            if (count == 0 || (_voice != null && _stream == null)) return;
            int rateHz = AudioSettings.outputSampleRate;
            bool wasSilent = _silentSecs >= SilentForSecs;
            _silentSecs = peak > SilentBelow ? 0 : _silentSecs + (float)count / rateHz;
            bool isSilent = _silentSecs >= SilentForSecs;
            if (!isSilent) SpeakSamples(_captured, count, 1, rateHz);
            else if (!wasSilent) EndSpeech();
        }

        private void SendMicrophone()
        {
            int count;
            while ((count = _microphone.Read()) > 0) Send(count);
        }

        private void Send(int count)
        {
            if (State != AvatarState.Ready) return;
            if (_microphoneRole == AudioRole.Speak)
                SpeakSamples(_microphone.Samples, count, 1, _microphone.RateHz);
            else
                Session.PushAudio(_microphone.Samples, count, 1, _microphone.RateHz,
                                  AudioRole.Listen);
        }

        // Audio thread. With speakAudioSource the source's sound comes in here, is taken to be sent,
        // and what goes out is the delayed sound that the face is ready for.
        private void OnAudioFilterRead(float[] data, int channels)
        {
            SampleQueue capture = _capture;
            StreamVoice stream = _stream;
            if (capture != null)
            {
                for (int i = 0; i < data.Length; i += channels)
                {
                    float sum = 0;
                    for (int c = 0; c < channels; c++) sum += data[i + c];
                    capture.TryAdd(sum / channels);
                }
            }
            bool isMicrophone = _microphone != null && _microphoneRole == AudioRole.Speak;
            if (stream != null)
                stream.Fill(data, channels, AudioSettings.dspTime,
                            isMicrophone ? _microphoneGain : 1f);
            else if (capture != null)
                System.Array.Clear(data, 0, data.Length);
        }
    }
}
