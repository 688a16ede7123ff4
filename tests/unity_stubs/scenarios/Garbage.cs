using System;
using System.Diagnostics;
using UnityEngine;

/// <summary>Showing frames and curves allocates nothing: the nursery (256 KiB) is never collected
/// while thousands of game frames go by.</summary>
internal static class Garbage
{
    public static void Run(string address, string photo)
    {
        Stage stage = new Stage(address, photo);
        UnityLoop.StartAudio();
        stage.WaitReady();
        UnityLoop.Until(delegate { return stage.Texture.ShownSeq > 20; }, Stage.WaitSecs);
        GC.Collect();
        long firstSeq = stage.Texture.ShownSeq;
        int collections = GC.CollectionCount(0);
        long steps = 0;
        Stopwatch watch = Stopwatch.StartNew();
        while (steps < 20000 && watch.Elapsed.TotalSeconds < 20)
        {
            UnityLoop.Step();
            steps++;
        }
        while (watch.Elapsed.TotalSeconds < 2) UnityLoop.Step();
        new Json().Add("steps", steps).Add("collections", GC.CollectionCount(0) - collections)
            .Add("frames", stage.Texture.ShownSeq - firstSeq).Print();
        UnityLoop.StopAudio();
        UnityEngine.Object.Destroy(stage.Speaker.gameObject);
    }
}
