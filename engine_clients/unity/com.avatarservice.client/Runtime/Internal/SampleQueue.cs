using System;
using System.Threading;

namespace AvatarService.Client.Internal
{
    /// <summary>Mono samples from one thread to another without locks or allocation.</summary>
    internal sealed class SampleQueue
    {
        private readonly float[] _samples;
        private long _written;
        private long _read;

        public SampleQueue(int capacity)
        {
            _samples = new float[capacity];
        }

        public int Count
        {
            get { return (int)(Volatile.Read(ref _written) - Volatile.Read(ref _read)); }
        }

        public int Free
        {
            get { return _samples.Length - Count; }
        }

        /// <summary>Adds one sample; false: it is full. The writer's thread.</summary>
        public bool TryAdd(float sample)
        {
            long written = _written;
            if (written - Volatile.Read(ref _read) >= _samples.Length) return false;
            _samples[written % _samples.Length] = sample;
            Volatile.Write(ref _written, written + 1);
            return true;
        }

        /// <summary>Takes one sample; false: it is empty. The reader's thread.</summary>
        public bool TryTake(out float sample)
        {
            long read = _read;
            if (Volatile.Read(ref _written) == read)
            {
                sample = 0;
                return false;
            }
            sample = _samples[read % _samples.Length];
            Volatile.Write(ref _read, read + 1);
            return true;
        }

        /// <summary>Copies what waits from the from-th sample on, without taking it; how many.</summary>
        public int Peek(int from, float[] target)
        {
            long begin = Volatile.Read(ref _read) + from;
            int count = (int)Math.Min(target.Length, Volatile.Read(ref _written) - begin);
            for (int i = 0; i < count; i++) target[i] = _samples[(begin + i) % _samples.Length];
            return Math.Max(count, 0);
        }

        /// <summary>Drops everything. The reader's thread.</summary>
        public void Clear()
        {
            Volatile.Write(ref _read, Volatile.Read(ref _written));
        }
    }
}
