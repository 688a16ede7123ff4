using System;

namespace UnityEngine
{
    public static class Mathf
    {
        public const float Deg2Rad = (float)(Math.PI / 180.0);
        public const float Rad2Deg = (float)(180.0 / Math.PI);
        public static float Clamp01(float value) { return Math.Min(1f, Math.Max(0f, value)); }
        public static int Clamp(int value, int min, int max) { return Math.Min(max, Math.Max(min, value)); }
        public static float Abs(float value) { return Math.Abs(value); }
        public static float Max(float a, float b) { return Math.Max(a, b); }
        public static float Exp(float power) { return (float)Math.Exp(power); }
        public static float Sqrt(float value) { return (float)Math.Sqrt(value); }
    }

    public struct Vector2
    {
        public float x, y;
        public Vector2(float x, float y) { this.x = x; this.y = y; }
    }

    public struct Color32
    {
        public byte r, g, b, a;
        public Color32(byte r, byte g, byte b, byte a) { this.r = r; this.g = g; this.b = b; this.a = a; }
    }

    public struct Vector3
    {
        public float x, y, z;
        public Vector3(float x, float y, float z) { this.x = x; this.y = y; this.z = z; }
        public static Vector3 zero { get { return new Vector3(); } }
        public static Vector3 forward { get { return new Vector3(0, 0, 1); } }
        public static Vector3 up { get { return new Vector3(0, 1, 0); } }
        public float sqrMagnitude { get { return x * x + y * y + z * z; } }
        public static Vector3 operator +(Vector3 a, Vector3 b) { return new Vector3(a.x + b.x, a.y + b.y, a.z + b.z); }
        public static Vector3 operator -(Vector3 a, Vector3 b) { return new Vector3(a.x - b.x, a.y - b.y, a.z - b.z); }
        public static Vector3 operator *(Vector3 a, float s) { return new Vector3(a.x * s, a.y * s, a.z * s); }
    }

    public struct Quaternion
    {
        public float x, y, z, w;
        public Quaternion(float x, float y, float z, float w) { this.x = x; this.y = y; this.z = z; this.w = w; }
        public static Quaternion identity { get { return new Quaternion(0, 0, 0, 1); } }

        public static Quaternion AngleAxis(float degrees, Vector3 axis)
        {
            double half = degrees * Math.PI / 360.0;
            float s = (float)Math.Sin(half);
            return new Quaternion(axis.x * s, axis.y * s, axis.z * s, (float)Math.Cos(half));
        }

        /// <summary>Turns by z, then x, then y degrees, as the scripting reference says.</summary>
        public static Quaternion Euler(float x, float y, float z)
        {
            return AngleAxis(y, new Vector3(0, 1, 0)) * AngleAxis(x, new Vector3(1, 0, 0)) *
                   AngleAxis(z, new Vector3(0, 0, 1));
        }

        public static Quaternion Inverse(Quaternion q) { return new Quaternion(-q.x, -q.y, -q.z, q.w); }

        public static Quaternion operator *(Quaternion a, Quaternion b)
        {
            return new Quaternion(a.w * b.x + a.x * b.w + a.y * b.z - a.z * b.y,
                                  a.w * b.y - a.x * b.z + a.y * b.w + a.z * b.x,
                                  a.w * b.z + a.x * b.y - a.y * b.x + a.z * b.w,
                                  a.w * b.w - a.x * b.x - a.y * b.y - a.z * b.z);
        }

        public static Vector3 operator *(Quaternion q, Vector3 v)
        {
            Quaternion r = q * new Quaternion(v.x, v.y, v.z, 0) * Inverse(q);
            return new Vector3(r.x, r.y, r.z);
        }
    }

    public sealed class Transform : Component
    {
        private readonly System.Collections.Generic.List<Transform> _children =
            new System.Collections.Generic.List<Transform>();
        private Transform _parent;
        public Quaternion localRotation = Quaternion.identity;
        public Vector3 localPosition;

        public Transform parent
        {
            get { return _parent; }
            set
            {
                if (_parent != null) _parent._children.Remove(this);
                _parent = value;
                if (value != null) value._children.Add(this);
            }
        }

        public int childCount { get { return _children.Count; } }
        public Transform GetChild(int index) { return _children[index]; }

        public Quaternion rotation
        {
            get { return _parent == null ? localRotation : _parent.rotation * localRotation; }
        }

        public Vector3 position
        {
            get { return _parent == null ? localPosition : _parent.position + _parent.rotation * localPosition; }
            set { localPosition = value; }
        }
    }
}
