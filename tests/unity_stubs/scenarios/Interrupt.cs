using UnityEngine;

/// <summary>Barge-in: silence at once, the mouth closes, new speech is said.</summary>
internal static class Interrupt
{
    public static void Run(string address, string speech)
    {
        Stage stage = new Stage(address, null);
        AudioClip clip = Stage.Clip(Stage.Samples(speech));
        Npc npc = stage.Speaker.gameObject.AddComponent<Npc>();  // the example of the manual
        npc.speaker = stage.Speaker;
        npc.line = clip;
        UnityLoop.StartAudio();
        stage.WaitReady();
        AudioSource source = stage.Speaker.GetComponent<AudioSource>();
        stage.Speaker.Speak(clip);  // waits, and is dropped too
        UnityLoop.Until(delegate { return source.timeSamples > 24000; }, Stage.WaitSecs);
        float before = 0;
        UnityLoop.Until(delegate { before = Mathf.Max(before, stage.Weight("jawOpen")); return before > 10; }, 5);
        npc.CutIn();
        bool isSilent = !source.isPlaying && !stage.Speaker.IsSpeaking;
        UnityLoop.Until(delegate { return stage.NumInterrupted > 0; }, 5);
        double settle = Time.unscaledTime;
        UnityLoop.Until(delegate { return Time.unscaledTime > settle + 0.7; }, 5);
        float after = 0;
        settle = Time.unscaledTime;
        UnityLoop.Until(delegate { after = Mathf.Max(after, stage.Weight("jawOpen")); return Time.unscaledTime > settle + 0.7; }, 5);
        bool wasCut = stage.WasCut;

        stage.Speaker.Speak(clip);
        UnityLoop.Until(delegate { return source.timeSamples > 16000; }, Stage.WaitSecs);
        float again = 0;
        UnityLoop.Until(delegate { again = Mathf.Max(again, stage.Weight("jawOpen")); return again > 10; }, 5);
        new Json().Add("silent", isSilent).Add("interrupted", stage.NumInterrupted).Add("cut", wasCut)
            .Add("jaw_before", before).Add("jaw_after", after).Add("jaw_again", again)
            .Add("started", stage.NumStarted).Add("log", Debug.Lines).Print();
        UnityLoop.StopAudio();
        Object.Destroy(stage.Speaker.gameObject);
    }
}
