using System;
using AvatarService.Client.Interop;
using UnityEngine;

namespace AvatarService.Client.Internal
{
    /// <summary>Speaks an AudioClip through an AudioSource, started on the sample.</summary>
    internal sealed class ClipVoice : Voice
    {
        private readonly AudioSource _source;
        private readonly AudioClip _clip;
        private readonly float[] _chunk;
        private readonly float[] _mono;
        private int _segmentBegin;  // sample of the clip at which the current segment begins
        private int _pushed;
        private int _heard;         // sample that was being heard at the last Pump
        private bool _isEnded;
        private bool _isAlone;

        public ClipVoice(AudioSource source, AudioClip clip)
        {
            if (clip.frequency < 8000 || clip.frequency > 48000)
            {
                throw Fault(clip, "has " + clip.frequency + " Hz; 8000 to 48000 is allowed: " +
                            "override the sample rate in its import settings");
            }
            _source = source;
            _clip = clip;
            _chunk = new float[clip.frequency / 4 * clip.channels];
            _mono = clip.channels > 2 ? new float[clip.frequency / 4] : null;
            if (!clip.GetData(_chunk, 0))
            {
                throw Fault(clip, "cannot be read: set its load type to Decompress On Load");
            }
        }

        public override bool IsOver
        {
            get
            {
                double left = (double)(_clip.samples - _segmentBegin) / _clip.frequency;
                return IsScheduled && PlayedSecs >= left;
            }
        }

        public override void Pump(FaceSession session)
        {
            if (_isAlone) return;
            _heard = _segmentBegin + (IsAudible ? (int)(PlayedSecs * _clip.frequency) : 0);
            if (!SendPhones(session, (double)_segmentBegin / _clip.frequency)) return;
            int limit = Math.Min(_clip.samples, _heard + (int)(AheadSecs * _clip.frequency));
            while (_pushed < limit)
            {
                int frames = Math.Min(_chunk.Length / _clip.channels, limit - _pushed);
                _clip.GetData(_chunk, _pushed);  // wraps around at the end; frames does not
                if (!session.PushAudio(Mixed(frames), frames, _mono == null ? _clip.channels : 1,
                                       _clip.frequency, AudioRole.Speak)) return;
                _pushed += frames;
            }
            if (_pushed == _clip.samples && !_isEnded)
            {
                _isEnded = session.EndSegment(AudioRole.Speak);
            }
        }

        public override void Pause()
        {
            // Not by dspTime: a device that was changed has begun to count anew.
            _segmentBegin = Math.Min(Math.Max(_heard, _segmentBegin), _clip.samples);
            _source.Stop();
            StartDspTime = double.PositiveInfinity;
            _pushed = _clip.samples;  // nothing is sent until SendAgain
            _isEnded = true;
        }

        public override void SendAgain()
        {
            ForgetSentPhones();
            _pushed = _segmentBegin;
            _isEnded = false;
            _isAlone = false;
        }

        public override void GoOnAlone()
        {
            _isAlone = true;
            if (!IsScheduled) Schedule(0);
        }

        public override void Stop()
        {
            _source.Stop();
        }

        protected override void Begin()
        {
            _source.clip = _clip;
            _source.timeSamples = Math.Min(_segmentBegin, Math.Max(0, _clip.samples - 1));
            _source.PlayScheduled(StartDspTime);
        }

        private float[] Mixed(int frames)
        {
            int channels = _clip.channels;
            if (channels <= 2) return _chunk;
            for (int i = 0; i < frames; i++)
            {
                float sum = 0;
                for (int c = 0; c < channels; c++) sum += _chunk[i * channels + c];
                _mono[i] = sum / channels;
            }
            return _mono;
        }

        private static AvatarException Fault(AudioClip clip, string what)
        {
            return new AvatarException(AvatarStatus.InvalidArgument, "INVALID_AUDIO_FORMAT",
                                       "the clip " + clip.name + " " + what, 0);
        }
    }
}
