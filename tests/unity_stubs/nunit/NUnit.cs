using System;
using System.Collections;
using System.Collections.Generic;

namespace NUnit.Framework
{
    [AttributeUsage(AttributeTargets.Method)] public class TestAttribute : Attribute { }
    [AttributeUsage(AttributeTargets.Method)] public sealed class SetUpAttribute : Attribute { }
    [AttributeUsage(AttributeTargets.Method)] public sealed class TearDownAttribute : Attribute { }
    [AttributeUsage(AttributeTargets.Method, AllowMultiple = true)]
    public sealed class TestCaseAttribute : Attribute
    {
        public readonly object[] Arguments;
        public TestCaseAttribute(params object[] arguments) { Arguments = arguments; }
    }

    public class AssertionException : Exception { public AssertionException(string text) : base(text) { } }
    public sealed class IgnoreException : Exception { public IgnoreException(string text) : base(text) { } }

    public static class Assert
    {
        internal static void That(bool holds, string what, string note)
        {
            if (!holds) throw new AssertionException(what + " " + note);
        }

        public static void AreEqual(object expected, object actual, string note = "")
        {
            bool areNumbers = expected is IConvertible && actual is IConvertible && !(expected is string);
            bool same = areNumbers ? Convert.ToDouble(expected) == Convert.ToDouble(actual) : Equals(expected, actual);
            That(same, "expected " + expected + ", got " + actual, note);
        }

        public static void AreEqual(float expected, float actual, float within, string note = "")
        {
            That(Math.Abs(expected - actual) <= within, "expected " + expected + ", got " + actual, note);
        }

        public static void AreNotEqual(object other, object actual) { That(!Equals(other, actual), "equal: " + actual, ""); }
        public static void IsTrue(bool value, string note = "") { That(value, "expected true", note); }
        public static void IsFalse(bool value, string note = "") { That(!value, "expected false", note); }
        public static void Less(float a, float b, string note = "") { That(a < b, a + " is not below " + b, note); }
        public static void Greater(float a, float b, string note = "") { That(a > b, a + " is not above " + b, note); }
        public static void GreaterOrEqual(long a, long b) { That(a >= b, a + " is below " + b, ""); }
        public static void Ignore(string why) { throw new IgnoreException(why); }
    }

    public static class StringAssert
    {
        public static void Contains(string part, string text) { Assert.That(text.Contains(part), "no '" + part + "' in '" + text + "'", ""); }
    }

    public static class CollectionAssert
    {
        public static void AreEquivalent(IEnumerable expected, IEnumerable actual)
        {
            List<string> a = Sorted(expected), b = Sorted(actual);
            Assert.That(string.Join("|", a.ToArray()) == string.Join("|", b.ToArray()), "not the same items", "");
        }

        private static List<string> Sorted(IEnumerable items)
        {
            List<string> list = new List<string>();
            foreach (object item in items) list.Add(item.ToString());
            list.Sort(StringComparer.Ordinal);
            return list;
        }
    }
}

namespace UnityEngine.TestTools
{
    [AttributeUsage(AttributeTargets.Method)] public sealed class UnityTestAttribute : Attribute { }
}
