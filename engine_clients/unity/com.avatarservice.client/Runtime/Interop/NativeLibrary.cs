using System;
using System.Runtime.InteropServices;

namespace AvatarService.Client.Interop
{
    /// <summary>The native library: whether it is there and fits this package.</summary>
    public static class NativeLibrary
    {
        /// <summary>AVATAR_ABI_VERSION of the header that this package mirrors.</summary>
        public const uint AbiVersion = 1;

        private static bool _isChecked;
        private static string[] _channelNames;

        /// <summary>Version of the library, "MAJOR.MINOR.PATCH".</summary>
        public static string Version
        {
            get { Check(); return Marshal.PtrToStringAnsi(Native.avatar_version()); }
        }

        /// <summary>True where the library can talk to a service (it was built with gRPC).</summary>
        public static bool HasSessions
        {
            get { Check(); return (Native.avatar_features() & 1u) != 0; }
        }

        /// <summary>True where the library can decode H.264.</summary>
        public static bool HasH264
        {
            get { Check(); return (Native.avatar_features() & 16u) != 0; }
        }

        /// <summary>Any monotonic clock, nanoseconds.</summary>
        internal static long MonotonicNanos
        {
            get { return Native.avatar_monotonic_nanos(); }
        }

        /// <summary>Names of the motion channels in their order, "eyeBlinkLeft" ... "speech"; read only.</summary>
        public static string[] ChannelNames
        {
            get
            {
                if (_channelNames == null) _channelNames = ReadChannelNames();
                return _channelNames;
            }
        }

        /// <summary>Throws where the library is missing or another version than this package.</summary>
        public static void Check()
        {
            if (_isChecked) return;
            uint version;
            try
            {
                version = Native.avatar_abi_version();
            }
            catch (DllNotFoundException)
            {
                throw new AvatarException(AvatarStatus.FailedPrecondition, "LIBRARY_MISSING",
                    "the native library avatar_client was not found: copy it into the project's " +
                    "Assets/Plugins/x86_64 (Documentation~/index.md, Installation)", 0);
            }
            if (version != AbiVersion)
            {
                throw new AvatarException(AvatarStatus.FailedPrecondition, "LIBRARY_MISMATCH",
                    "the native library has ABI version " + version + ", this package needs " +
                    AbiVersion + ": install both from the same release", 0);
            }
            StructSizes.Check();
            _isChecked = true;
        }

        private static string[] ReadChannelNames()
        {
            Check();
            string[] names = new string[RingLayout.MotionFloats];
            for (int i = 0; i < names.Length; i++)
            {
                names[i] = Marshal.PtrToStringAnsi(Native.avatar_channel_name((uint)i));
            }
            return names;
        }
    }

    /// <summary>Sizes of the mirrored structs on 64 bit platforms, as in avatar_client.h.</summary>
    internal static unsafe class StructSizes
    {
        public static void Check()
        {
            Expect("avatar_error", 588, sizeof(NativeError));
            Expect("avatar_motion", 320, sizeof(NativeMotion));
            Expect("avatar_frame", 56, sizeof(NativeFrame));
            Expect("avatar_frame_view", 24, sizeof(NativeFrameView));
            Expect("avatar_clock_reading", 40, sizeof(NativeClockReading));
            Expect("avatar_client_options", 128, sizeof(NativeClientOptions));
            Expect("avatar_server_info", 880, sizeof(NativeServerInfo));
            Expect("avatar_photo", 88, sizeof(NativePhoto));
            Expect("avatar_info", 656, sizeof(NativeAvatarInfo));
            Expect("avatar_controls", 120, sizeof(NativeControls));
            Expect("avatar_session_options", 112, sizeof(NativeSessionOptions));
            Expect("avatar_session_info", 184, sizeof(NativeSessionInfo));
            Expect("avatar_audio", 40, sizeof(NativeAudio));
            Expect("avatar_phone", 32, sizeof(NativePhone));
            Expect("avatar_phones", 24, sizeof(NativePhones));
            Expect("avatar_event", 368, sizeof(NativeEvent));
            Expect("avatar_statistics", 144, sizeof(NativeStatistics));
        }

        private static void Expect(string name, int expected, int actual)
        {
            if (expected == actual) return;
            throw new AvatarException(AvatarStatus.Internal, "LIBRARY_MISMATCH",
                name + " has " + actual + " bytes here and " + expected + " in the library", 0);
        }
    }
}
