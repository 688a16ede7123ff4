using System;
using System.Runtime.InteropServices;
using System.Security;

namespace AvatarService.Client.Interop
{
    /// <summary>The functions of avatar_client.h that this package uses; comments stand there.</summary>
    [SuppressUnmanagedCodeSecurity]
    internal static class Native
    {
#if UNITY_IOS && !UNITY_EDITOR
        private const string Library = "__Internal";
#else
        private const string Library = "avatar_client";
#endif
        private const CallingConvention C = CallingConvention.Cdecl;

        [DllImport(Library, CallingConvention = C)] internal static extern uint avatar_abi_version();
        [DllImport(Library, CallingConvention = C)] internal static extern IntPtr avatar_version();
        [DllImport(Library, CallingConvention = C)] internal static extern uint avatar_features();
        [DllImport(Library, CallingConvention = C)] internal static extern IntPtr avatar_channel_name(uint index);
        [DllImport(Library, CallingConvention = C)] internal static extern int avatar_frame_release(ulong token, ref NativeError error);
        [DllImport(Library, CallingConvention = C)] internal static extern long avatar_monotonic_nanos();

        [DllImport(Library, CallingConvention = C)] internal static extern int avatar_clock_create(uint rate, long latency, out ClockHandle clock, ref NativeError error);
        [DllImport(Library, CallingConvention = C)] internal static extern int avatar_clock_play(ClockHandle clock, long pts, long now, ref NativeError error);
        [DllImport(Library, CallingConvention = C)] internal static extern int avatar_clock_report(ClockHandle clock, long samples, long now, ref NativeError error);
        [DllImport(Library, CallingConvention = C)] internal static extern int avatar_clock_stop(ClockHandle clock, long now, ref NativeError error);
        [DllImport(Library, CallingConvention = C)] internal static extern int avatar_clock_steer(ClockHandle clock, long pts, long now, ref NativeError error);
        [DllImport(Library, CallingConvention = C)] internal static extern int avatar_clock_read(ClockHandle clock, long now, ref NativeClockReading reading, ref NativeError error);
        [DllImport(Library, CallingConvention = C)] internal static extern int avatar_clock_close(IntPtr clock);

        [DllImport(Library, CallingConvention = C)] internal static extern int avatar_client_options_init(ref NativeClientOptions options, uint size);
        [DllImport(Library, CallingConvention = C)] internal static extern int avatar_client_create(ref NativeClientOptions options, out ClientHandle client, ref NativeError error);
        [DllImport(Library, CallingConvention = C)] internal static extern int avatar_client_get_server_info(ClientHandle client, uint timeout, ref NativeServerInfo info, ref NativeError error);
        [DllImport(Library, CallingConvention = C)] internal static extern int avatar_client_create_avatar(ClientHandle client, ref NativePhoto photo, uint timeout, ref NativeAvatarInfo info, ref NativeError error);
        [DllImport(Library, CallingConvention = C)] internal static extern int avatar_client_close(IntPtr client);

        [DllImport(Library, CallingConvention = C)] internal static extern int avatar_session_options_init(ref NativeSessionOptions options, uint size);
        [DllImport(Library, CallingConvention = C)] internal static extern int avatar_controls_init(ref NativeControls controls, uint size);
        [DllImport(Library, CallingConvention = C)] internal static extern int avatar_session_open(ClientHandle client, ref NativeSessionOptions options, out SessionHandle session, ref NativeError error);
        [DllImport(Library, CallingConvention = C)] internal static extern int avatar_session_get_info(SessionHandle session, ref NativeSessionInfo info, ref NativeError error);
        [DllImport(Library, CallingConvention = C)] internal static extern int avatar_session_last_error(SessionHandle session, ref NativeError error);
        [DllImport(Library, CallingConvention = C)] internal static extern int avatar_session_push_audio(SessionHandle session, ref NativeAudio audio, ref NativeError error);
        [DllImport(Library, CallingConvention = C)] internal static extern int avatar_session_push_phones(SessionHandle session, ref NativePhones phones, ref NativeError error);
        [DllImport(Library, CallingConvention = C)] internal static extern int avatar_session_end_segment(SessionHandle session, uint role, ref NativeError error);
        [DllImport(Library, CallingConvention = C)] internal static extern int avatar_session_set_controls(SessionHandle session, ref NativeControls controls, long pts, out ulong changeId, ref NativeError error);
        [DllImport(Library, CallingConvention = C)] internal static extern int avatar_session_interrupt(SessionHandle session, long heardPts, ref NativeError error);
        [DllImport(Library, CallingConvention = C)] internal static extern int avatar_session_ack_playback(SessionHandle session, long pts, ref NativeError error);
        [DllImport(Library, CallingConvention = C)] internal static extern int avatar_session_now(SessionHandle session, out long pts, ref NativeError error);
        [DllImport(Library, CallingConvention = C)] internal static extern int avatar_session_read_motion(SessionHandle session, long pts, ref NativeMotion motion, ref NativeError error);
        [DllImport(Library, CallingConvention = C)] internal static extern int avatar_session_acquire_frame(SessionHandle session, long pts, ref NativeFrameView view, ref NativeFrame frame, IntPtr motion, ref NativeError error);
        [DllImport(Library, CallingConvention = C)] internal static extern int avatar_session_next_event(SessionHandle session, ref NativeEvent nativeEvent, ref NativeError error);
        [DllImport(Library, CallingConvention = C)] internal static extern int avatar_session_get_statistics(SessionHandle session, ref NativeStatistics statistics, ref NativeError error);
        [DllImport(Library, CallingConvention = C)] internal static extern int avatar_session_close(IntPtr session);
    }
}
