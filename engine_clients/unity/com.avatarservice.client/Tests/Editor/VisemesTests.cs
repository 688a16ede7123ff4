using AvatarService.Client.Rig;
using NUnit.Framework;

namespace AvatarService.Client.Tests
{
    public sealed class VisemesTests
    {
        private static int Strongest(float[] weights)
        {
            int best = 0;
            for (int i = 1; i < weights.Length; i++) if (weights[i] > weights[best]) best = i;
            return best;
        }

        private static float[] Weigh(float jaw, float pucker, float press, float lowerRoll, float speech)
        {
            float[] expression = new float[52];
            expression[17] = jaw;
            expression[20] = pucker;
            expression[31] = lowerRoll;
            expression[35] = expression[36] = press;
            float[] weights = new float[15];
            Visemes.FromExpression(expression, speech, weights);
            return weights;
        }

        [Test]
        public void MouthsLookLikeTheirSounds()
        {
            Assert.AreEqual("sil", Visemes.Names[Strongest(Weigh(0, 0, 0, 0, 0))]);
            Assert.AreEqual("PP", Visemes.Names[Strongest(Weigh(0, 0, 0.3f, 0, 1))]);
            Assert.AreEqual("aa", Visemes.Names[Strongest(Weigh(0.4f, 0, 0, 0, 1))]);
            Assert.AreEqual("ou", Visemes.Names[Strongest(Weigh(0.13f, 0.35f, 0, 0, 1))]);
            Assert.AreEqual("FF", Visemes.Names[Strongest(Weigh(0.08f, 0, 0, 0.5f, 1))]);
        }

        [Test]
        public void WeightsSumToOneAlsoForImpossibleMouths()
        {
            foreach (float jaw in new[] { 0f, 0.2f, 1.25f })
            {
                float sum = 0;
                foreach (float weight in Weigh(jaw, 1.25f, 1.25f, 1.25f, 1)) sum += weight;
                Assert.AreEqual(1f, sum, 1e-4f);
            }
        }
    }
}
