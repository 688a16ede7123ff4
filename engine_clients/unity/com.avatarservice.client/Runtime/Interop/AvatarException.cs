using System;

namespace AvatarService.Client.Interop
{
    /// <summary>A call failed: what, why and whether trying again can help.</summary>
    public sealed class AvatarException : Exception
    {
        public AvatarException(AvatarStatus status, string reason, string message,
                               int retryAfterMillis) : base(message)
        {
            Status = status;
            Reason = reason;
            RetryAfterMillis = retryAfterMillis;
        }

        /// <summary>Kind of fault.</summary>
        public AvatarStatus Status { get; private set; }

        /// <summary>Row of the service's error table, "SESSION_NOT_FOUND"; empty: none fits.</summary>
        public string Reason { get; private set; }

        /// <summary>When to try again; 0: the service named no time.</summary>
        public int RetryAfterMillis { get; private set; }

        internal static unsafe AvatarException From(ref NativeError error)
        {
            fixed (NativeError* pinned = &error)
            {
                return new AvatarException((AvatarStatus)pinned->Code,
                    NativeText.Read(pinned->Reason, 64), NativeText.Read(pinned->Message, 512),
                    (int)pinned->RetryAfterMillis);
            }
        }

        internal static void ThrowIfFailed(int status, ref NativeError error)
        {
            if (status != 0) throw From(ref error);
        }
    }
}
