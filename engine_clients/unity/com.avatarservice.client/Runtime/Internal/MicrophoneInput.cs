using AvatarService.Client.Interop;
using UnityEngine;

namespace AvatarService.Client.Internal
{
    /// <summary>A microphone that is read once per frame.</summary>
    internal sealed class MicrophoneInput
    {
        private const int LoopSecs = 2;

        private readonly string _device;
        private readonly AudioClip _loop;
        private int _position;

        public MicrophoneInput(string device)
        {
            if (Microphone.devices.Length == 0)
            {
                throw new AvatarException(AvatarStatus.NotFound, "", "there is no microphone, or " +
                                          "this application may not use it", 0);
            }
            _device = device;
            int least, most;
            Microphone.GetDeviceCaps(device, out least, out most);
            int wanted = 16000;  // what the service computes with
            RateHz = most == 0 ? wanted : Mathf.Clamp(wanted, least, most);
            _loop = Microphone.Start(device, true, LoopSecs, RateHz);
            Samples = new float[RateHz / 20];
        }

        public int RateHz { get; private set; }

        /// <summary>What Read brought, mono.</summary>
        public float[] Samples { get; private set; }

        /// <summary>Fetches a whole chunk of 50 ms if there is one; 0 or its length.</summary>
        public int Read()
        {
            int recorded = Microphone.GetPosition(_device);
            int fresh = (recorded - _position + _loop.samples) % _loop.samples;
            if (fresh < Samples.Length) return 0;
            _loop.GetData(Samples, _position);
            _position = (_position + Samples.Length) % _loop.samples;
            return Samples.Length;
        }

        public void Stop()
        {
            Microphone.End(_device);
        }
    }
}
