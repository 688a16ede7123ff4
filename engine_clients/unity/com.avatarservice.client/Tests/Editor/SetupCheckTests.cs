using AvatarService.Client.Editor;
using AvatarService.Client.Interop;
using NUnit.Framework;
using UnityEngine;

namespace AvatarService.Client.Tests
{
    public sealed class SetupCheckTests
    {
        private GameObject _root;

        [SetUp]
        public void MakeRoot()
        {
            _root = new GameObject("Character");
        }

        [TearDown]
        public void DestroyRoot()
        {
            Object.DestroyImmediate(_root);
        }

        [Test]
        public void TheSetupCheckNamesWhatIsMissing()
        {
            AvatarSpeaker speaker = _root.AddComponent<AvatarSpeaker>();
            StringAssert.Contains("there is no client", SetupCheck.Problems(speaker)[0]);
            speaker.client = ScriptableObject.CreateInstance<AvatarClient>();
            Assert.AreEqual(0, SetupCheck.Problems(speaker).Count);
            speaker.remoteVideo = AvatarRemoteVideo.H264;
            Assert.AreEqual(NativeLibrary.HasH264 ? 0 : 1, SetupCheck.Problems(speaker).Count);
            speaker.remoteVideo = AvatarRemoteVideo.Automatic;
            speaker.client.address = "game.example:50551";
            StringAssert.Contains("TLS", SetupCheck.Problems(speaker)[0]);
            speaker.client.security = AvatarClient.SecurityMode.Tls;
            speaker.photo = new TextAsset("photo");
            StringAssert.Contains("consent", SetupCheck.Problems(speaker)[0]);
            Assert.AreEqual(0, SetupCheck.InstallationProblems().Count);
        }
    }
}
