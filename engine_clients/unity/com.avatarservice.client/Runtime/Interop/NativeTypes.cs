using System;
using System.Runtime.InteropServices;
using System.Text;

namespace AvatarService.Client.Interop
{
    /// <summary>Status of a native call, numerically google.rpc.Code.</summary>
    public enum AvatarStatus
    {
        Ok = 0, Cancelled = 1, Unknown = 2, InvalidArgument = 3, DeadlineExceeded = 4,
        NotFound = 5, AlreadyExists = 6, PermissionDenied = 7, ResourceExhausted = 8,
        FailedPrecondition = 9, Aborted = 10, OutOfRange = 11, Unimplemented = 12, Internal = 13,
        Unavailable = 14, DataLoss = 15, Unauthenticated = 16
    }

    // Every struct mirrors avatar_client.h field by field; StructSizes checks the sizes at load.
    // All are blittable, so that passing them by reference copies and allocates nothing.

    [StructLayout(LayoutKind.Sequential)]
    internal unsafe struct NativeError
    {
        public uint StructSize;
        public int Code;
        public uint RetryAfterMillis;
        public fixed byte Reason[64];
        public fixed byte Message[512];

        public static NativeError Create()
        {
            NativeError error = new NativeError();
            error.StructSize = (uint)sizeof(NativeError);
            return error;
        }
    }

    [StructLayout(LayoutKind.Sequential)]
    internal struct NativeSpan
    {
        public IntPtr Data;
        public ulong Size;
    }

    /// <summary>One step of motion; see avatar_client.h for axes, signs and units.</summary>
    [StructLayout(LayoutKind.Sequential)]
    internal unsafe struct NativeMotion
    {
        public uint StructSize;
        public uint Flags;
        public ulong Seq;
        public long PtsNanos;
        public uint Epoch;
        public float Presence;
        public fixed float Channels[71];
        public float Reserved;

        public static NativeMotion Create()
        {
            NativeMotion motion = new NativeMotion();
            motion.StructSize = (uint)sizeof(NativeMotion);
            return motion;
        }
    }

    [StructLayout(LayoutKind.Sequential)]
    internal unsafe struct NativeFrame
    {
        public uint StructSize;
        public uint Flags;
        public ulong Seq;
        public long PtsNanos;
        public long PublishedNanos;
        public uint Epoch;
        public uint WidthPx;
        public uint HeightPx;
        public uint RowBytes;
        public ulong PixelBytes;

        public static NativeFrame Create()
        {
            NativeFrame frame = new NativeFrame();
            frame.StructSize = (uint)sizeof(NativeFrame);
            return frame;
        }
    }

    [StructLayout(LayoutKind.Sequential)]
    internal unsafe struct NativeFrameView
    {
        public uint StructSize;
        public uint Reserved;
        public IntPtr Pixels;
        public ulong Token;

        public static NativeFrameView Create()
        {
            NativeFrameView view = new NativeFrameView();
            view.StructSize = (uint)sizeof(NativeFrameView);
            return view;
        }
    }

    [StructLayout(LayoutKind.Sequential)]
    internal unsafe struct NativeClockReading
    {
        public uint StructSize;
        public uint IsPlaying;
        public long PtsNanos;
        public double RatePpm;
        public long DriftNanos;
        public ulong NumJumps;

        public static NativeClockReading Create()
        {
            NativeClockReading reading = new NativeClockReading();
            reading.StructSize = (uint)sizeof(NativeClockReading);
            return reading;
        }
    }

    internal static unsafe class NativeText
    {
        /// <summary>Reads zero-terminated UTF-8 of at most capacity bytes.</summary>
        public static string Read(byte* text, int capacity)
        {
            int length = 0;
            while (length < capacity && text[length] != 0) length++;
            return length == 0 ? "" : Encoding.UTF8.GetString(text, length);
        }
    }

    /// <summary>Strings and bytes that a native call reads; pinned until disposed.</summary>
    internal sealed class PinnedInputs : IDisposable
    {
        private readonly System.Collections.Generic.List<GCHandle> _pins =
            new System.Collections.Generic.List<GCHandle>();

        public NativeSpan Text(string text)
        {
            return Bytes(string.IsNullOrEmpty(text) ? null : Encoding.UTF8.GetBytes(text));
        }

        public NativeSpan Bytes(byte[] bytes)
        {
            NativeSpan span = new NativeSpan();
            if (bytes == null || bytes.Length == 0) return span;
            GCHandle pin = GCHandle.Alloc(bytes, GCHandleType.Pinned);
            _pins.Add(pin);
            span.Data = pin.AddrOfPinnedObject();
            span.Size = (ulong)bytes.Length;
            return span;
        }

        public void Dispose()
        {
            foreach (GCHandle pin in _pins) pin.Free();
            _pins.Clear();
        }
    }
}
