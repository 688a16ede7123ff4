using System.Runtime.InteropServices;

namespace AvatarService.Client.Interop
{
    [StructLayout(LayoutKind.Sequential)]
    internal struct NativeClientOptions
    {
        public uint StructSize;
        public uint Tls;
        public NativeSpan Target;
        public NativeSpan Token;
        public NativeSpan CaPem;
        public NativeSpan ClientCertPem;
        public NativeSpan ClientKeyPem;
        public NativeSpan TlsServerName;
        public NativeSpan ClientName;
        public uint BackoffMinMillis;
        public uint BackoffMaxMillis;
    }

    [StructLayout(LayoutKind.Sequential)]
    internal unsafe struct NativeServerInfo
    {
        public uint StructSize;
        public uint NumSessions;
        public ulong Capabilities;
        public ulong MaxPhotoBytes;
        public uint MaxAudioAheadMillis;
        public uint MaxFrameRateHz;
        public fixed byte ApiVersion[16];
        public fixed byte ProductVersion[32];
        public fixed byte Device[32];
        public fixed byte SpeakingStyles[512];
        public fixed byte MotionModels[256];
    }

    [StructLayout(LayoutKind.Sequential)]
    internal struct NativePhoto
    {
        public uint StructSize;
        public uint Crop;
        public NativeSpan File;
        public NativeSpan DisplayName;
        public NativeSpan ConsentSubject;
        public NativeSpan ConsentBasis;
        public NativeSpan ConsentStatedBy;
    }

    [StructLayout(LayoutKind.Sequential)]
    internal unsafe struct NativeAvatarInfo
    {
        public uint StructSize;
        public uint PhotoWidthPx;
        public uint PhotoHeightPx;
        public uint Reserved;
        public fixed byte AvatarId[128];
        public fixed byte Notes[512];
    }

    [StructLayout(LayoutKind.Sequential)]
    internal unsafe struct NativeControls
    {
        public uint StructSize;
        public uint Mask;
        public fixed float Gaze[3];
        public float Distance;
        public fixed float Emotion[8];
        public float HeadMotion;
        public float Expression;
        public float BlinkRate;
        public float Idle;
        public uint Background;
        public uint BackgroundRgb;
        public uint Seed;
        public uint Badge;
        public NativeSpan SpeakingStyle;
        public NativeSpan MotionModel;
    }
}
