using System;
using AvatarService.Client;
using UnityEngine;

/// <summary>Speech that comes piece by piece, from another AudioSource, from a microphone.</summary>
internal static class Streams
{
    /// <summary>A synthesiser that stalls for half a second: the voice waits and stays in step.</summary>
    public static void Pieces(string address, string speech)
    {
        Stage stage = new Stage(address, null);
        UnityLoop.StartAudio();
        stage.WaitReady();
        float[] samples = Stage.Samples(speech);
        float[] piece = new float[1600];
        int sent = 0;
        float began = Time.unscaledTime, jaw = 0;
        UnityLoop.Peak = 0;
        bool isDone = UnityLoop.Until(delegate
        {
            float now = Time.unscaledTime - began;
            float stalled = now < 1f ? now : Math.Max(1f, now - 0.8f);
            while (sent < samples.Length && sent < stalled * 16000 + 3200)
            {
                int count = Math.Min(piece.Length, samples.Length - sent);
                Array.Copy(samples, sent, piece, 0, count);
                stage.Speaker.SpeakSamples(piece, count, 1, 16000);
                sent += count;
                if (sent == samples.Length) stage.Speaker.EndSpeech();
            }
            jaw = Math.Max(jaw, stage.Weight("jawOpen"));
            return stage.NumEnded > 0;
        }, Stage.WaitSecs);
        Report(stage, isDone, jaw, Time.unscaledTime - began, samples.Length / 16000.0);
    }

    /// <summary>What the AudioSource plays is heard later, when the face is ready.</summary>
    public static void Source(string address, string speech)
    {
        Stage stage = new Stage(address, null);
        AudioSource source = new GameObject("Synthesiser").AddComponent<AudioSource>();
        stage.Speaker.voiceSource = source;
        UnityLoop.StartAudio();
        stage.WaitReady();
        float[] samples = Stage.Samples(speech);
        source.clip = Stage.Clip(samples);
        source.Play();
        float began = Time.unscaledTime, jaw = 0;
        UnityLoop.Peak = 0;
        bool isDone = UnityLoop.Until(delegate
        {
            jaw = Math.Max(jaw, stage.Weight("jawOpen"));
            return stage.NumEnded > 0;
        }, samples.Length / 16000.0 + 10);
        Report(stage, isDone, jaw, Time.unscaledTime - began, samples.Length / 16000.0);
    }

    /// <summary>A microphone as the avatar's own voice, unheard.</summary>
    public static void Listening(string address, string speech)
    {
        Stage stage = new Stage(address, null);
        UnityLoop.StartAudio();
        stage.WaitReady();
        float[] samples = Stage.Samples(speech);
        Microphone.Sound = Stage.Clip(samples);
        stage.Speaker.StartMicrophone(null, AudioRole.Speak, 0f);
        float began = Time.unscaledTime, jaw = 0;
        UnityLoop.Peak = 0;
        UnityLoop.Until(delegate
        {
            jaw = Math.Max(jaw, stage.Weight("jawOpen"));
            return Time.unscaledTime - began > 3;
        }, 10);
        stage.Speaker.StopMicrophone();
        bool isDone = UnityLoop.Until(delegate { return stage.NumEnded > 0; }, 10);
        Report(stage, isDone, jaw, Time.unscaledTime - began, 3);
    }

    private static void Report(Stage stage, bool isDone, float jaw, double took, double length)
    {
        new Json().Add("done", isDone).Add("jaw", jaw).Add("peak", UnityLoop.Peak).Add("took", took)
            .Add("length", length).Add("started", stage.NumStarted).Add("ended", stage.NumEnded)
            .Add("log", Debug.Lines).Print();
        UnityLoop.StopAudio();
        UnityEngine.Object.Destroy(stage.Speaker.gameObject);
    }
}
