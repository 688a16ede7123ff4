using AvatarService.Client;
using UnityEngine;

/// <summary>What a developer sees who has configured something wrongly.</summary>
internal static class Faults
{
    public static void Run(string address)
    {
        Stage stage = new Stage(address, null);
        stage.Client.Token = "not the right one";
        string line = "";
        stage.Speaker.failed.AddListener(delegate(string text) { line = text; });
        bool isOver = UnityLoop.Until(delegate
        {
            return stage.Speaker.State == AvatarState.Failed || stage.Speaker.State == AvatarState.Ready;
        }, Stage.WaitSecs);
        new Json().Add("over", isOver).Add("state", stage.Speaker.State.ToString()).Add("line", line)
            .Add("reason", stage.Speaker.LastError == null ? "" : stage.Speaker.LastError.Reason).Print();
        Object.Destroy(stage.Speaker.gameObject);
    }
}
