using System;
using UnityEngine;
using UnityEngine.Events;

namespace AvatarService.Client
{
    /// <summary>Whose voice a piece of audio is.</summary>
    public enum AudioRole
    {
        /// <summary>The avatar's: its lips move.</summary>
        Speak = 1,
        /// <summary>Somebody else's, to whom the avatar listens.</summary>
        Listen = 2
    }

    /// <summary>What a face is doing.</summary>
    public enum AvatarState
    {
        Closed = 0, Connecting = 1, Ready = 2, Reconnecting = 3, Ended = 4, Failed = 5
    }

    /// <summary>How the data travels; Automatic takes the best there is.</summary>
    public enum AvatarTransport
    {
        Automatic = 0, SharedMemory = 1, ZeroMq = 2, Grpc = 4
    }

    /// <summary>How pictures are packed on their way from a service on another machine; on this
    /// machine they are not.</summary>
    public enum AvatarRemoteVideo
    {
        /// <summary>Not at all where the service offers ZeroMQ (340 Mbit/s), else JPEG.</summary>
        Automatic = 0,
        /// <summary>Each picture by itself: sharp, and about 5 Mbit/s at 256 pixels.</summary>
        Jpeg = 2,
        /// <summary>As video: about 1.3 Mbit/s at 512 pixels.</summary>
        H264 = 3
    }

    /// <summary>What to do with speech while the service is away.</summary>
    public enum WhenConnectionIsLost
    {
        /// <summary>Pause it, go on in sync when the service is back, or without a face after
        /// resumeWithinSecs.</summary>
        PauseSpeech,
        /// <summary>Let the voice go on; the face rests.</summary>
        KeepTalking
    }

    /// <summary>By what right a photo is animated; without it the service makes no avatar.</summary>
    [Serializable]
    public sealed class Consent
    {
        [Tooltip("The person shown.")]
        public string subject = "";
        [Tooltip("By what right: \"my own photo\", \"public domain, Library of Congress\", ...")]
        public string basis = "";
        [Tooltip("Who states this.")]
        public string statedBy = "";
    }

    [Serializable] public sealed class AvatarTextEvent : UnityEvent<string> { }
    [Serializable] public sealed class AvatarStateEvent : UnityEvent<AvatarState> { }
    [Serializable] public sealed class AvatarFlagEvent : UnityEvent<bool> { }
}
