using System;
using System.Diagnostics;
using UnityEngine;

/// <summary>Showing frames and curves allocates nothing: the nursery (256 KiB) is never collected
/// while thousands of game frames go by.</summary>
internal static class Garbage
{
    public static byte[] Last;

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
        for (; watch.Elapsed.TotalSeconds < 2; steps++) UnityLoop.Step();
        int numCollections = GC.CollectionCount(0) - collections;
        // Would it have been seen? One small object per step has to be.
        collections = GC.CollectionCount(0);
        for (long i = 0; i < steps; i++) Last = new byte[16];
        new Json().Add("steps", steps).Add("collections", numCollections)
            .Add("control", GC.CollectionCount(0) - collections)
            .Add("frames", stage.Texture.ShownSeq - firstSeq).Print();
        UnityLoop.StopAudio();
        UnityEngine.Object.Destroy(stage.Speaker.gameObject);
    }
}
