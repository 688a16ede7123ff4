using System;
using System.Collections.Generic;
using System.Text;
using AvatarService.Client.Interop;

namespace AvatarService.Client.Rig
{
    /// <summary>What a blend shape of a mesh stands for.</summary>
    public enum ShapeKind
    {
        /// <summary>Nothing that we know.</summary>
        Unknown = 0,
        /// <summary>One of the 52 ARKit coefficients; index: its channel.</summary>
        Expression,
        /// <summary>One of Oculus's 15 visemes; index: its place in Visemes.Names.</summary>
        Viseme
    }

    /// <summary>
    /// Recognises blend shapes by name: ARKit (eyeBlinkLeft), PascalCase as in Unreal and Perfect
    /// Sync (EyeBlinkLeft), Apple's raw values and iFacialMocap (eyeBlink_L), Oculus (viseme_PP,
    /// vrc.v_pp), VRM vowels and blinks; with a node's name in front as Maya's FBX files have it.
    /// </summary>
    public static class ShapeNames
    {
        /// <summary>Coefficients of ARKit.</summary>
        public const int NumExpressions = 52;

        private static Dictionary<string, int> _channels;

        // VRM 1.0 and 0.x presets as shapes of the mesh; vowels through the nearest viseme.
        private static readonly Dictionary<string, string> VrmVowels = new Dictionary<string, string>
        {
            { "aa", "aa" }, { "ih", "ih" }, { "ou", "ou" }, { "ee", "E" }, { "oh", "oh" },
            { "a", "aa" }, { "i", "ih" }, { "u", "ou" }, { "e", "E" }, { "o", "oh" },
            { "fclmtha", "aa" }, { "fclmthi", "ih" }, { "fclmthu", "ou" }, { "fclmthe", "E" },
            { "fclmtho", "oh" }
        };

        private static readonly Dictionary<string, string> OtherNames = new Dictionary<string, string>
        {
            { "fcleyecloseleft", "eyeBlinkLeft" }, { "fcleyecloseright", "eyeBlinkRight" },
            { "blinkleft", "eyeBlinkLeft" }, { "blinkright", "eyeBlinkRight" },
            // Split in halves on many rigs; ARKit has one.
            { "browinnerupleft", "browInnerUp" }, { "browinnerupright", "browInnerUp" },
            { "cheekpuffleft", "cheekPuff" }, { "cheekpuffright", "cheekPuff" }
        };

        /// <summary>Finds what a shape stands for.</summary>
        public static ShapeKind Find(string shapeName, out int index)
        {
            string name = WithoutNode(shapeName);
            string key = Normalize(name);
            if (Channels.TryGetValue(key, out index)) return ShapeKind.Expression;
            index = Visemes.IndexOf(VisemeOf(name, key));
            return index >= 0 ? ShapeKind.Viseme : ShapeKind.Unknown;
        }

        /// <summary>Folds the ways to write a name: case, separators, _L and _R.</summary>
        public static string Normalize(string name)
        {
            string spelled = name;
            if (spelled.Length > 2 && IsSeparator(spelled[spelled.Length - 2]))
            {
                char last = char.ToLowerInvariant(spelled[spelled.Length - 1]);
                string side = last == 'l' ? "left" : last == 'r' ? "right" : null;
                if (side != null) spelled = spelled.Substring(0, spelled.Length - 2) + side;
            }
            StringBuilder key = new StringBuilder(spelled.Length);
            foreach (char letter in spelled)
            {
                if (!IsSeparator(letter)) key.Append(char.ToLowerInvariant(letter));
            }
            if (key.Length > 5 && key.ToString().StartsWith("arkit", StringComparison.Ordinal))
                key.Remove(0, 5);
            return key.ToString();
        }

        private static Dictionary<string, int> Channels
        {
            get
            {
                if (_channels != null) return _channels;
                Dictionary<string, int> channels = new Dictionary<string, int>();
                string[] names = NativeLibrary.ChannelNames;
                for (int i = 0; i < NumExpressions; i++) channels[Normalize(names[i])] = i;
                foreach (KeyValuePair<string, string> other in OtherNames)
                    channels[other.Key] = Array.IndexOf(names, other.Value);
                _channels = channels;
                return channels;
            }
        }

        private static string VisemeOf(string name, string key)
        {
            if (key.StartsWith("viseme", StringComparison.Ordinal)) return key.Substring(6);
            if (name.StartsWith("v_", StringComparison.OrdinalIgnoreCase)) return name.Substring(2);
            string viseme;
            return VrmVowels.TryGetValue(key, out viseme) ? viseme : "";
        }

        // Maya puts the node in front ("head_blendShape.jawOpen"), VRChat "vrc.".
        private static string WithoutNode(string name)
        {
            int dot = name.LastIndexOf('.');
            return dot >= 0 && dot < name.Length - 2 ? name.Substring(dot + 1) : name;
        }

        private static bool IsSeparator(char letter)
        {
            return letter == '_' || letter == '-' || letter == ' ' || letter == '.';
        }
    }
}
