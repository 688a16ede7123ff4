using UnityEngine;

namespace AvatarService.Client.Internal
{
    /// <summary>
    /// One stretch of speech: its samples go to the service ahead of time, and begin to sound when
    /// the service has said at which session time.
    /// </summary>
    internal abstract class Voice
    {
        /// <summary>Seconds of audio sent ahead of what is heard; the service allows some more.</summary>
        protected const double AheadSecs = 8.0;

        /// <summary>Least notice that the audio engine needs to start on the sample.</summary>
        protected const double LeastNoticeSecs = 0.02;

        protected double StartDspTime = double.PositiveInfinity;

        /// <summary>The sound has a time at which it starts.</summary>
        public bool IsScheduled
        {
            get { return !double.IsPositiveInfinity(StartDspTime); }
        }

        /// <summary>The device has come to the first sample of the current segment.</summary>
        public bool IsAudible
        {
            get { return AudioSettings.dspTime >= StartDspTime; }
        }

        /// <summary>Time played of the current segment, by the audio device's clock.</summary>
        public virtual double PlayedSecs
        {
            get { return AudioSettings.dspTime - StartDspTime; }
        }

        /// <summary>Everything has been heard.</summary>
        public abstract bool IsOver { get; }

        /// <summary>Sends what is due to be sent. Call it every frame.</summary>
        public abstract void Pump(FaceSession session);

        /// <summary>Lets the segment's first sample sound in delaySecs.</summary>
        public void Schedule(double delaySecs)
        {
            double notice = delaySecs > LeastNoticeSecs ? delaySecs : LeastNoticeSecs;
            StartDspTime = AudioSettings.dspTime + notice;
            Begin();
        }

        /// <summary>The service lost its thread: silence of gapSecs stands in from the sample that
        /// is atSecs into the segment.</summary>
        public virtual void InsertGap(double atSecs, double gapSecs) { }

        /// <summary>The connection is lost: stop the sound and remember where.</summary>
        public abstract void Pause();

        /// <summary>Send what is not yet heard again, as a new segment.</summary>
        public abstract void SendAgain();

        /// <summary>Go on from where it was paused, without the service.</summary>
        public abstract void GoOnAlone();

        public abstract void Stop();

        protected abstract void Begin();
    }
}
