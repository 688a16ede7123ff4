using System;
using System.Collections.Generic;
using AvatarService.Client;
using UnityEngine;

/// <summary>A photo says a clip: frames on the texture, curves on the mesh, in step with the sound.</summary>
internal static class Talk
{
    public static void Run(string address, string speech, string photo)
    {
        AudioSettings.RatePpm = 5000;  // a bad device: half a percent too fast
        Stage stage = new Stage(address, photo);
        Npc npc = stage.Speaker.gameObject.AddComponent<Npc>();  // the example of the manual
        npc.speaker = stage.Speaker;
        npc.line = Stage.Clip(Stage.Samples(speech));
        UnityLoop.StartAudio();
        stage.WaitReady();
        new Json().Add("session", stage.Speaker.SessionId).Print();  // the observer joins

        AudioSource source = stage.Speaker.GetComponent<AudioSource>();
        List<double> sums = new List<double>(), sequence = new List<double>();
        List<double> offsets = new List<double>(), jaws = new List<double>();
        List<double> behind = new List<double>();
        float headTurn = 0, eyeTurn = 0;
        bool isDone = UnityLoop.Until(delegate
        {
            if (stage.Texture.ShownSeq > 0 && (sequence.Count == 0 || sequence[sequence.Count - 1] != stage.Texture.ShownSeq))
            {
                sequence.Add(stage.Texture.ShownSeq);
                sums.Add(Adler32(stage.Texture.Texture));
            }
            if (source.isPlaying && source.timeSamples > 0)
            {
                long due = stage.Speaker.DuePtsNanos;
                offsets.Add(due * 1e-6 - source.timeSamples / 16.0);
                jaws.Add(stage.Weight("jawOpen"));
                behind.Add((due - stage.Texture.ShownPtsNanos) * 1e-6);
                headTurn = Mathf.Max(headTurn, Mathf.Abs(stage.Head.localRotation.x) + Mathf.Abs(stage.Head.localRotation.y));
                eyeTurn = Mathf.Max(eyeTurn, Mathf.Abs(stage.LeftEye.localRotation.x) + Mathf.Abs(stage.LeftEye.localRotation.y));
            }
            return stage.NumEnded > 0;
        }, Stage.WaitSecs);
        AvatarStatistics statistics = stage.Speaker.Statistics;
        new Json().Add("done", isDone).Add("started", stage.NumStarted).Add("cut", stage.WasCut)
            .Add("seq", sequence).Add("sums", sums).Add("offsets_ms", offsets).Add("jaw", jaws)
            .Add("behind_ms", behind).Add("head", headTurn).Add("eye", eyeTurn)
            .Add("eye_shape", stage.Weight("eyeLookDownLeft") + stage.Weight("eyeLookOutLeft"))
            .Add("rate_ppm", stage.Speaker.DeviceRatePpm).Add("transport", statistics.Transport.ToString())
            .Add("starved", statistics.ReadsStarved).Add("torn", stage.Texture.NumTorn)
            .Add("image", stage.Image.texture == stage.Texture.Texture)
            .Add("usable", stage.Rig.Report.IsUsable).Add("peak", UnityLoop.Peak)
            .Add("log", Debug.Lines).Print();
        UnityLoop.StopAudio();
        UnityEngine.Object.Destroy(stage.Speaker.gameObject);
        new Json().Add("open", AvatarService.Client.Internal.LiveObjects.Count).Print();
    }

    // Of the rows from the top, as zlib's.
    private static double Adler32(Texture2D texture)
    {
        uint a = 1, b = 0;
        int row = texture.width * 4;
        for (int y = texture.height - 1; y >= 0; y--)
        {
            for (int x = 0; x < row; x++)
            {
                a += texture.Uploaded[y * row + x];
                b += a;
                if ((x & 2047) == 2047) { a %= 65521; b %= 65521; }
            }
            a %= 65521;
            b %= 65521;
        }
        return ((ulong)b << 16) | a;
    }
}
