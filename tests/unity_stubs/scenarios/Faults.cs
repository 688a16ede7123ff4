using AvatarService.Client;
using AvatarService.Client.Internal;
using UnityEngine;

/// <summary>What a developer sees who has configured something wrongly.</summary>
internal static class Faults
{
    public static void Run(string address, string speech)
    {
        Stage stage = new Stage(address, null);
        stage.Client.Token = "not the right one";
        string line = "";
        stage.Speaker.failed.AddListener(delegate(string text) { line = text; });
        bool isOver = UnityLoop.Until(delegate
        {
            return stage.Speaker.State == AvatarState.Failed || stage.Speaker.State == AvatarState.Ready;
        }, Stage.WaitSecs);
        // The character is mute no longer than it has to be: its voice goes on without a face.
        UnityLoop.StartAudio();
        stage.Speaker.resumeWithinSecs = 0.2f;
        stage.Speaker.Speak(Stage.Clip(Stage.Samples(speech)));
        UnityLoop.Until(delegate { return stage.NumEnded > 0; }, 20);
        UnityLoop.StopAudio();
        BackgroundJob<string> job = stage.Client.CreateAvatar(null, null);  // a bug of the game's
        UnityLoop.Until(delegate { return job.IsDone; }, Stage.WaitSecs);
        new Json().Add("job", job.Error == null ? "" : job.Error.Message).Add("heard", UnityLoop.Peak).Add("ended", stage.NumEnded).Add("over", isOver).Add("state", stage.Speaker.State.ToString()).Add("line", line)
            .Add("reason", stage.Speaker.LastError == null ? "" : stage.Speaker.LastError.Reason).Print();
        Object.Destroy(stage.Speaker.gameObject);
    }
}
