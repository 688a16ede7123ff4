using System.Collections.Generic;
using UnityEngine;

/// <summary>Headphones are plugged in in mid-sentence: the clip goes on from there, in sync.</summary>
internal static class Device
{
    public static void Run(string address, string speech)
    {
        Stage stage = new Stage(address, null);
        UnityLoop.StartAudio();
        stage.WaitReady();
        AudioSource source = stage.Speaker.GetComponent<AudioSource>();
        stage.Speaker.Speak(Stage.Clip(Stage.Samples(speech)));
        UnityLoop.Until(delegate { return source.timeSamples > 32000; }, Stage.WaitSecs);
        int changedAt = source.timeSamples, resumedAt = -1;
        AudioSettings.ChangeDevice();
        float jaw = 0;
        List<double> offsets = new List<double>();
        bool isDone = UnityLoop.Until(delegate
        {
            if (source.isPlaying && source.timeSamples > 0)
            {
                if (resumedAt < 0) resumedAt = source.timeSamples;
                jaw = Mathf.Max(jaw, stage.Weight("jawOpen"));
                offsets.Add(stage.Speaker.DuePtsNanos * 1e-6 - source.timeSamples / 16.0);
            }
            return stage.NumEnded > 0;
        }, Stage.WaitSecs);
        new Json().Add("done", isDone).Add("cut", stage.WasCut).Add("changed_at", changedAt)
            .Add("resumed_at", resumedAt).Add("jaw", jaw).Add("offsets_ms", offsets)
            .Add("log", Debug.Lines).Print();
        UnityLoop.StopAudio();
        Object.Destroy(stage.Speaker.gameObject);
    }
}
