using AvatarService.Client;
using UnityEngine;

public sealed class Npc : MonoBehaviour
{
    public AvatarSpeaker speaker;  // with an AvatarClient; AvatarTexture or AvatarRig show its face
    public AudioClip line;

    private void Start()
    {
        speaker.stateChanged.AddListener(delegate(AvatarState state)
        {
            if (state == AvatarState.Ready) speaker.Speak(line);
        });
    }

    public void CutIn() { speaker.Interrupt(); }
}
