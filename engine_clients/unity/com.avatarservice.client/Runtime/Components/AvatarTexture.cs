using System;
using AvatarService.Client.Interop;
using Unity.Collections;
using Unity.Collections.LowLevel.Unsafe;
using UnityEngine;
using UnityEngine.Events;
using UnityEngine.UI;

namespace AvatarService.Client
{
    /// <summary>
    /// Shows a speaker's frames: in a RawImage, on a renderer's material, or as Texture. The frame
    /// is the one of the sound being heard. Straight alpha; nothing is allocated per frame.
    /// </summary>
    [AddComponentMenu("Avatar Service/Avatar Texture")]
    public sealed class AvatarTexture : MonoBehaviour
    {
        [Tooltip("Whose face to show; none: the speaker on this object.")]
        public AvatarSpeaker speaker;
        [Tooltip("Shows the face here.")]
        public RawImage image;
        [Tooltip("Shows the face on this renderer's material.")]
        public Renderer targetRenderer;
        [Tooltip("The material's texture: _MainTex (built-in), _BaseMap (URP), _BaseColorMap (HDRP).")]
        public string textureProperty = "_MainTex";
        [Tooltip("The first frame is there.")]
        public UnityEvent appeared = new UnityEvent();

        private NativeFrame _frame = NativeFrame.Create();
        private NativeFrameView _view = NativeFrameView.Create();
        private MaterialPropertyBlock _block;
        private ulong _shownSeq;
        private long _shownPtsNanos = long.MinValue;

        /// <summary>The picture, upright; null before the first frame.</summary>
        public Texture2D Texture { get; private set; }

        /// <summary>Number of the frame shown.</summary>
        public long ShownSeq { get { return (long)_shownSeq; } }

        /// <summary>Session time of the frame shown.</summary>
        public long ShownPtsNanos { get { return _shownPtsNanos; } }

        /// <summary>Frames thrown away because the service overwrote them while they were copied.</summary>
        public long NumTorn { get; private set; }

        private void OnEnable()
        {
            if (speaker == null) speaker = GetComponent<AvatarSpeaker>();
        }

        private void OnDestroy()
        {
            if (Texture != null) Destroy(Texture);
            Texture = null;
        }

        private void LateUpdate()
        {
            if (speaker == null || speaker.Session == null || !speaker.HasTime) return;
            if (!speaker.Session.TryAcquireFrame(speaker.DuePtsNanos, ref _view, ref _frame)) return;
            bool isNew = _frame.Seq != _shownSeq || _frame.PtsNanos != _shownPtsNanos;
            bool hasPixels = _view.Pixels != IntPtr.Zero;
            bool isCopied = isNew && hasPixels;
            if (isCopied)
            {
                Fit((int)_frame.WidthPx, (int)_frame.HeightPx);
                CopyUpright();
            }
            bool isWhole = speaker.Session.ReleaseFrame(ref _view);
            if (!isCopied) return;
            if (!isWhole)  // the next call finds a newer one
            {
                NumTorn++;
                return;
            }
            Texture.Apply(false);
            bool isFirst = _shownPtsNanos == long.MinValue;
            _shownSeq = _frame.Seq;
            _shownPtsNanos = _frame.PtsNanos;
            if (isFirst) appeared.Invoke();
        }

        // The service's row 0 is on top, Unity's at the bottom.
        private unsafe void CopyUpright()
        {
            NativeArray<byte> target = Texture.GetRawTextureData<byte>();
            byte* to = (byte*)NativeArrayUnsafeUtility.GetUnsafePtr(target);
            byte* from = (byte*)_view.Pixels;
            long rowBytes = _frame.RowBytes;
            for (long row = 0, last = _frame.HeightPx - 1; row <= last; row++)
            {
                UnsafeUtility.MemCpy(to + (last - row) * rowBytes, from + row * rowBytes, rowBytes);
            }
        }

        private void Fit(int width, int height)
        {
            if (Texture != null && Texture.width == width && Texture.height == height) return;
            if (Texture != null) Destroy(Texture);
            Texture = new Texture2D(width, height, TextureFormat.RGBA32, false, false);
            Texture.name = "Avatar";
            Texture.wrapMode = TextureWrapMode.Clamp;
            if (image != null) image.texture = Texture;
            if (targetRenderer == null) return;
            if (_block == null) _block = new MaterialPropertyBlock();
            targetRenderer.GetPropertyBlock(_block);
            _block.SetTexture(textureProperty, Texture);
            targetRenderer.SetPropertyBlock(_block);
        }
    }
}
