using System;
using System.Runtime.InteropServices;

namespace AvatarService.Client.Interop
{
    /// <summary>A native handle that is closed exactly once, also by the finaliser.</summary>
    internal abstract class NativeHandle : SafeHandle
    {
        protected NativeHandle() : base(IntPtr.Zero, true) { }

        public override bool IsInvalid
        {
            get { return handle == IntPtr.Zero; }
        }
    }

    internal sealed class ClientHandle : NativeHandle
    {
        protected override bool ReleaseHandle()
        {
            return Native.avatar_client_close(handle) == 0;
        }
    }

    internal sealed class ClockHandle : NativeHandle
    {
        protected override bool ReleaseHandle()
        {
            return Native.avatar_clock_close(handle) == 0;
        }
    }

    /// <summary>A session; it keeps its client, so that the client is closed after it.</summary>
    internal sealed class SessionHandle : NativeHandle
    {
        private ClientHandle _client;

        /// <summary>Holds the client until this session is closed.</summary>
        public void KeepAlive(ClientHandle client)
        {
            bool isHeld = false;
            client.DangerousAddRef(ref isHeld);
            if (isHeld) _client = client;
        }

        protected override bool ReleaseHandle()
        {
            bool isClosed = Native.avatar_session_close(handle) == 0;
            if (_client != null) _client.DangerousRelease();
            _client = null;
            return isClosed;
        }
    }
}
