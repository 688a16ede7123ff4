using System;
using System.Diagnostics;

namespace UnityEngine
{
    /// <summary>
    /// The audio device: its clock runs in blocks of BlockSamples and RatePpm too fast. Advance
    /// plays what is due; sources that are scheduled begin on their sample.
    /// </summary>
    public static class AudioSettings
    {
        public const int BlockSamples = 1024;
        private static readonly Stopwatch Watch = Stopwatch.StartNew();
        private static long _blocks;

        public delegate void AudioConfigurationChangeHandler(bool deviceWasChanged);
        public static event AudioConfigurationChangeHandler OnAudioConfigurationChanged;

        /// <summary>Another device: all sources stop, and dspTime begins anew.</summary>
        public static void ChangeDevice()
        {
            UnityLoop.StopAudio();
            UnityLoop.StopSources();
            System.Threading.Interlocked.Exchange(ref _blocks, 0);
            Watch.Restart();
            UnityLoop.StartAudio();
            if (OnAudioConfigurationChanged != null) OnAudioConfigurationChanged(true);
        }

        /// <summary>How much faster than real time the device runs.</summary>
        public static double RatePpm;

        public static int outputSampleRate { get { return 48000; } }
        public static double dspTime
        {
            get { return (double)System.Threading.Interlocked.Read(ref _blocks) * BlockSamples / outputSampleRate; }
        }

        public static void GetDSPBufferSize(out int bufferLength, out int numBuffers)
        {
            bufferLength = BlockSamples;
            numBuffers = 2;
        }

        /// <summary>Audio thread: plays the blocks that are due.</summary>
        public static void Advance()
        {
            double secs = Watch.Elapsed.TotalSeconds * (1.0 + RatePpm * 1e-6);
            long due = (long)(secs * outputSampleRate / BlockSamples);
            while (_blocks < due)
            {
                UnityLoop.MixBlock(dspTime);
                System.Threading.Interlocked.Increment(ref _blocks);
            }
        }
    }

    public sealed class AudioClip : Object
    {
        private readonly float[] _data;
        public int channels { get; private set; }
        public int frequency { get; private set; }
        public int samples { get { return _data.Length / channels; } }

        private AudioClip(string name, int samples, int channels, int frequency)
        {
            this.name = name;
            this.channels = channels;
            this.frequency = frequency;
            _data = new float[samples * channels];
        }

        public static AudioClip Create(string name, int lengthSamples, int channels, int frequency, bool stream)
        {
            return new AudioClip(name, lengthSamples, channels, frequency);
        }

        public bool SetData(float[] data, int offsetSamples)
        {
            Array.Copy(data, 0, _data, offsetSamples * channels, data.Length);
            return true;
        }

        /// <summary>Fills data from offset on, wrapping around at the end.</summary>
        public bool GetData(float[] data, int offsetSamples)
        {
            for (int i = 0; i < data.Length; i++) data[i] = _data[(offsetSamples * channels + i) % _data.Length];
            return true;
        }
    }

    public sealed class AudioSource : Behaviour
    {
        internal double StartDspTime = double.PositiveInfinity;
        internal int StartSample;
        private int _timeSamples;
        public AudioClip clip;
        public bool loop;
        public bool isPlaying { get; private set; }

        public int timeSamples
        {
            get { return _timeSamples; }
            set { _timeSamples = StartSample = value; }
        }

        public void Play() { PlayScheduled(AudioSettings.dspTime); }

        public void PlayScheduled(double time)
        {
            StartDspTime = time;
            StartSample = _timeSamples;
            isPlaying = true;
        }

        public void Stop()
        {
            isPlaying = false;
            _timeSamples = StartSample = 0;
            StartDspTime = double.PositiveInfinity;
        }

        /// <summary>Writes one block of this source's clip, mono into all channels.</summary>
        internal void Mix(float[] block, int channels, double blockTime)
        {
            if (!isPlaying || clip == null) return;
            double rate = AudioSettings.outputSampleRate;
            for (int i = 0; i < block.Length / channels; i++)
            {
                double since = blockTime + i / rate - StartDspTime;
                if (since < 0) continue;
                long at = StartSample + (long)(since * clip.frequency);
                if (at >= clip.samples) { isPlaying = false; return; }
                _timeSamples = (int)at;
                for (int c = 0; c < channels; c++) block[i * channels + c] += ClipSample(at);
            }
        }

        private readonly float[] _one = new float[1];
        private float ClipSample(long at)
        {
            if (clip.channels != 1) return 0;
            clip.GetData(_one, (int)at);
            return _one[0];
        }
    }

    /// <summary>A microphone that hears Sound, in real time.</summary>
    public static class Microphone
    {
        public static AudioClip Sound;
        private static AudioClip _loop;
        private static readonly Stopwatch Watch = new Stopwatch();
        private static long _recorded;

        public static string[] devices { get { return Sound == null ? new string[0] : new[] { "stub" }; } }

        public static void GetDeviceCaps(string device, out int min, out int max)
        {
            min = max = Sound.frequency;
        }

        public static AudioClip Start(string device, bool loop, int lengthSec, int frequency)
        {
            _loop = AudioClip.Create("microphone", lengthSec * frequency, 1, frequency, false);
            _recorded = 0;
            Watch.Restart();
            return _loop;
        }

        public static int GetPosition(string device)
        {
            long due = Math.Min(Sound.samples, (long)(Watch.Elapsed.TotalSeconds * Sound.frequency));
            float[] one = new float[1];
            for (; _recorded < due; _recorded++)
            {
                Sound.GetData(one, (int)_recorded);
                _loop.SetData(one, (int)(_recorded % _loop.samples));
            }
            return (int)(_recorded % _loop.samples);
        }

        public static void End(string device) { Watch.Stop(); }
    }
}
