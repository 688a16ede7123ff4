using AvatarService.Client.Internal;
using AvatarService.Client.Interop;
using UnityEngine;

namespace AvatarService.Client
{
    /// <summary>
    /// One talking face: its session with the service and its voice. AvatarTexture and AvatarRig
    /// show it. What the audio device plays is the clock that both follow.
    /// </summary>
    [DefaultExecutionOrder(-50)]  // the time to show is known before anything shows it
    [RequireComponent(typeof(AudioSource))]
    [AddComponentMenu("Avatar Service/Avatar Speaker")]
    public sealed partial class AvatarSpeaker : MonoBehaviour
    {
        private ServiceClient _service;
        private BackgroundJob<string> _avatarJob;
        private AudioClock _clock;
        private AudioSource _source;

        private void OnEnable()
        {
            _source = GetComponent<AudioSource>();
            HasTime = false;
            if (client == null)
            {
                Fail(new AvatarException(AvatarStatus.FailedPrecondition, "NO_CLIENT",
                    "AvatarSpeaker on " + name + " has no AvatarClient: make one with Assets > " +
                    "Create > Avatar Service > Client", 0));
                return;
            }
            try
            {
                _service = client.Acquire();
                MakeClock();
                AudioSettings.OnAudioConfigurationChanged += OnDeviceChanged;
                SetState(AvatarState.Connecting);
                if (avatarId.Length == 0 && photo != null)
                    _avatarJob = client.CreateAvatar(photo.bytes, consent);
                else
                    Open();
            }
            catch (AvatarException error)
            {
                Fail(error);
            }
            StartInput();
        }

        private void OnDisable()
        {
            AudioSettings.OnAudioConfigurationChanged -= OnDeviceChanged;
            StopInput();
            DropSpeech();
            _avatarJob = null;
            if (Session != null) Session.Dispose();
            Session = null;
            if (_clock != null) _clock.Dispose();
            _clock = null;
            if (_service != null && client != null) client.Release();
            _service = null;
            HasTime = false;
            SetState(AvatarState.Closed);
        }

        private void Update()
        {
            if (_avatarJob != null && _avatarJob.IsDone) OpenWithNewAvatar();
            if (Session != null && !Session.IsOpen) Session = null;  // before a domain reload
            if (Session == null)
            {
                UpdateSpeech();  // a voice without a face
                return;
            }
            SessionEvent happened;
            while (Session.TryNextEvent(out happened)) Handle(ref happened);
            UpdateInput();
            UpdateSpeech();
            UpdateClock();
        }

        /// <summary>Changes how the face behaves; in effect within 100 ms.</summary>
        public void SetControls(AvatarControls controls)
        {
            if (Session == null)
            {
                throw new AvatarException(AvatarStatus.FailedPrecondition, "SESSION_NOT_FOUND",
                                          "the speaker has no session yet", 0);
            }
            Session.SetControls(controls);
        }

        private void OpenWithNewAvatar()
        {
            BackgroundJob<string> job = _avatarJob;
            _avatarJob = null;
            if (job.Error != null)
            {
                Fail(job.Error);
                return;
            }
            avatarId = job.Result;
            try
            {
                Open();
            }
            catch (AvatarException error)
            {
                Fail(error);
            }
        }

        private void Open()
        {
            SessionSettings settings = new SessionSettings();
            settings.AvatarId = avatarId;
            settings.FrameRateHz = frameRateHz;
            settings.SizePx = sizePx;
            settings.Outputs = motionOnly || avatarId.Length == 0 ? 2 : 3;
            settings.Transports = (int)transport;
            settings.Encoding = (int)remoteVideo;
            Session = new FaceSession(_service, settings);
        }

        private void MakeClock()
        {
            int bufferLength, numBuffers;
            AudioSettings.GetDSPBufferSize(out bufferLength, out numBuffers);
            int rateHz = AudioSettings.outputSampleRate;
            if (_clock != null) _clock.Dispose();
            _clock = new AudioClock(rateHz, (double)bufferLength * numBuffers / rateHz);
        }

        private void UpdateClock()
        {
            long now;
            if (Session.TryNow(out now))
            {
                _clock.Steer(now);
                HasTime = true;
            }
            _clock.Update();
        }

        private void Handle(ref SessionEvent happened)
        {
            switch (happened.Kind)
            {
                case SessionEventKind.State:
                    OnState((AvatarState)happened.Value);
                    break;
                case SessionEventKind.SegmentStarted:
                    if (happened.Role == AudioRole.Speak) OnSegmentStarted(happened.PtsNanos);
                    break;
                case SessionEventKind.Notice:
                    OnNotice(ref happened);
                    break;
                case SessionEventKind.Interrupted:
                    if (_numUnanswered > 0) _numUnanswered--;
                    interrupted.Invoke();
                    break;
            }
        }

        private void OnState(AvatarState state)
        {
            AvatarException error = Session.LastError();
            LastError = error;
            if (state == AvatarState.Ready) OnConnected();
            else OnConnectionLost();
            if (state == AvatarState.Failed && error != null) Fail(error);
            else SetState(state);
        }

        private void Fail(AvatarException error)
        {
            LastError = error;
            string line = "Avatar Service: " + error.Message +
                          (error.Reason.Length > 0 ? " (" + error.Reason + ")" : "");
            Debug.LogError(line, this);
            SetState(AvatarState.Failed);
            failed.Invoke(line);
        }

        private void SetState(AvatarState state)
        {
            if (State == state) return;
            State = state;
            stateChanged.Invoke(state);
        }
    }
}
