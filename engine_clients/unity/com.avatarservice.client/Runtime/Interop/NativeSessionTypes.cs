using System;
using System.Runtime.InteropServices;

namespace AvatarService.Client.Interop
{
    [StructLayout(LayoutKind.Sequential)]
    internal struct NativeSessionOptions
    {
        public uint StructSize;
        public uint Observe;
        public NativeSpan AvatarId;
        public NativeSpan SessionId;
        public uint FpsNum;
        public uint FpsDen;
        public uint SizePx;
        public uint Outputs;
        public uint Transports;
        public uint Pacing;
        public uint Encoding;
        public int PlayoutDelayMillis;
        public uint MinDelayMillis;
        public uint MaxDelayMillis;
        public uint BufferMillis;
        public uint StarveHoldMillis;
        public uint StarveBlendMillis;
        public uint RecoverBlendMillis;
        public uint StatisticsMillis;
        public uint Reconnect;
        public IntPtr Controls;
    }

    [StructLayout(LayoutKind.Sequential)]
    internal unsafe struct NativeSessionInfo
    {
        public uint StructSize;
        public uint State;
        public uint Transport;
        public uint FpsNum;
        public uint FpsDen;
        public uint WidthPx;
        public uint HeightPx;
        public uint Epoch;
        public ulong PixelBytes;
        public uint PlayoutDelayMillis;
        public uint Outputs;
        public float CameraDistance;
        public float OuterEyeDistanceMm;
        public fixed byte SessionId[128];
    }

    [StructLayout(LayoutKind.Sequential)]
    internal struct NativeAudio
    {
        public uint StructSize;
        public uint Role;
        public uint Format;
        public uint SampleRateHz;
        public uint Channels;
        public uint Reserved;
        public IntPtr Samples;
        public ulong NumFrames;
    }

    [StructLayout(LayoutKind.Sequential)]
    internal struct NativePhone
    {
        public NativeSpan Symbol;
        public long StartNanos;
        public long EndNanos;
    }

    [StructLayout(LayoutKind.Sequential)]
    internal struct NativePhones
    {
        public uint StructSize;
        public uint Alphabet;
        public IntPtr Phones;
        public ulong NumPhones;
    }

    [StructLayout(LayoutKind.Sequential)]
    internal unsafe struct NativeEvent
    {
        public uint StructSize;
        public uint Kind;
        public long PtsNanos;
        public ulong Value;
        public ulong Count;
        public uint Epoch;
        public uint Role;
        public fixed byte SegmentId[72];
        public fixed byte Text[256];
    }

    [StructLayout(LayoutKind.Sequential)]
    internal struct NativeStatistics
    {
        public uint StructSize;
        public uint Transport;
        public ulong FramesReceived;
        public ulong FramesShown;
        public ulong FramesSkipped;
        public ulong ReadsTorn;
        public ulong ReadsStarved;
        public ulong MessagesRefused;
        public ulong BytesReceived;
        public uint NumReconnects;
        public uint NumStarvations;
        public long DelayNanos;
        public long JitterNanos;
        public long AudioQueuedNanos;
        public ulong ServerFramesPublished;
        public ulong ServerFramesDropped;
        public ulong ServerFramesLate;
        public float ServerFrameRateHz;
        public float ServerLatencyP50Millis;
        public float ServerLatencyP99Millis;
        public float ServerRenderP50Millis;
        public float ServerAudioAheadMillis;
        public float PlaybackDriftMillis;
    }
}
