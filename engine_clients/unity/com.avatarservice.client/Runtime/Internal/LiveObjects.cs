using System;
using System.Collections.Generic;

namespace AvatarService.Client.Internal
{
    /// <summary>
    /// Everything native that is open. Unity's editor keeps the native library loaded while it
    /// throws the C# domain away, so all of it has to be closed before a reload and at the end of
    /// play mode: the editor hook and the components' OnDisable do.
    /// </summary>
    public static class LiveObjects
    {
        private static readonly object Gate = new object();
        private static readonly List<IDisposable> Open = new List<IDisposable>();

        /// <summary>Native objects that are open now.</summary>
        public static int Count
        {
            get { lock (Gate) return Open.Count; }
        }

        internal static void Add(IDisposable item)
        {
            lock (Gate) Open.Add(item);
        }

        internal static void Remove(IDisposable item)
        {
            lock (Gate) Open.Remove(item);
        }

        /// <summary>Closes all, the youngest first: sessions before the clients they use.</summary>
        public static void ReleaseAll()
        {
            while (true)
            {
                IDisposable youngest;
                lock (Gate)
                {
                    if (Open.Count == 0) return;
                    youngest = Open[Open.Count - 1];
                    Open.RemoveAt(Open.Count - 1);
                }
                youngest.Dispose();
            }
        }
    }
}
