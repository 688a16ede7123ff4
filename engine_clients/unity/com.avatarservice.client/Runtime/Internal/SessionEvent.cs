using AvatarService.Client.Interop;

namespace AvatarService.Client.Internal
{
    /// <summary>What a session tells, AVATAR_EVENT_* of avatar_client.h.</summary>
    internal enum SessionEventKind
    {
        State = 1, SegmentStarted = 2, SegmentEnded = 3, ControlApplied = 4, Interrupted = 5,
        Notice = 6, Restarted = 7, Lost = 8
    }

    internal struct SessionEvent
    {
        public SessionEventKind Kind;
        public long PtsNanos;
        public ulong Value;
        public ulong Count;
        public AudioRole Role;
        public string Text;

        public static unsafe SessionEvent From(NativeEvent* source)
        {
            SessionEvent result = new SessionEvent();
            result.Kind = (SessionEventKind)source->Kind;
            result.PtsNanos = source->PtsNanos;
            result.Value = source->Value;
            result.Count = source->Count;
            result.Role = (AudioRole)source->Role;
            result.Text = NativeText.Read(source->Text, 256);
            return result;
        }
    }

    internal struct SessionSettings
    {
        public string AvatarId;
        public int FrameRateHz;
        public int SizePx;
        /// <summary>AVATAR_OUTPUT_* ored.</summary>
        public int Outputs;
        /// <summary>AVATAR_TRANSPORT_* ored; 0: any, the best is chosen.</summary>
        public int Transports;
        /// <summary>AVATAR_ENCODING_*; 0: the library's choice.</summary>
        public int Encoding;
    }
}
