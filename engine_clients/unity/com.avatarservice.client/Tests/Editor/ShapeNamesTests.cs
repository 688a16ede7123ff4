using AvatarService.Client.Interop;
using AvatarService.Client.Rig;
using NUnit.Framework;

namespace AvatarService.Client.Tests
{
    public sealed class ShapeNamesTests
    {
        [TestCase("jawOpen", "jawOpen")]
        [TestCase("JawOpen", "jawOpen")]
        [TestCase("jaw_open", "jawOpen")]
        [TestCase("eyeBlinkLeft", "eyeBlinkLeft")]
        [TestCase("EyeBlinkRight", "eyeBlinkRight")]
        [TestCase("eyeBlink_L", "eyeBlinkLeft")]
        [TestCase("eyeBlink_R", "eyeBlinkRight")]
        [TestCase("mouthSmile-L", "mouthSmileLeft")]
        [TestCase("jaw_L", "jawLeft")]
        [TestCase("mouth_R", "mouthRight")]
        [TestCase("head_blendShape.browDown_L", "browDownLeft")]
        [TestCase("blendShape2.TongueOut", "tongueOut")]
        [TestCase("ARKit_cheekPuff", "cheekPuff")]
        [TestCase("browInnerUp_L", "browInnerUp")]
        [TestCase("CheekPuffRight", "cheekPuff")]
        [TestCase("blinkLeft", "eyeBlinkLeft")]
        [TestCase("Fcl_EYE_Close_R", "eyeBlinkRight")]
        public void KnowsExpressions(string shape, string channel)
        {
            int index;
            Assert.AreEqual(ShapeKind.Expression, ShapeNames.Find(shape, out index), shape);
            Assert.AreEqual(channel, NativeLibrary.ChannelNames[index], shape);
        }

        [TestCase("viseme_PP", "PP")]
        [TestCase("viseme_aa", "aa")]
        [TestCase("vrc.v_ou", "ou")]
        [TestCase("v_ch", "CH")]
        [TestCase("A", "aa")]
        [TestCase("ee", "E")]
        [TestCase("Fcl_MTH_O", "oh")]
        public void KnowsVisemes(string shape, string viseme)
        {
            int index;
            Assert.AreEqual(ShapeKind.Viseme, ShapeNames.Find(shape, out index), shape);
            Assert.AreEqual(viseme, Visemes.Names[index], shape);
        }

        [TestCase("jawOpenWide")]
        [TestCase("Body")]
        [TestCase("_neutral")]
        [TestCase("v_")]
        [TestCase("")]
        [TestCase("eyeBlink")]
        public void LeavesOthersAlone(string shape)
        {
            int index;
            Assert.AreEqual(ShapeKind.Unknown, ShapeNames.Find(shape, out index), shape);
        }

        [Test]
        public void EveryChannelIsFoundByThreeSpellings()
        {
            for (int i = 0; i < ShapeNames.NumExpressions; i++)
            {
                string name = NativeLibrary.ChannelNames[i];
                string pascal = char.ToUpperInvariant(name[0]) + name.Substring(1);
                string sided = name.Replace("Left", "_L").Replace("Right", "_R");
                foreach (string spelling in new[] { name, pascal, sided })
                {
                    int index;
                    Assert.AreEqual(ShapeKind.Expression, ShapeNames.Find(spelling, out index), spelling);
                    Assert.AreEqual(i, index, spelling);
                }
            }
        }
    }
}
