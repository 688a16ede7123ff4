using AvatarService.Client.Internal;
using AvatarService.Client.Interop;
using UnityEngine;
using UnityEngine.Events;

namespace AvatarService.Client
{
    public sealed partial class AvatarSpeaker
    {
        [Tooltip("The service to use; several speakers share one.")]
        public AvatarClient client;
        [Tooltip("An avatar that exists in the service; empty: make one of the photo, or motion only.")]
        public string avatarId = "";
        [Tooltip("A JPEG, PNG or WebP file renamed to .bytes; none: motion only, for rigs.")]
        public TextAsset photo;
        [Tooltip("By what right the photo is animated.")]
        public Consent consent = new Consent();
        [Tooltip("Frames per second, 1 to 120.")]
        public int frameRateHz = 40;
        [Tooltip("Edge of the picture: 256, 512 or 1024 pixels.")]
        public int sizePx = 512;
        [Tooltip("Also for an avatar: send motion alone, no pictures.")]
        public bool motionOnly;
        [Tooltip("How the data travels.")]
        public AvatarTransport transport = AvatarTransport.Automatic;
        [Tooltip("How pictures are packed on their way from another machine. JPEG and H.264 have " +
                 "no transparency.")]
        public AvatarRemoteVideo remoteVideo = AvatarRemoteVideo.Automatic;
        [Tooltip("What to do with speech while the service is away.")]
        public WhenConnectionIsLost whenConnectionIsLost = WhenConnectionIsLost.PauseSpeech;
        [Tooltip("After so many seconds paused speech goes on without a face.")]
        public float resumeWithinSecs = 5f;
        [Tooltip("Another AudioSource whose sound is the speech: silenced there, and played by " +
                 "this object's own, delayed until the face is ready for it.")]
        public AudioSource voiceSource;

        [Header("Events")]
        public AvatarStateEvent stateChanged = new AvatarStateEvent();
        public UnityEvent speechStarted = new UnityEvent();
        [Tooltip("True: it was interrupted.")]
        public AvatarFlagEvent speechEnded = new AvatarFlagEvent();
        public UnityEvent interrupted = new UnityEvent();
        [Tooltip("One line for a person.")]
        public AvatarTextEvent failed = new AvatarTextEvent();

        /// <summary>What the face is doing now.</summary>
        public AvatarState State { get; private set; }

        /// <summary>Why it failed or is reconnecting; null: all is well.</summary>
        public AvatarException LastError { get; private set; }

        /// <summary>Speech sounds, or is about to.</summary>
        public bool IsSpeaking
        {
            get { return _voice != null || _waiting.Count > 0; }
        }

        /// <summary>Session time to show in this frame; follows the audio device.</summary>
        public long DuePtsNanos
        {
            get { return _clock == null ? 0 : _clock.PtsNanos; }
        }

        /// <summary>Session's clock minus the audio device's, milliseconds.</summary>
        public float DriftMillis
        {
            get { return _clock == null ? 0 : _clock.DriftNanos * 1e-6f; }
        }

        /// <summary>Speed of the audio device, parts per million too fast.</summary>
        public float DeviceRatePpm
        {
            get { return _clock == null ? 0 : (float)_clock.RatePpm; }
        }

        /// <summary>Something has arrived: DuePtsNanos means something.</summary>
        public bool HasTime { get; private set; }

        /// <summary>Counters since the session opened.</summary>
        public AvatarStatistics Statistics
        {
            get
            {
                AvatarStatistics result = new AvatarStatistics();
                if (Session == null) return result;
                NativeStatistics native = Session.GetStatistics();
                result.Transport = (AvatarTransport)native.Transport;
                result.FramesReceived = (long)native.FramesReceived;
                result.FramesShown = (long)native.FramesShown;
                result.FramesSkipped = (long)native.FramesSkipped;
                result.ReadsTorn = (long)native.ReadsTorn;
                result.ReadsStarved = (long)native.ReadsStarved;
                result.BytesReceived = (long)native.BytesReceived;
                result.NumReconnects = (int)native.NumReconnects;
                result.DelayMillis = native.DelayNanos * 1e-6f;
                result.ServerLatencyP50Millis = native.ServerLatencyP50Millis;
                result.ServerFrameRateHz = native.ServerFrameRateHz;
                return result;
            }
        }

        /// <summary>The service's name of this session: observers join by it. Empty: none yet.
        /// Allocates; not for every frame.</summary>
        public unsafe string SessionId
        {
            get
            {
                if (Session == null) return "";
                NativeSessionInfo info = Session.GetInfo();
                return NativeText.Read(info.SessionId, 128);
            }
        }

        internal FaceSession Session { get; private set; }
    }

    /// <summary>What a speaker counted; see avatar_statistics in avatar_client.h.</summary>
    public struct AvatarStatistics
    {
        public AvatarTransport Transport;
        public long FramesReceived;
        public long FramesShown;
        public long FramesSkipped;
        public long ReadsTorn;
        public long ReadsStarved;
        /// <summary>On the way from the service; 0 through shared memory.</summary>
        public long BytesReceived;
        public int NumReconnects;
        public float DelayMillis;
        public float ServerLatencyP50Millis;
        public float ServerFrameRateHz;
    }
}
