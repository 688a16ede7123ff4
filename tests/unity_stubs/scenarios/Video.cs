using System;
using AvatarService.Client;
using UnityEngine;

/// <summary>A picture that came as video is the one that came as it is: two sessions of one avatar, both
/// held still.</summary>
internal static class Video
{
    public static void Run(string address, string photo)
    {
        Stage plain = Still(address, photo, AvatarTransport.SharedMemory, AvatarRemoteVideo.Automatic);
        Stage jpeg = Still(address, photo, AvatarTransport.Grpc, AvatarRemoteVideo.Jpeg);
        Stage video = Still(address, photo, AvatarTransport.Grpc, AvatarRemoteVideo.H264);
        UnityLoop.StartAudio();
        foreach (Stage stage in new[] { plain, jpeg, video })
        {
            stage.WaitReady();
            stage.Speaker.SetControls(new AvatarControls().Idle(0).BlinkRate(0).HeadMotion(0).GazeDirection(0, 0));
        }
        bool isDone = UnityLoop.Until(delegate
        {
            return plain.Texture.ShownSeq > 80 && jpeg.Texture.ShownSeq > 80 && video.Texture.ShownSeq > 80;
        }, Stage.WaitSecs);
        Json told = new Json().Add("done", isDone).Add("transport", video.Speaker.Statistics.Transport.ToString())
            .Add("jpeg_db", Likeness(plain, jpeg)).Add("h264_db", Likeness(plain, video))
            .Add("jpeg_bytes", BytesPerFrame(jpeg)).Add("h264_bytes", BytesPerFrame(video))
            .Add("torn", video.Texture.NumTorn);
        byte[] without = (byte[])plain.Texture.Texture.Uploaded.Clone();
        plain.Speaker.SetControls(new AvatarControls().Badge(true).MotionModel("rules"));
        long since = plain.Texture.ShownSeq;
        UnityLoop.Until(delegate { return plain.Texture.ShownSeq > since + 20; }, Stage.WaitSecs);
        told.Add("badge_px", Changed(without, plain.Texture.Texture.Uploaded)).Add("log", Debug.Lines).Print();
        UnityLoop.StopAudio();
        foreach (Stage stage in new[] { plain, jpeg, video }) UnityEngine.Object.Destroy(stage.Speaker.gameObject);
    }

    private static Stage Still(string address, string photo, AvatarTransport transport, AvatarRemoteVideo remoteVideo)
    {
        Stage stage = new Stage(address, photo);
        stage.Speaker.transport = transport;
        stage.Speaker.remoteVideo = remoteVideo;
        return stage;
    }

    private static double BytesPerFrame(Stage stage)
    {
        AvatarStatistics statistics = stage.Speaker.Statistics;
        return (double)statistics.BytesReceived / Math.Max(1, statistics.FramesReceived);
    }

    /// <summary>Pixels that are another by more than 60 of 255.</summary>
    private static int Changed(byte[] before, byte[] after)
    {
        int count = 0;
        for (int i = 0; i < before.Length; i += 4) if (Math.Abs(before[i] - after[i]) > 60) count++;
        return count;
    }

    /// <summary>Peak signal to noise ratio of the colours, dB.</summary>
    private static double Likeness(Stage one, Stage other)
    {
        byte[] a = one.Texture.Texture.Uploaded, b = other.Texture.Texture.Uploaded;
        double sum = 0;
        for (int i = 0; i < a.Length; i++) if (i % 4 != 3) sum += (a[i] - b[i]) * (a[i] - b[i]);
        return 10 * Math.Log10(255.0 * 255.0 / (sum / (a.Length * 0.75) + 1e-9));
    }
}
