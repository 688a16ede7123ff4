using System;
using AvatarService.Client;
using AvatarService.Client.Internal;
using UnityEngine;

/// <summary>Domain reloads: what a domain has opened is closed before it goes, and by going.</summary>
internal static class Reload
{
    public static void Run(string address)
    {
        double before = Sessions(address, -1);
        double open = InDomain(address, true, "hook");
        double afterHook = Sessions(address, before);
        InDomain(address, false, "unload");
        double afterUnload = Sessions(address, before);
        InDomain(address, true, "again");
        new Json().Add("before", before).Add("open", open).Add("after_hook", afterHook)
            .Add("after_unload", afterUnload).Add("at_last", Sessions(address, before)).Print();
    }

    private static double InDomain(string address, bool usesHook, string name)
    {
        AppDomain domain = AppDomain.CreateDomain(name);
        domain.SetData("address", address);
        domain.SetData("usesHook", usesHook);
        domain.DoCallBack(Open);
        double open = (double)domain.GetData("open");
        AppDomain.Unload(domain);
        return open;
    }

    private static void Open()
    {
        AppDomain domain = AppDomain.CurrentDomain;
        string address = (string)domain.GetData("address");
        if ((bool)domain.GetData("usesHook")) AvatarService.Client.Editor.ReleaseBeforeReload.Register();
        Stage stage = new Stage(address, null);
        stage.WaitReady();
        domain.SetData("open", Sessions(address, -1));
        if (!(bool)domain.GetData("usesHook")) return;
        UnityEditor.AssemblyReloadEvents.Raise();
        if (LiveObjects.Count != 0) throw new InvalidOperationException(LiveObjects.Count + " are open");
        UnityLoop.Step();  // components whose native side is gone stay quiet
        UnityEngine.Object.Destroy(stage.Speaker.gameObject);
    }

    /// <summary>Sessions that the service has, once they are as many as hoped for.</summary>
    private static double Sessions(string address, double hoped)
    {
        AvatarClient client = ScriptableObject.CreateInstance<AvatarClient>();
        client.address = address;
        for (int i = 0; ; i++)
        {
            BackgroundJob<ServerInfo> job = client.CheckServer();
            while (!job.IsDone) System.Threading.Thread.Sleep(10);
            if (job.Error != null) throw job.Error;
            if (hoped < 0 || job.Result.NumSessions == hoped || i == 100) return job.Result.NumSessions;
            System.Threading.Thread.Sleep(50);
        }
    }
}
