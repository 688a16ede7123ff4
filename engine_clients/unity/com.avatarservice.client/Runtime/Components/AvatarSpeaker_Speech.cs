using System.Collections.Generic;
using AvatarService.Client.Internal;
using AvatarService.Client.Interop;
using UnityEngine;

namespace AvatarService.Client
{
    public sealed partial class AvatarSpeaker
    {
        private const ulong NoticeLateAudio = 1;  // NoticeKind of event.proto

        private readonly Queue<AudioClip> _waiting = new Queue<AudioClip>();
        private Voice _voice;
        private StreamVoice _stream;  // _voice, where it is one; read by the audio thread
        private long _segmentPtsNanos = -1;
        private double _gapSecs;      // silence that the service has put into this segment
        private bool _isClockPlaying;
        private bool _isDetached;     // speech goes on without the service
        private float _lostAt = -1f;
        private int _numUnanswered;   // interrupts whose answer has not come

        /// <summary>Says a clip, after those that wait already. Throws AvatarException where the
        /// clip cannot be read.</summary>
        public void Speak(AudioClip clip)
        {
            if (_voice == null) Begin(new ClipVoice(_source, clip));
            else _waiting.Enqueue(clip);
        }

        /// <summary>Says samples from -1 to 1 that come piece by piece, interleaved; one or two
        /// channels, 8000 to 48000 Hz. End with EndSpeech.</summary>
        public void SpeakSamples(float[] samples, int numFrames, int channels, int rateHz)
        {
            if (_stream == null)
            {
                if (_voice != null)
                {
                    throw new AvatarException(AvatarStatus.FailedPrecondition, "",
                        "a clip is being said: wait until it has ended, or interrupt it", 0);
                }
                StreamVoice stream = new StreamVoice();
                Begin(stream);
                _stream = stream;
                _source.clip = null;
                _source.Play();  // without a clip: runs OnAudioFilterRead
            }
            _stream.Add(State == AvatarState.Ready ? Session : null, samples, numFrames, channels,
                        rateHz);
        }

        /// <summary>The samples are complete; the mouth closes behind the last one.</summary>
        public void EndSpeech()
        {
            if (_stream != null) _stream.End();
        }

        /// <summary>Barge-in: falls silent at once, drops what waits, closes the mouth softly.</summary>
        public void Interrupt()
        {
            bool wasAudible = _voice != null && _isClockPlaying;
            long heard = wasAudible ? DuePtsNanos : -1;
            bool wasSpeaking = IsSpeaking;
            DropSpeech();
            if (Session != null && Session.Interrupt(heard)) _numUnanswered++;
            if (wasSpeaking) speechEnded.Invoke(true);
        }

        private void Begin(Voice voice)
        {
            _voice = voice;
            _segmentPtsNanos = -1;
            _gapSecs = 0;
            _isDetached = false;
            _lostAt = State == AvatarState.Ready ? -1f : Time.unscaledTime;
        }

        private void DropSpeech()
        {
            _waiting.Clear();
            if (_voice != null)
            {
                _voice.Stop();
                _source.Stop();
            }
            _voice = null;
            _stream = null;
            StopClock();
        }

        private void StopClock()
        {
            if (_isClockPlaying && _clock != null) _clock.Stop();
            _isClockPlaying = false;
        }

        private void OnSegmentStarted(long ptsNanos)
        {
            // Until an interrupt is answered, what starts is still the speech that was dropped.
            if (_voice == null || _isDetached || _voice.IsScheduled || _numUnanswered > 0) return;
            long now;
            double delay = Session.TryNow(out now) ? (ptsNanos - now) * 1e-9 : 0;
            _segmentPtsNanos = ptsNanos;
            _voice.Schedule(delay);
            speechStarted.Invoke();
        }

        private void OnNotice(ref SessionEvent happened)
        {
            if (happened.Value != NoticeLateAudio || happened.Count == 0 || _voice == null) return;
            double gap = happened.Count * 1e-3;
            double at = (happened.PtsNanos - _segmentPtsNanos) * 1e-9 - gap - _gapSecs;
            _gapSecs += gap;
            _voice.InsertGap(at, gap);
        }

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

        private void UpdateSpeech()
        {
            if (_voice == null) return;
            bool isLost = _lostAt >= 0;
            if (isLost && !_isDetached && Time.unscaledTime - _lostAt > resumeWithinSecs) Detach();
            if (!isLost && !_isDetached) _voice.Pump(Session);
            if (_voice.IsScheduled && _voice.IsAudible && !_isDetached) FollowVoice();
            if (!_voice.IsOver) return;
            StopClock();
            _voice.Stop();
            _source.Stop();
            _voice = null;
            _stream = null;
            speechEnded.Invoke(false);
            if (_waiting.Count > 0) Begin(new ClipVoice(_source, _waiting.Dequeue()));
        }

        // What the device has played says what time it is.
        private void FollowVoice()
        {
            double played = _voice.PlayedSecs;
            if (!_isClockPlaying) _clock.Play(_segmentPtsNanos, played);
            _isClockPlaying = true;
            _clock.Report((long)(played * AudioSettings.outputSampleRate));
            _clock.Update();
            Session.AckPlayback(_clock.PtsNanos);
        }
    }
}
