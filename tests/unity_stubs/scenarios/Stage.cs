using System;
using System.Collections.Generic;
using System.IO;
using AvatarService.Client;
using AvatarService.Client.Interop;
using UnityEngine;
using UnityEngine.UI;

/// <summary>A scene with one character: speaker, texture, rig, and what a test wants to know.</summary>
internal sealed class Stage
{
    public const double WaitSecs = 60;

    public readonly AvatarClient Client = ScriptableObject.CreateInstance<AvatarClient>();
    public readonly AvatarSpeaker Speaker;
    public readonly AvatarTexture Texture;
    public readonly AvatarRig Rig;
    public readonly SkinnedMeshRenderer Face;
    public readonly RawImage Image;
    public readonly MeshRenderer Wall;
    public readonly Transform Head;
    public readonly Transform LeftEye;
    public readonly List<string> States = new List<string>();
    public int NumStarted, NumEnded, NumInterrupted;
    public bool WasCut;

    public Stage(string address, string photo)
    {
        Client.address = address;
        GameObject character = new GameObject("Character");
        Speaker = character.AddComponent<AvatarSpeaker>();
        Speaker.client = Client;
        if (photo != null)
        {
            Speaker.photo = new TextAsset(File.ReadAllBytes(photo));
            Speaker.consent.subject = "Eileen Collins";
            Speaker.consent.basis = "public domain, NASA";
            Speaker.consent.statedBy = "the test suite";
            Speaker.sizePx = 256;
        }
        Texture = character.AddComponent<AvatarTexture>();
        Image = character.AddComponent<RawImage>();
        Wall = new GameObject("Wall").AddComponent<MeshRenderer>();
        Texture.image = Image;
        Texture.targetRenderer = Wall;
        Head = Child("Head", character.transform);
        LeftEye = Child("LeftEye", Head);
        Child("RightEye", Head);
        Face = Child("Face", character.transform).gameObject.AddComponent<SkinnedMeshRenderer>();
        Face.sharedMesh = ArkitMesh(100f);
        Rig = character.AddComponent<AvatarRig>();
        Speaker.stateChanged.AddListener(delegate(AvatarState state) { States.Add(state.ToString()); });
        Speaker.speechStarted.AddListener(delegate { NumStarted++; });
        Speaker.speechEnded.AddListener(delegate(bool isCut) { NumEnded++; WasCut = isCut; });
        Speaker.interrupted.AddListener(delegate { NumInterrupted++; });
    }

    public float Weight(string shape)
    {
        for (int i = 0; i < Face.sharedMesh.blendShapeCount; i++)
        {
            if (Face.sharedMesh.GetBlendShapeName(i) == shape) return Face.GetBlendShapeWeight(i);
        }
        throw new ArgumentException(shape);
    }

    public void WaitReady()
    {
        if (!UnityLoop.Until(delegate { return Speaker.State == AvatarState.Ready && Speaker.HasTime; }, WaitSecs))
            throw new TimeoutException("not ready: " + Speaker.State + " " + string.Join("; ", Debug.Lines.ToArray()));
    }

    /// <summary>Reads 16 kHz mono float32 samples.</summary>
    public static float[] Samples(string path)
    {
        byte[] bytes = File.ReadAllBytes(path);
        float[] samples = new float[bytes.Length / 4];
        Buffer.BlockCopy(bytes, 0, samples, 0, samples.Length * 4);
        return samples;
    }

    public static AudioClip Clip(float[] samples)
    {
        AudioClip clip = AudioClip.Create("speech", samples.Length, 1, 16000, false);
        clip.SetData(samples, 0);
        return clip;
    }

    public static Mesh ArkitMesh(float fullWeight)
    {
        Mesh mesh = new Mesh();
        mesh.vertices = new Vector3[1];
        for (int i = 0; i < 52; i++)
            mesh.AddBlendShapeFrame(NativeLibrary.ChannelNames[i], fullWeight, new Vector3[1], null, null);
        return mesh;
    }

    private static Transform Child(string name, Transform parent)
    {
        Transform child = new GameObject(name).transform;
        child.parent = parent;
        return child;
    }
}
