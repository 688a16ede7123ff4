using System.Collections.Generic;
using AvatarService.Client;
using AvatarService.Client.Internal;
using AvatarService.Client.Samples;
using UnityEngine;

/// <summary>Many NPCs share one client; one that is far away has no session.</summary>
internal static class Crowd
{
    private const int NumNpcs = 4;

    public static void Run(string address, string speech)
    {
        AvatarClient client = ScriptableObject.CreateInstance<AvatarClient>();
        client.address = address;
        Transform listener = new GameObject("Listener").transform;
        AudioClip clip = Stage.Clip(Stage.Samples(speech));
        List<Stage> stages = new List<Stage>();
        for (int i = 0; i < NumNpcs; i++)
        {
            Stage stage = new Stage(address, null);
            stage.Speaker.client = client;
            NearbyNpc npc = stage.Speaker.gameObject.AddComponent<NearbyNpc>();
            npc.listener = listener;
            stages.Add(stage);
        }
        UnityLoop.StartAudio();
        HashSet<string> sessions = new HashSet<string>();
        foreach (Stage stage in stages)
        {
            stage.WaitReady();
            sessions.Add(stage.Speaker.SessionId);
        }
        int open = LiveObjects.Count;
        float[] jaws = new float[NumNpcs];
        foreach (Stage stage in stages) stage.Speaker.Speak(clip);
        bool isDone = UnityLoop.Until(delegate
        {
            int numEnded = 0;
            for (int i = 0; i < NumNpcs; i++)
            {
                jaws[i] = Mathf.Max(jaws[i], stages[i].Weight("jawOpen"));
                numEnded += stages[i].NumEnded;
            }
            return numEnded == NumNpcs;
        }, Stage.WaitSecs);
        stages[0].Speaker.transform.position = new Vector3(100, 0, 0);
        UnityLoop.Until(delegate { return stages[0].Speaker.State == AvatarState.Closed; }, 5);
        int afterLeaving = LiveObjects.Count;
        float since = Time.unscaledTime;
        UnityLoop.Until(delegate { return Time.unscaledTime > since + 1; }, 5);
        float left = stages[0].Weight("jawOpen");
        stages[0].Speaker.transform.position = Vector3.zero;
        stages[0].WaitReady();
        new Json().Add("done", isDone).Add("sessions", sessions.Count).Add("open", open)
            .Add("after_leaving", afterLeaving).Add("left", left)
            .Add("jaws", System.Array.ConvertAll<float, double>(jaws, delegate(float j) { return j; }))
            .Add("log", Debug.Lines).Print();
        UnityLoop.StopAudio();
        foreach (Stage stage in stages) Object.Destroy(stage.Speaker.gameObject);
        if (LiveObjects.Count != 0) throw new System.InvalidOperationException(LiveObjects.Count + " are open");
    }
}
