using System;
using System.Collections.Generic;
using AvatarService.Client;
using UnityEngine;

/// <summary>The service is killed in mid-sentence and comes back: speech pauses and goes on in sync.</summary>
internal static class Restart
{
    public static void Run(string address, string speech)
    {
        Stage stage = new Stage(address, null);
        stage.Speaker.resumeWithinSecs = 60;
        UnityLoop.StartAudio();
        stage.WaitReady();
        AudioSource source = stage.Speaker.GetComponent<AudioSource>();
        float[] samples = Stage.Samples(speech);
        stage.Speaker.Speak(Stage.Clip(samples));
        UnityLoop.Until(delegate { return source.timeSamples > 32000; }, Stage.WaitSecs);
        new Json().Add("speaking", true).Print();

        UnityLoop.Until(delegate { return stage.Speaker.State == AvatarState.Reconnecting; }, Stage.WaitSecs);
        int resumedAt = -1;
        bool isPaused = !source.isPlaying;
        float presence = 1;
        double lost = Time.unscaledTime;
        UnityLoop.Until(delegate { presence = Mathf.Max(0, stage.Rig.Presence); return Time.unscaledTime > lost + 1.5; }, 10);
        new Json().Add("lost", true).Print();

        List<double> jaws = new List<double>(), offsets = new List<double>();
        bool isDone = UnityLoop.Until(delegate
        {
            if (stage.Speaker.State == AvatarState.Ready && source.isPlaying && source.timeSamples > 0)
            {
                if (resumedAt < 0) resumedAt = source.timeSamples;
                jaws.Add(stage.Weight("jawOpen"));
                offsets.Add(stage.Speaker.DuePtsNanos * 1e-6 - source.timeSamples / 16.0);
            }
            return stage.NumEnded > 0;
        }, Stage.WaitSecs);
        new Json().Add("done", isDone).Add("cut", stage.WasCut).Add("paused", isPaused)
            .Add("presence", presence).Add("resumed_at", resumedAt).Add("total", samples.Length)
            .Add("jaw", jaws).Add("offsets_ms", offsets).Add("states", stage.States)
            .Add("reconnects", stage.Speaker.Statistics.NumReconnects).Add("log", Debug.Lines).Print();
        UnityLoop.StopAudio();
        UnityEngine.Object.Destroy(stage.Speaker.gameObject);
    }
}
