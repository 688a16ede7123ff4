using AvatarService.Client.Internal;
using UnityEngine;

namespace AvatarService.Client
{
    /// <summary>Takes what the AudioSource beside it plays, and lets nothing of it be heard.
    /// AvatarSpeaker adds and removes it.</summary>
    [AddComponentMenu("")]
    internal sealed class AvatarVoiceTap : MonoBehaviour
    {
        private const int KeepSecs = 2;

        private SampleQueue _queue;

        /// <summary>What Read brought, mono, at the output's rate.</summary>
        public float[] Samples { get; private set; }

        /// <summary>Loudest of them.</summary>
        public float Peak { get; private set; }

        private void OnEnable()
        {
            int capacity = KeepSecs * AudioSettings.outputSampleRate;
            Samples = new float[capacity];
            _queue = new SampleQueue(capacity);
        }

        /// <summary>Fetches what was played since; how many samples.</summary>
        public int Read()
        {
            int count = 0;
            float sample;
            Peak = 0;
            while (_queue != null && count < Samples.Length && _queue.TryTake(out sample))
            {
                Samples[count++] = sample;
                Peak = Mathf.Max(Peak, Mathf.Abs(sample));
            }
            return count;
        }

        // Audio thread.
        private void OnAudioFilterRead(float[] data, int channels)
        {
            SampleQueue queue = _queue;
            for (int i = 0; i < data.Length; i += channels)
            {
                float sum = 0;
                for (int c = 0; c < channels; c++)
                {
                    sum += data[i + c];
                    data[i + c] = 0;
                }
                if (queue != null) queue.TryAdd(sum / channels);
            }
        }
    }
}
