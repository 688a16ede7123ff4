using System;

namespace AvatarService.Client.Rig
{
    /// <summary>
    /// Oculus's 15 visemes for rigs that have no ARKit mouth: how much the mouth of the moment
    /// resembles each one's. The same six features and prototypes as the service's viseme export,
    /// blended instead of chosen. Sounds made behind the teeth look alike (DD, kk, nn, SS, TH).
    /// </summary>
    public static class Visemes
    {
        public static readonly string[] Names =
        {
            "sil", "PP", "FF", "TH", "DD", "kk", "CH", "SS", "nn", "RR", "aa", "E", "ih", "oh", "ou"
        };

        private const int NumFeatures = 6;

        // Blending width: at this squared distance a viseme weighs 1/e of a perfect fit.
        private const float Width = 0.12f;

        // Jaw, rounding, closure, spread, lip to teeth, speech; each 1 at Full.
        private static readonly float[] Full = { 0.38f, 0.30f, 0.30f, 0.20f, 0.50f, 1f };
        private static readonly float[] Weights = { 1f, 1f, 1.2f, 0.6f, 1.2f, 0.8f };
        private static readonly float[] Prototypes =
        {
            0.05f, 0.10f, 0.10f, 0.10f, 0f, 0f,  0.05f, 0.15f, 1.00f, 0.20f, 0f, 1f,
            0.20f, 0.10f, 0.20f, 0.20f, 1f, 1f,  0.30f, 0.10f, 0.00f, 0.20f, 0f, 1f,
            0.25f, 0.10f, 0.00f, 0.40f, 0f, 1f,  0.45f, 0.15f, 0.00f, 0.30f, 0f, 1f,
            0.20f, 0.60f, 0.00f, 0.20f, 0f, 1f,  0.10f, 0.10f, 0.00f, 0.60f, 0f, 1f,
            0.20f, 0.10f, 0.00f, 0.25f, 0f, 1f,  0.35f, 0.45f, 0.00f, 0.20f, 0f, 1f,
            1.00f, 0.15f, 0.00f, 0.40f, 0f, 1f,  0.70f, 0.10f, 0.00f, 0.60f, 0f, 1f,
            0.45f, 0.10f, 0.00f, 0.75f, 0f, 1f,  0.80f, 0.60f, 0.00f, 0.15f, 0f, 1f,
            0.35f, 1.00f, 0.00f, 0.10f, 0f, 1f
        };

        // Channels in ARKit's order.
        private const int JawOpen = 17, MouthClose = 18, Funnel = 19, Pucker = 20, SmileLeft = 23,
            StretchLeft = 29, RollLower = 31, RollUpper = 32, PressLeft = 35;

        private static readonly float[] Features = new float[NumFeatures];

        /// <summary>Place of a viseme in Names, whatever its case; -1: none.</summary>
        public static int IndexOf(string name)
        {
            for (int i = 0; i < Names.Length; i++)
            {
                if (string.Equals(Names[i], name, StringComparison.OrdinalIgnoreCase)) return i;
            }
            return -1;
        }

        /// <summary>Fills 15 weights that sum to 1. Main thread only.</summary>
        public static void FromExpression(float[] expression, float speech, float[] weights)
        {
            Describe(expression, speech);
            float sum = 0;
            for (int v = 0; v < Names.Length; v++)
            {
                float distance = 0;
                for (int f = 0; f < NumFeatures; f++)
                {
                    float off = (Features[f] - Prototypes[v * NumFeatures + f]) * Weights[f];
                    distance += off * off;
                }
                weights[v] = (float)Math.Exp(-distance / Width);
                sum += weights[v];
            }
            // Far from all of them the nearest would take everything: let silence in instead.
            weights[0] += Math.Max(0f, 1e-4f - sum);
            sum = Math.Max(sum, 1e-4f);
            for (int v = 0; v < Names.Length; v++) weights[v] /= sum;
        }

        private static void Describe(float[] e, float speech)
        {
            float press = (e[PressLeft] + e[PressLeft + 1]) / 2;
            float roll = Math.Min(e[RollUpper], e[RollLower]);
            Features[0] = Math.Max(e[JawOpen] - e[MouthClose], 0);
            Features[1] = Math.Max(e[Pucker], e[Funnel]);
            Features[2] = Math.Max(press, Math.Max(e[MouthClose], roll));
            Features[3] = (e[SmileLeft] + e[SmileLeft + 1] + e[StretchLeft] + e[StretchLeft + 1]) / 2;
            Features[4] = Math.Max(e[RollLower] - e[RollUpper], 0);
            Features[5] = speech;
            for (int f = 0; f < NumFeatures; f++) Features[f] = Math.Min(Features[f] / Full[f], 1);
        }
    }
}
