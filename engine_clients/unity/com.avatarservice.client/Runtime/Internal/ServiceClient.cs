using System;
using AvatarService.Client.Interop;

namespace AvatarService.Client.Internal
{
    /// <summary>How to reach a service and what it said about itself.</summary>
    public struct ServerInfo
    {
        public string ApiVersion;
        public string ProductVersion;
        public string Device;
        public string SpeakingStyles;
        public string MotionModels;
        public int NumSessions;
        public int MaxFrameRateHz;
    }

    /// <summary>One service over the native client. All but the constructor may block.</summary>
    internal sealed class ServiceClient : IDisposable
    {
        internal readonly ClientHandle Handle;

        public ServiceClient(string target, int tls, string token, string caPem, string certPem,
                             string keyPem, string serverName)
        {
            NativeLibrary.Check();
            NativeError error = NativeError.Create();
            NativeClientOptions options = new NativeClientOptions();
            uint size = (uint)System.Runtime.InteropServices.Marshal.SizeOf(options);
            Native.avatar_client_options_init(ref options, size);
            using (PinnedInputs inputs = new PinnedInputs())
            {
                options.Tls = (uint)tls;
                options.Target = inputs.Text(target);
                options.Token = inputs.Text(token);
                options.CaPem = inputs.Text(caPem);
                options.ClientCertPem = inputs.Text(certPem);
                options.ClientKeyPem = inputs.Text(keyPem);
                options.TlsServerName = inputs.Text(serverName);
                options.ClientName = inputs.Text("unity/" + PackageInfo.Version);
                int status = Native.avatar_client_create(ref options, out Handle, ref error);
                AvatarException.ThrowIfFailed(status, ref error);
            }
            LiveObjects.Add(this);
        }

        /// <summary>Connects and checks versions. Blocks: worker thread.</summary>
        public unsafe ServerInfo GetServerInfo(int timeoutMillis)
        {
            NativeError error = NativeError.Create();
            NativeServerInfo info = new NativeServerInfo();
            info.StructSize = (uint)sizeof(NativeServerInfo);
            int status = Native.avatar_client_get_server_info(Handle, (uint)timeoutMillis, ref info,
                                                              ref error);
            AvatarException.ThrowIfFailed(status, ref error);
            ServerInfo result = new ServerInfo();
            result.ApiVersion = NativeText.Read(info.ApiVersion, 16);
            result.ProductVersion = NativeText.Read(info.ProductVersion, 32);
            result.Device = NativeText.Read(info.Device, 32);
            result.SpeakingStyles = NativeText.Read(info.SpeakingStyles, 512);
            result.MotionModels = NativeText.Read(info.MotionModels, 256);
            result.NumSessions = (int)info.NumSessions;
            result.MaxFrameRateHz = (int)info.MaxFrameRateHz;
            return result;
        }

        /// <summary>Uploads a photo and returns the avatar's id. Blocks for seconds.</summary>
        public unsafe string CreateAvatar(byte[] photo, Consent consent, int timeoutMillis,
                                          out string notes)
        {
            NativeError error = NativeError.Create();
            NativePhoto request = new NativePhoto();
            NativeAvatarInfo info = new NativeAvatarInfo();
            request.StructSize = (uint)sizeof(NativePhoto);
            info.StructSize = (uint)sizeof(NativeAvatarInfo);
            using (PinnedInputs inputs = new PinnedInputs())
            {
                request.File = inputs.Bytes(photo);
                request.ConsentSubject = inputs.Text(consent.subject);
                request.ConsentBasis = inputs.Text(consent.basis);
                request.ConsentStatedBy = inputs.Text(consent.statedBy);
                int status = Native.avatar_client_create_avatar(Handle, ref request,
                                                                (uint)timeoutMillis, ref info,
                                                                ref error);
                AvatarException.ThrowIfFailed(status, ref error);
            }
            notes = NativeText.Read(info.Notes, 512);
            return NativeText.Read(info.AvatarId, 128);
        }

        public void Dispose()
        {
            LiveObjects.Remove(this);
            Handle.Dispose();
        }
    }
}
