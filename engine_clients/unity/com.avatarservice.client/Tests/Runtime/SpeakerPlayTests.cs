using System;
using System.Collections;
using AvatarService.Client.Internal;
using NUnit.Framework;
using UnityEngine;
using UnityEngine.TestTools;

namespace AvatarService.Client.PlayTests
{
    /// <summary>Against a running service, named by AVATAR_TEST_ADDRESS (`avatar serve`); without it
    /// these tests say so and are ignored.</summary>
    public sealed class SpeakerPlayTests
    {
        private const float WaitSecs = 30f;
        private GameObject _character;
        private AvatarSpeaker _speaker;

        [SetUp]
        public void MakeSpeaker()
        {
            string address = Environment.GetEnvironmentVariable("AVATAR_TEST_ADDRESS");
            if (string.IsNullOrEmpty(address)) Assert.Ignore("set AVATAR_TEST_ADDRESS to HOST:PORT");
            _character = new GameObject("Character");
            _character.SetActive(false);  // OnEnable comes when all is set
            _speaker = _character.AddComponent<AvatarSpeaker>();
            _speaker.client = ScriptableObject.CreateInstance<AvatarClient>();
            _speaker.client.address = address;
            _character.SetActive(true);
        }

        [TearDown]
        public void DestroySpeaker()
        {
            if (_character != null) UnityEngine.Object.DestroyImmediate(_character);
            Assert.AreEqual(0, LiveObjects.Count, "native objects that were not released");
        }

        private static AudioClip Voice(float secs)
        {
            float[] samples = new float[(int)(secs * 16000)];
            for (int i = 0; i < samples.Length; i++)
            {
                double t = i / 16000.0;
                double syllables = Math.Max(0, Math.Sin(2 * Math.PI * 4 * t));
                for (int k = 1; k < 16; k++)
                    samples[i] += (float)(0.1 * syllables * Math.Sin(2 * Math.PI * 140 * k * t) / k);
            }
            AudioClip clip = AudioClip.Create("voice", samples.Length, 1, 16000, false);
            clip.SetData(samples, 0);
            return clip;
        }

        private IEnumerator Until(Func<bool> condition, string what)
        {
            float end = Time.unscaledTime + WaitSecs;
            while (!condition())
            {
                Assert.Less(Time.unscaledTime, end, "not in time: " + what);
                yield return null;
            }
        }

        [UnityTest]
        public IEnumerator AClipIsSaidFromBeginToEnd()
        {
            int numStarted = 0, numEnded = 0;
            _speaker.speechStarted.AddListener(delegate { numStarted++; });
            _speaker.speechEnded.AddListener(delegate(bool wasCut) { numEnded += wasCut ? 100 : 1; });
            yield return Until(delegate { return _speaker.State == AvatarState.Ready; }, "ready");
            _speaker.Speak(Voice(1f));
            yield return Until(delegate { return numEnded > 0; }, "said");
            Assert.AreEqual(1, numStarted);
            Assert.AreEqual(1, numEnded);
        }

        [UnityTest]
        public IEnumerator TimeNeverRunsBackwardsWhileItSpeaks()
        {
            yield return Until(delegate { return _speaker.HasTime; }, "time");
            _speaker.Speak(Voice(1f));
            AudioSource source = _character.GetComponent<AudioSource>();
            yield return Until(delegate { return source.timeSamples > 3200; }, "sound");
            long last = _speaker.DuePtsNanos;
            while (_speaker.IsSpeaking)
            {
                Assert.GreaterOrEqual(_speaker.DuePtsNanos, last);
                last = _speaker.DuePtsNanos;
                yield return null;
            }
        }

        [UnityTest]
        public IEnumerator DisablingClosesTheSessionAndEnablingOpensAnother()
        {
            yield return Until(delegate { return _speaker.State == AvatarState.Ready; }, "ready");
            string first = _speaker.SessionId;
            _speaker.enabled = false;
            Assert.AreEqual(AvatarState.Closed, _speaker.State);
            Assert.AreEqual(0, LiveObjects.Count);
            _speaker.enabled = true;
            yield return Until(delegate { return _speaker.State == AvatarState.Ready; }, "ready again");
            Assert.AreNotEqual(first, _speaker.SessionId);
        }
    }
}
