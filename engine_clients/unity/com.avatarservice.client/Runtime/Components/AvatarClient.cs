using System;
using AvatarService.Client.Internal;
using UnityEngine;

namespace AvatarService.Client
{
    /// <summary>How to reach one service: make it with Assets > Create > Avatar Service > Client
    /// and give it to any number of speakers, which share its connection.</summary>
    [CreateAssetMenu(menuName = "Avatar Service/Client", fileName = "AvatarClient")]
    public sealed class AvatarClient : ScriptableObject
    {
        /// <summary>How the connection is protected; beyond this host it has to be.</summary>
        public enum SecurityMode
        {
            /// <summary>Only to a service on this machine.</summary>
            Loopback = 0,
            /// <summary>The server shows a certificate.</summary>
            Tls = 1,
            /// <summary>Both sides do.</summary>
            MutualTls = 2
        }

        [Tooltip("HOST:PORT of the service.")]
        public string address = "127.0.0.1:50551";
        [Tooltip("How the connection is protected.")]
        public SecurityMode security = SecurityMode.Loopback;
        [Tooltip("Name of the environment variable that holds the bearer token; empty: none. " +
                 "Tokens do not belong into assets: a build would ship them.")]
        public string tokenVariable = "";
        [Tooltip("Trusted root certificates, PEM; none: the system's.")]
        public TextAsset trustedRoots;
        [Tooltip("This client's certificate, PEM (mutual TLS).")]
        public TextAsset clientCertificate;
        [Tooltip("This client's key, PEM (mutual TLS).")]
        public TextAsset clientKey;
        [Tooltip("Name to expect in the server's certificate; empty: the host.")]
        public string serverName = "";
        [Tooltip("Milliseconds that a call may take.")]
        public int timeoutMillis = 30000;
        [Tooltip("Milliseconds that a new photo may take: the service gives it three minutes.")]
        public int photoTimeoutMillis = 180000;

        [NonSerialized] private ServiceClient _client;
        [NonSerialized] private int _numUsers;
        [NonSerialized] private string _token;

        /// <summary>The bearer token; set it from your own login, or name tokenVariable.</summary>
        public string Token
        {
            get
            {
                if (_token != null || string.IsNullOrEmpty(tokenVariable)) return _token;
                return Environment.GetEnvironmentVariable(tokenVariable);
            }
            set { _token = value; }
        }

        /// <summary>Asks the service what it is; poll the job's IsDone.</summary>
        public BackgroundJob<ServerInfo> CheckServer()
        {
            ServiceClient client = Acquire();
            return new BackgroundJob<ServerInfo>(delegate
            {
                try { return client.GetServerInfo(timeoutMillis); }
                finally { Release(); }
            });
        }

        /// <summary>Uploads a photo (a JPEG, PNG or WebP file) and gives the avatar's id; the same
        /// photo gives the same avatar. Takes seconds: poll the job's IsDone.</summary>
        public BackgroundJob<string> CreateAvatar(byte[] photo, Consent consent)
        {
            ServiceClient client = Acquire();
            return new BackgroundJob<string>(delegate
            {
                try
                {
                    string notes;
                    string avatarId = client.CreateAvatar(photo, consent, photoTimeoutMillis, out notes);
                    if (notes.Length > 0) Debug.LogWarning("Avatar Service: " + notes);
                    return avatarId;
                }
                finally { Release(); }
            });
        }

        /// <summary>The connection, for one more user. Throws AvatarException.</summary>
        internal ServiceClient Acquire()
        {
            lock (this)
            {
                if (_client == null || _client.Handle.IsClosed)
                {
                    _client = new ServiceClient(address, (int)security, Token, Text(trustedRoots),
                                                Text(clientCertificate), Text(clientKey),
                                                serverName);
                    _numUsers = 0;
                }
                _numUsers++;
                return _client;
            }
        }

        internal void Release()
        {
            ServiceClient unused = null;
            lock (this)
            {
                if (_numUsers > 0) _numUsers--;
                if (_numUsers == 0)
                {
                    unused = _client;
                    _client = null;
                }
            }
            if (unused != null) unused.Dispose();
        }

        private void OnDisable()
        {
            ServiceClient client;
            lock (this)
            {
                client = _client;
                _client = null;
                _numUsers = 0;
            }
            if (client != null) client.Dispose();
        }

        private static string Text(TextAsset asset)
        {
            return asset == null ? null : asset.text;
        }
    }
}
