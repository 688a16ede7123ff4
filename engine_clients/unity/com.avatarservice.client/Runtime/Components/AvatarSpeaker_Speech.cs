using System.Collections.Generic;
using AvatarService.Client.Internal;
using AvatarService.Client.Interop;
using UnityEngine;

namespace AvatarService.Client
{
    public sealed partial class AvatarSpeaker
    {
        private struct Line
        {
            public AudioClip Clip;
            public AvatarPhones Phones;  // null: not known
        }

        private const ulong NoticeLateAudio = 1;  // NoticeKind of event.proto
        private const ulong NoticePhonesIgnored = 5;

        private readonly Queue<Line> _waiting = new Queue<Line>();
        private Voice _voice;
        private StreamVoice _stream;  // _voice, where it is one; read by the audio thread
        private long _segmentPtsNanos = -1;
        private double _gapSecs;      // silence that the service has put into this segment
        private bool _isClockPlaying;
        private int _numUnanswered;   // interrupts whose answer has not come

        /// <summary>Says a clip, after those that wait already. Throws AvatarException where the
        /// clip cannot be read.</summary>
        public void Speak(AudioClip clip)
        {
            Speak(clip, null);
        }

        /// <summary>Says a clip whose phones are known, from the synthesiser that made it: the lips
        /// follow them.</summary>
        public void Speak(AudioClip clip, AvatarPhones phones)
        {
            Line line = new Line { Clip = clip, Phones = phones };
            if (_voice == null) Begin(line);
            else _waiting.Enqueue(line);
        }

        /// <summary>Says samples from -1 to 1 that come piece by piece, interleaved; one or two
        /// channels, 8000 to 48000 Hz. End with EndSpeech.</summary>
        public void SpeakSamples(float[] samples, int numFrames, int channels, int rateHz)
        {
            BeginStream();
            _stream.Add(State == AvatarState.Ready ? Session : null, samples, numFrames, channels,
                        rateHz);
        }

        /// <summary>Makes phones of SpeakSamples known, with times from its first sample: before
        /// their samples, or as soon as the synthesiser tells them.</summary>
        public void SpeakPhones(AvatarPhones phones)
        {
            BeginStream();
            _stream.AddPhones(phones);
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

        private void BeginStream()
        {
            if (_stream != null) return;
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

        private void Begin(Line line)
        {
            Voice voice = new ClipVoice(_source, line.Clip);
            if (line.Phones != null) voice.AddPhones(line.Phones);
            Begin(voice);
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
            if (happened.Value == NoticePhonesIgnored)
                Debug.LogWarning("Avatar Service: " + happened.Text, this);
            if (happened.Value != NoticeLateAudio || happened.Count == 0 || _voice == null) return;
            double gap = happened.Count * 1e-3;
            double at = (happened.PtsNanos - _segmentPtsNanos) * 1e-9 - gap - _gapSecs;
            _gapSecs += gap;
            _voice.InsertGap(at, gap);
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
            if (_waiting.Count > 0) Begin(_waiting.Dequeue());
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
