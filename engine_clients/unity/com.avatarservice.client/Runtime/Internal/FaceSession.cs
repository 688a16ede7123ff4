using System;
using AvatarService.Client.Interop;

namespace AvatarService.Client.Internal
{
    /// <summary>One running face over the native session. Nothing here blocks but Dispose (up to a
    /// second); what is called every frame allocates nothing.</summary>
    internal sealed unsafe class FaceSession : IDisposable
    {
        private readonly SessionHandle _handle;
        private NativeError _error = NativeError.Create();
        private NativeEvent _event;

        public FaceSession(ServiceClient client, SessionSettings settings)
        {
            NativeSessionOptions options = new NativeSessionOptions();
            Native.avatar_session_options_init(ref options, (uint)sizeof(NativeSessionOptions));
            using (PinnedInputs inputs = new PinnedInputs())
            {
                options.AvatarId = inputs.Text(settings.AvatarId);
                options.FpsNum = (uint)settings.FrameRateHz;
                options.SizePx = (uint)settings.SizePx;
                options.Outputs = (uint)settings.Outputs;
                options.Transports = (uint)settings.Transports;
                options.Encoding = (uint)settings.Encoding;
                int status = Native.avatar_session_open(client.Handle, ref options, out _handle,
                                                        ref _error);
                AvatarException.ThrowIfFailed(status, ref _error);
            }
            _handle.KeepAlive(client.Handle);
            _event.StructSize = (uint)sizeof(NativeEvent);
            LiveObjects.Add(this);
        }

        public bool IsOpen
        {
            get { return !_handle.IsClosed; }
        }

        /// <summary>The fault behind a lost connection; null: none.</summary>
        public AvatarException LastError()
        {
            return Native.avatar_session_last_error(_handle, ref _error) == 0
                ? null : AvatarException.From(ref _error);
        }

        public NativeSessionInfo GetInfo()
        {
            NativeSessionInfo info = new NativeSessionInfo();
            info.StructSize = (uint)sizeof(NativeSessionInfo);
            Check(Native.avatar_session_get_info(_handle, ref info, ref _error));
            return info;
        }

        /// <summary>Queues interleaved samples from -1 to 1; false: the connection is lost.</summary>
        public bool PushAudio(float[] samples, int numFrames, int channels, int rateHz,
                              AudioRole role)
        {
            NativeAudio audio = new NativeAudio();
            audio.StructSize = (uint)sizeof(NativeAudio);
            audio.Role = (uint)role;
            audio.Format = 2;  // AVATAR_AUDIO_F32
            audio.SampleRateHz = (uint)rateHz;
            audio.Channels = (uint)channels;
            audio.NumFrames = (ulong)numFrames;
            int status;
            fixed (float* pinned = samples)
            {
                audio.Samples = (IntPtr)pinned;
                status = Native.avatar_session_push_audio(_handle, ref audio, ref _error);
            }
            if (status == (int)AvatarStatus.Unavailable) return false;
            Check(status);
            return true;
        }

        /// <summary>Queues the phones of the segment that is being pushed, or of the next; fromSecs is
        /// the place in the speech at which that segment begins. False: the connection is lost.
        /// Throws where the service or the library refuses them.</summary>
        public bool PushPhones(AvatarPhones known, double fromSecs)
        {
            NativePhone[] phones = new NativePhone[known.phones.Length];
            int count = 0;
            using (PinnedInputs inputs = new PinnedInputs())
            {
                foreach (AvatarPhone phone in known.phones)
                {
                    bool isSaid = phone.endSecs <= fromSecs && phone.endSecs > phone.startSecs;
                    if (isSaid) continue;
                    phones[count].Symbol = inputs.Text(phone.symbol);
                    phones[count].StartNanos = Nanos(Math.Max(0.0, phone.startSecs - fromSecs));
                    phones[count].EndNanos = Nanos(phone.endSecs - fromSecs);
                    count++;
                }
                if (count == 0) return true;
                NativePhones native = new NativePhones();
                native.StructSize = (uint)sizeof(NativePhones);
                native.Alphabet = (uint)known.alphabet;
                native.NumPhones = (ulong)count;
                int status;
                fixed (NativePhone* pinned = phones)
                {
                    native.Phones = (IntPtr)pinned;
                    status = Native.avatar_session_push_phones(_handle, ref native, ref _error);
                }
                if (status == (int)AvatarStatus.Unavailable) return false;
                Check(status);
                return true;
            }
        }

        public bool EndSegment(AudioRole role)
        {
            return Native.avatar_session_end_segment(_handle, (uint)role, ref _error) == 0;
        }

        public void SetControls(AvatarControls controls)
        {
            NativeControls native = new NativeControls();
            Native.avatar_controls_init(ref native, (uint)sizeof(NativeControls));
            using (PinnedInputs inputs = new PinnedInputs())
            {
                controls.Fill(ref native, inputs);
                ulong changeId;
                Check(Native.avatar_session_set_controls(_handle, ref native, 0, out changeId,
                                                         ref _error));
            }
        }

        /// <summary>Barge-in; heardPtsNanos negative: not known. False: the connection is lost.</summary>
        public bool Interrupt(long heardPtsNanos)
        {
            return Native.avatar_session_interrupt(_handle, heardPtsNanos, ref _error) == 0;
        }

        public void AckPlayback(long ptsNanos)
        {
            Native.avatar_session_ack_playback(_handle, ptsNanos, ref _error);
        }

        /// <summary>Session time to show where no audio drives it; false: nothing has come.</summary>
        public bool TryNow(out long ptsNanos)
        {
            return Native.avatar_session_now(_handle, out ptsNanos, ref _error) == 0;
        }

        public bool TryReadMotion(long ptsNanos, ref NativeMotion motion)
        {
            return Native.avatar_session_read_motion(_handle, ptsNanos, ref motion, ref _error) == 0;
        }

        /// <summary>Lends the frame that is due, without a copy; give it back at once.</summary>
        public bool TryAcquireFrame(long ptsNanos, ref NativeFrameView view, ref NativeFrame frame)
        {
            return Native.avatar_session_acquire_frame(_handle, ptsNanos, ref view, ref frame,
                                                       IntPtr.Zero, ref _error) == 0;
        }

        /// <summary>Gives it back; false: the writer has overtaken, what was read may be torn.</summary>
        public bool ReleaseFrame(ref NativeFrameView view)
        {
            return Native.avatar_frame_release(view.Token, ref _error) == 0;
        }

        /// <summary>Takes the oldest event; false: there is none.</summary>
        public bool TryNextEvent(out SessionEvent result)
        {
            result = default(SessionEvent);
            if (Native.avatar_session_next_event(_handle, ref _event, ref _error) != 0) return false;
            if (_event.Kind == 0) return false;
            fixed (NativeEvent* pinned = &_event) result = SessionEvent.From(pinned);
            return true;
        }

        public NativeStatistics GetStatistics()
        {
            NativeStatistics statistics = new NativeStatistics();
            statistics.StructSize = (uint)sizeof(NativeStatistics);
            Check(Native.avatar_session_get_statistics(_handle, ref statistics, ref _error));
            return statistics;
        }

        public void Dispose()
        {
            LiveObjects.Remove(this);
            _handle.Dispose();
        }

        private static long Nanos(double secs)
        {
            return (long)Math.Round(secs * 1e9);
        }

        private void Check(int status)
        {
            AvatarException.ThrowIfFailed(status, ref _error);
        }
    }
}
