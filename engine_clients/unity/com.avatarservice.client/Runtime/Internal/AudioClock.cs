using System;
using AvatarService.Client.Interop;

namespace AvatarService.Client.Internal
{
    /// <summary>Session time of the sample being heard, from the audio device's position.</summary>
    internal sealed class AudioClock : IDisposable
    {
        private readonly ClockHandle _handle;
        private NativeError _error = NativeError.Create();
        private NativeClockReading _reading = NativeClockReading.Create();

        public AudioClock(int sampleRateHz, double outputLatencySecs)
        {
            long latency = (long)(outputLatencySecs * 1e9);
            AvatarException.ThrowIfFailed(
                Native.avatar_clock_create((uint)sampleRateHz, latency, out _handle, ref _error),
                ref _error);
            LiveObjects.Add(this);
        }

        /// <summary>Session time to show; read it after Update.</summary>
        public long PtsNanos { get { return _reading.PtsNanos; } }

        /// <summary>Session's own clock minus the audio's, nanoseconds; grows where one drifts.</summary>
        public long DriftNanos { get { return _reading.DriftNanos; } }

        /// <summary>Speed of the audio device, parts per million too fast.</summary>
        public double RatePpm { get { return _reading.RatePpm; } }

        /// <summary>A segment plays, and its first sample did so playedSecs ago.</summary>
        public void Play(long segmentPtsNanos, double playedSecs)
        {
            long began = NativeLibrary.MonotonicNanos - (long)(playedSecs * 1e9);
            Native.avatar_clock_play(_handle, segmentPtsNanos, began, ref _error);
        }

        public void Report(long samplesPlayed)
        {
            Native.avatar_clock_report(_handle, samplesPlayed, NativeLibrary.MonotonicNanos,
                                       ref _error);
        }

        public void Stop()
        {
            Native.avatar_clock_stop(_handle, NativeLibrary.MonotonicNanos, ref _error);
        }

        public void Steer(long sessionPtsNanos)
        {
            Native.avatar_clock_steer(_handle, sessionPtsNanos, NativeLibrary.MonotonicNanos,
                                      ref _error);
        }

        public void Update()
        {
            Native.avatar_clock_read(_handle, NativeLibrary.MonotonicNanos, ref _reading,
                                     ref _error);
        }

        public void Dispose()
        {
            LiveObjects.Remove(this);
            _handle.Dispose();
        }
    }
}
