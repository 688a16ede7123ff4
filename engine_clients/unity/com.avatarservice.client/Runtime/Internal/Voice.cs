using System.Collections.Generic;
using AvatarService.Client.Interop;
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

        private readonly List<AvatarPhones> _phones = new List<AvatarPhones>();
        private int _numPhonesSent;

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

        /// <summary>Makes phones known, with times from the speech's first sample. They go ahead of
        /// the samples that are sent next.</summary>
        public void AddPhones(AvatarPhones phones)
        {
            _phones.Add(phones);
        }

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

        /// <summary>Sends the phones that were not yet sent for the segment, which begins fromSecs
        /// into the speech; false: the connection is lost. Phones that are refused are told, and the
        /// lips follow the sound.</summary>
        protected bool SendPhones(FaceSession session, double fromSecs)
        {
            for (; _numPhonesSent < _phones.Count; _numPhonesSent++)
            {
                try
                {
                    if (!session.PushPhones(_phones[_numPhonesSent], fromSecs)) return false;
                }
                catch (AvatarException error)
                {
                    Debug.LogWarning("Avatar Service: the lips follow the sound, for the known " +
                                     "phones were refused: " + error.Message);
                }
            }
            return true;
        }

        /// <summary>The speech is sent again: so are its phones.</summary>
        protected void ForgetSentPhones()
        {
            _numPhonesSent = 0;
        }
    }
}
