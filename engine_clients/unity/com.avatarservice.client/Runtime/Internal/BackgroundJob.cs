using System;
using System.Threading;
using AvatarService.Client.Interop;

namespace AvatarService.Client.Internal
{
    /// <summary>A call that blocks, on a worker thread; ask IsDone from Update.</summary>
    public sealed class BackgroundJob<T>
    {
        private readonly Func<T> _call;
        private volatile bool _isDone;
        private T _result;
        private AvatarException _error;

        internal BackgroundJob(Func<T> call)
        {
            _call = call;
            ThreadPool.QueueUserWorkItem(Run);
        }

        /// <summary>True once Result or Error is there.</summary>
        public bool IsDone { get { return _isDone; } }

        /// <summary>What the call returned.</summary>
        public T Result { get { return _result; } }

        /// <summary>Why it failed; null where it did not.</summary>
        public AvatarException Error { get { return _error; } }

        private void Run(object unused)
        {
            try
            {
                _result = _call();
            }
            catch (AvatarException error)
            {
                _error = error;
            }
            catch (ObjectDisposedException)
            {
                _error = new AvatarException(AvatarStatus.Cancelled, "",
                    "the connection was closed meanwhile", 0);
            }
            catch (Exception error)
            {
                // Out of a worker thread it would end the game, and IsDone would never come.
                _error = new AvatarException(AvatarStatus.Internal, "BUG", error.ToString(), 0);
            }
            _isDone = true;
        }
    }
}
