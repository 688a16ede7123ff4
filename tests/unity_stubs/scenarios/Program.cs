using System;

/// <summary>scenarios.exe NAME ADDRESS [SPEECH.f32 [PHOTO]]</summary>
internal static class Program
{
    private static int Main(string[] arguments)
    {
        string speech = arguments.Length > 2 ? arguments[2] : null;
        string photo = arguments.Length > 3 ? arguments[3] : null;
        string address = arguments[1];
        switch (arguments[0])
        {
            case "talk": Talk.Run(address, speech, photo); break;
            case "interrupt": Interrupt.Run(address, speech); break;
            case "restart": Restart.Run(address, speech); break;
            case "stream": Streams.Pieces(address, speech); break;
            case "source": Streams.Source(address, speech); break;
            case "microphone": Streams.Listening(address, speech); break;
            case "garbage": Garbage.Run(address, photo); break;
            case "reload": Reload.Run(address); break;
            case "crowd": Crowd.Run(address, speech); break;
            case "device": Device.Run(address, speech); break;
            case "token": Faults.Run(address, speech); break;
            case "phones": Phones.Run(address); break;
            case "video": Video.Run(address, photo); break;
            default: throw new ArgumentException(arguments[0]);
        }
        return 0;
    }
}
