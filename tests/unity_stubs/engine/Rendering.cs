using System;
using System.Collections.Generic;
using System.Runtime.InteropServices;
using Unity.Collections;

namespace Unity.Collections
{
    /// <summary>A view of native memory.</summary>
    public struct NativeArray<T> where T : struct
    {
        internal IntPtr Pointer;
        public int Length { get; internal set; }
    }
}

namespace Unity.Collections.LowLevel.Unsafe
{
    public static class NativeArrayUnsafeUtility
    {
        public static unsafe void* GetUnsafePtr<T>(NativeArray<T> array) where T : struct
        {
            return (void*)array.Pointer;
        }
    }

    public static class UnsafeUtility
    {
        public static unsafe void MemCpy(void* to, void* from, long size)
        {
            Buffer.MemoryCopy(from, to, size, size);
        }
    }
}

namespace UnityEngine
{
    public enum TextureFormat { RGBA32 = 4 }
    public enum TextureWrapMode { Repeat, Clamp }

    public class Texture : Object
    {
        public int width { get; protected set; }
        public int height { get; protected set; }
        public TextureWrapMode wrapMode;
    }

    /// <summary>CPU memory, and what Apply has uploaded. Row 0 is at the bottom.</summary>
    public sealed class Texture2D : Texture
    {
        private readonly IntPtr _memory;
        /// <summary>What the graphics card shows.</summary>
        public readonly byte[] Uploaded;
        public int NumUploads { get; private set; }

        public Texture2D(int width, int height, TextureFormat format, bool mipChain, bool linear)
        {
            if (linear) throw new ArgumentException("the service's pixels are sRGB");
            this.width = width;
            this.height = height;
            Uploaded = new byte[width * height * 4];
            _memory = Marshal.AllocHGlobal(Uploaded.Length);
        }

        ~Texture2D() { Marshal.FreeHGlobal(_memory); }

        public NativeArray<T> GetRawTextureData<T>() where T : struct
        {
            NativeArray<T> view = new NativeArray<T>();
            view.Pointer = _memory;
            view.Length = Uploaded.Length;
            return view;
        }

        public void Apply(bool updateMipmaps)
        {
            Marshal.Copy(_memory, Uploaded, 0, Uploaded.Length);
            NumUploads++;
        }
    }

    public sealed class MaterialPropertyBlock
    {
        internal readonly Dictionary<string, Texture> Textures = new Dictionary<string, Texture>();
        public void SetTexture(string property, Texture value) { Textures[property] = value; }
        public Texture GetTexture(string property) { return Textures[property]; }
    }

    public class Renderer : Component
    {
        private MaterialPropertyBlock _block = new MaterialPropertyBlock();
        public void GetPropertyBlock(MaterialPropertyBlock block)
        {
            foreach (KeyValuePair<string, Texture> entry in _block.Textures) block.Textures[entry.Key] = entry.Value;
        }
        public void SetPropertyBlock(MaterialPropertyBlock block) { _block = block; }
    }

    public sealed class MeshRenderer : Renderer { }

    /// <summary>A mesh with named blend shapes, each full at a weight.</summary>
    public sealed class Mesh : Object
    {
        private readonly List<KeyValuePair<string, float>> _shapes = new List<KeyValuePair<string, float>>();
        public int blendShapeCount { get { return _shapes.Count; } }
        public string GetBlendShapeName(int index) { return _shapes[index].Key; }
        public int GetBlendShapeFrameCount(int index) { return 1; }
        public float GetBlendShapeFrameWeight(int index, int frame) { return _shapes[index].Value; }
        public Vector3[] vertices;

        public void AddBlendShapeFrame(string shape, float weight, Vector3[] moves, Vector3[] normals, Vector3[] tangents)
        {
            if (vertices == null || moves.Length != vertices.Length) throw new ArgumentException("moves");
            _shapes.Add(new KeyValuePair<string, float>(shape, weight));
        }
    }

    public sealed class SkinnedMeshRenderer : Renderer
    {
        private float[] _weights = new float[0];
        private Mesh _mesh;
        public Mesh sharedMesh
        {
            get { return _mesh; }
            set { _mesh = value; _weights = new float[value.blendShapeCount]; }
        }
        public float GetBlendShapeWeight(int index) { return _weights[index]; }
        public void SetBlendShapeWeight(int index, float value) { _weights[index] = value; }
    }

    public enum HumanBodyBones { Hips = 0, Neck = 9, Head = 10, LeftEye = 21, RightEye = 22 }

    public sealed class Animator : Behaviour
    {
        public readonly Dictionary<HumanBodyBones, Transform> Bones = new Dictionary<HumanBodyBones, Transform>();
        public bool isHuman { get { return Bones.Count > 0; } }
        public Transform GetBoneTransform(HumanBodyBones bone)
        {
            Transform found;
            return Bones.TryGetValue(bone, out found) ? found : null;
        }
    }
}

namespace UnityEngine.UI
{
    public sealed class RawImage : Behaviour { public Texture texture; }
}
