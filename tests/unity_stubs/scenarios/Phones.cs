using System;
using System.Collections.Generic;
using AvatarService.Client;
using UnityEngine;

/// <summary>Known phones lead the lips: what is said here is silence, so that nothing else can.</summary>
internal static class Phones
{
    private static readonly AvatarPhones Known = new AvatarPhones(PhoneAlphabet.Arpabet,
        new AvatarPhone("M", 0.1, 0.3), new AvatarPhone("AA1", 0.3, 0.7), new AvatarPhone("M", 0.7, 1.0),
        new AvatarPhone("XX", 1.0, 1.1),
        new AvatarPhone("M", 1.6, 1.8), new AvatarPhone("AA1", 1.8, 2.3), new AvatarPhone("M", 2.3, 2.5));

    public static void Run(string address)
    {
        Stage stage = new Stage(address, null);
        UnityLoop.StartAudio();
        stage.WaitReady();
        Json told = new Json();
        Clip(stage, told);
        Streamed(stage, told);
        Refused(stage, told);
        told.Add("ended", stage.NumEnded).Add("cut", stage.WasCut).Add("log", Debug.Lines).Print();
        UnityLoop.StopAudio();
        UnityEngine.Object.Destroy(stage.Speaker.gameObject);
    }

    /// <summary>On another audio device from its middle on: phones are sent again, from there.</summary>
    private static void Clip(Stage stage, Json told)
    {
        AudioSource source = stage.Speaker.GetComponent<AudioSource>();
        List<double> secs = new List<double>(), jaws = new List<double>();
        bool isChanged = false;
        stage.Speaker.Speak(Stage.Clip(new float[3 * 16000]), Known);
        bool isDone = UnityLoop.Until(delegate
        {
            if (source.isPlaying && source.timeSamples > 0)
            {
                secs.Add(source.timeSamples / 16000.0);
                jaws.Add(stage.Weight("jawOpen"));
                if (!isChanged && source.timeSamples > 20000)
                {
                    isChanged = true;
                    AudioSettings.ChangeDevice();
                }
            }
            return stage.NumEnded > 0;
        }, Stage.WaitSecs);
        told.Add("done", isDone).Add("changed", isChanged).Add("secs", secs).Add("jaw", jaws);
    }

    /// <summary>Phones in two messages, the second behind the first samples.</summary>
    private static void Streamed(Stage stage, Json told)
    {
        float[] piece = new float[4000];
        float jaw = 0;
        stage.Speaker.SpeakPhones(new AvatarPhones(PhoneAlphabet.Arpabet, new AvatarPhone("M", 0, 0.4)));
        for (int i = 0; i < 8; i++)
        {
            if (i == 1)
                stage.Speaker.SpeakPhones(new AvatarPhones(PhoneAlphabet.Ipa, new AvatarPhone("ɑ", 0.8, 1.6)));
            stage.Speaker.SpeakSamples(piece, piece.Length, 1, 16000);
        }
        stage.Speaker.EndSpeech();
        bool isDone = UnityLoop.Until(delegate
        {
            jaw = Math.Max(jaw, stage.Weight("jawOpen"));
            return stage.NumEnded > 1;
        }, Stage.WaitSecs);
        told.Add("stream_done", isDone).Add("stream_jaw", jaw);
    }

    private static void Refused(Stage stage, Json told)
    {
        AvatarPhones crossed = new AvatarPhones(PhoneAlphabet.Arpabet,
            new AvatarPhone("AA", 0.2, 0.5), new AvatarPhone("M", 0.4, 0.6));
        stage.Speaker.Speak(Stage.Clip(new float[8000]), crossed);
        told.Add("refused_done", UnityLoop.Until(delegate { return stage.NumEnded > 2; }, Stage.WaitSecs));
    }
}
