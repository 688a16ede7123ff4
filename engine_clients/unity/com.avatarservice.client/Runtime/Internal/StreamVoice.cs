using System;
using System.Threading;
using AvatarService.Client.Interop;
using UnityEngine;

namespace AvatarService.Client.Internal
{
    /// <summary>
    /// Speaks samples that come piece by piece (a synthesiser, another AudioSource, a microphone):
    /// Add sends them and keeps them, Fill (audio thread) plays them at their time.
    /// </summary>
    internal sealed class StreamVoice : Voice
    {
        private const int KeepSecs = 60;

        private readonly int _outputRateHz = AudioSettings.outputSampleRate;
        private readonly SampleQueue _queue;
        private readonly float[] _again = new float[4096];
        private readonly object _gapGate = new object();
        private double _phase;  // of the resampler, in input samples
        private float _previous;
        private volatile bool _isEnded;
        private bool _isEndSent;
        private bool _isPaused;
        private bool _isAlone;
        private int _toSendAgain = -1;  // samples already sent again; -1: nothing to be
        private long _segmentBegin;  // sample of the speech at which the current segment begins
        private long _consumed;   // samples of the segment played
        private long _silent;     // samples of silence played in its gaps
        private long _gapAt = -1;
        private long _gapLeft;
        private long _owed;       // silence played while starved, before its gap was told
        private float[] _converted = new float[0];

        public StreamVoice()
        {
            _queue = new SampleQueue(KeepSecs * _outputRateHz);
        }

        public override bool IsOver
        {
            get { return _isEnded && _queue.Count == 0 && (IsScheduled || _isAlone); }
        }

        public override double PlayedSecs
        {
            get
            {
                // The audio thread counts; between its blocks the device's clock stands still too.
                long played = Interlocked.Read(ref _consumed) + Interlocked.Read(ref _silent);
                return (double)played / _outputRateHz;
            }
        }

        /// <summary>Sends samples and keeps them to be heard. Throws where too much waits.</summary>
        public void Add(FaceSession session, float[] samples, int frames, int channels, int rateHz)
        {
            int converted = Convert(samples, frames, channels, rateHz);
            if (_queue.Free < converted)
            {
                throw new AvatarException(AvatarStatus.ResourceExhausted, "AUDIO_TOO_FAR_AHEAD",
                    "more than " + KeepSecs + " s of speech wait to be heard", 0);
            }
            if (session != null && !_isPaused && !_isAlone && _toSendAgain < 0)
            {
                SendPhones(session, SegmentBeginSecs);
                session.PushAudio(samples, frames, channels, rateHz, AudioRole.Speak);
            }
            for (int i = 0; i < converted; i++) _queue.TryAdd(_converted[i]);
        }

        /// <summary>No more samples come.</summary>
        public void End()
        {
            _isEnded = true;
        }

        public override void Pump(FaceSession session)
        {
            if (_isPaused || _isAlone) return;
            if (!SendPhones(session, SegmentBeginSecs)) return;
            while (_toSendAgain >= 0)
            {
                int count = _queue.Peek(_toSendAgain, _again);
                if (count == 0) _toSendAgain = -1;
                else if (session.PushAudio(_again, count, 1, _outputRateHz, AudioRole.Speak))
                    _toSendAgain += count;
                else return;
            }
            if (_isEnded && !_isEndSent) _isEndSent = session.EndSegment(AudioRole.Speak);
        }

        public override void InsertGap(double atSecs, double gapSecs)
        {
            lock (_gapGate)
            {
                _gapAt = (long)Math.Round(atSecs * _outputRateHz);
                _gapLeft = Math.Max(0, (long)Math.Round(gapSecs * _outputRateHz) - _owed);
                _owed = 0;
            }
        }

        public override void Pause()
        {
            _isPaused = true;
            StartDspTime = double.PositiveInfinity;
        }

        public override void SendAgain()
        {
            lock (_gapGate)
            {
                _segmentBegin += _consumed;
                _consumed = _silent = _gapLeft = _owed = 0;
                _gapAt = -1;
            }
            ForgetSentPhones();
            _toSendAgain = 0;
            _isEndSent = _isPaused = _isAlone = false;
        }

        public override void GoOnAlone()
        {
            _isAlone = true;
            if (!IsScheduled) Schedule(0);
        }

        public override void Stop()
        {
            _isEnded = true;
            StartDspTime = double.PositiveInfinity;
            lock (_gapGate) _queue.Clear();  // Fill, the queue's reader, holds it too
        }

        /// <summary>Audio thread: the next block, which begins at dspTime. Replaces data.</summary>
        public void Fill(float[] data, int channels, double dspTime, float gain)
        {
            lock (_gapGate)
            {
                for (int i = 0; i < data.Length / channels; i++)
                {
                    double time = dspTime + (double)i / _outputRateHz;
                    float sample = time >= StartDspTime ? gain * Next() : 0f;
                    for (int c = 0; c < channels; c++) data[i * channels + c] = sample;
                }
            }
        }

        protected override void Begin() { }

        private double SegmentBeginSecs
        {
            get { return (double)_segmentBegin / _outputRateHz; }
        }

        private float Next()
        {
            float sample = 0;
            if (_consumed == _gapAt && _gapLeft > 0)
            {
                _gapLeft--;
                _silent++;
            }
            else if ((_owed > 0 && !_isAlone && !_isEnded) || !_queue.TryTake(out sample))
            {
                // Starved: the service has put a gap here too and tells its length.
                if (_isEnded) return 0;
                _owed++;
                _silent++;
            }
            else
            {
                _consumed++;
            }
            return sample;
        }

        // To mono at the output's rate by linear interpolation; what is heard, not what is sent.
        private int Convert(float[] samples, int frames, int channels, int rateHz)
        {
            double step = (double)rateHz / _outputRateHz;
            int most = (int)(frames / step) + 2;
            if (_converted.Length < most) _converted = new float[most];
            int count = 0;
            for (int i = 0; i < frames; i++)
            {
                float current = 0;
                for (int c = 0; c < channels; c++) current += samples[i * channels + c];
                current /= channels;
                for (; _phase < 1.0; _phase += step)
                {
                    _converted[count++] = _previous + (float)_phase * (current - _previous);
                }
                _phase -= 1.0;
                _previous = current;
            }
            return count;
        }
    }
}
