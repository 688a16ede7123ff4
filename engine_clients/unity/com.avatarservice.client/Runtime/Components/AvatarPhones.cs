using System;
using UnityEngine;

namespace AvatarService.Client
{
    /// <summary>Whose names the phones have; PhoneAlphabet of audio.proto.</summary>
    public enum PhoneAlphabet
    {
        /// <summary>As in CMUdict: "AA1", "SH".</summary>
        Arpabet = 1,
        /// <summary>International Phonetic Alphabet: "ɑ", "ʃ".</summary>
        Ipa = 2
    }

    /// <summary>One speech sound and when it is said.</summary>
    [Serializable]
    public struct AvatarPhone
    {
        [Tooltip("Of the alphabet; at most 32 bytes of UTF-8.")]
        public string symbol;
        [Tooltip("Seconds from the first sample of the speech.")]
        public double startSecs;
        [Tooltip("Seconds from the first sample of the speech; beyond the start.")]
        public double endSecs;

        public AvatarPhone(string symbol, double startSecs, double endSecs)
        {
            this.symbol = symbol;
            this.startSecs = startSecs;
            this.endSecs = endSecs;
        }
    }

    /// <summary>The phones of a speech, as speech synthesisers tell them: the lips then follow them
    /// instead of the sound.</summary>
    [Serializable]
    public sealed class AvatarPhones
    {
        [Tooltip("Of the symbols.")]
        public PhoneAlphabet alphabet = PhoneAlphabet.Arpabet;
        [Tooltip("In order, not overlapping; at most 10000.")]
        public AvatarPhone[] phones = new AvatarPhone[0];

        public AvatarPhones() { }

        public AvatarPhones(PhoneAlphabet alphabet, params AvatarPhone[] phones)
        {
            this.alphabet = alphabet;
            this.phones = phones;
        }
    }
}
