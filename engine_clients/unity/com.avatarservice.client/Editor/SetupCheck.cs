using System.Collections.Generic;
using AvatarService.Client.Interop;
using AvatarService.Client.Rig;
using UnityEngine;

namespace AvatarService.Client.Editor
{
    /// <summary>Finds what would not work, one line each.</summary>
    public static class SetupCheck
    {
        /// <summary>What is wrong with the installation; empty: nothing.</summary>
        public static List<string> InstallationProblems()
        {
            List<string> problems = new List<string>();
            try
            {
                NativeLibrary.Check();
                if (!NativeLibrary.HasSessions)
                    problems.Add("the native library was built without gRPC: it cannot connect");
            }
            catch (AvatarException error)
            {
                problems.Add(error.Message);
            }
            if (AudioSettings.outputSampleRate > 48000)
                problems.Add("the project's sample rate is above 48000 Hz, which the service does " +
                             "not take: speak AudioClips, or set Project Settings > Audio");
            return problems;
        }

        /// <summary>What is wrong with a speaker.</summary>
        public static List<string> Problems(AvatarSpeaker speaker)
        {
            List<string> problems = new List<string>();
            if (speaker.client == null)
                problems.Add("there is no client: make one with Assets > Create > Avatar Service > Client");
            else if (speaker.client.security == AvatarClient.SecurityMode.Loopback &&
                     !IsThisHost(speaker.client.address))
                problems.Add("the service is on another machine, so its connection has to use TLS");
            if (speaker.photo != null && speaker.avatarId.Length == 0 &&
                (speaker.consent.subject.Length == 0 || speaker.consent.basis.Length == 0))
                problems.Add("a photo needs a statement of consent: who is shown, and by what right");
            if (speaker.frameRateHz < 1 || speaker.frameRateHz > 120)
                problems.Add("the frame rate is " + speaker.frameRateHz + "; 1 to 120 is allowed");
            if (speaker.remoteVideo == AvatarRemoteVideo.H264 && LacksH264())
                problems.Add("the native library was built without H.264: take JPEG, or another build");
            bool hasPicture = !speaker.motionOnly &&
                              (speaker.photo != null || speaker.avatarId.Length > 0);
            if (!hasPicture && speaker.GetComponent<AvatarTexture>() != null)
                problems.Add("an AvatarTexture is here, but no photo and no avatar to show");
            return problems;
        }

        /// <summary>What is wrong with a rig.</summary>
        public static RigReport Report(AvatarRig rig)
        {
            return AvatarRigInspector.Check(rig);
        }

        private static bool LacksH264()
        {
            try
            {
                return !NativeLibrary.HasH264;
            }
            catch (AvatarException)
            {
                return false;  // there is no library: InstallationProblems says so
            }
        }

        private static bool IsThisHost(string address)
        {
            return address.StartsWith("127.") || address.StartsWith("localhost:") ||
                   address.StartsWith("[::1]");
        }
    }
}
