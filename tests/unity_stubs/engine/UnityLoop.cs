using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.Reflection;
using System.Threading;

namespace UnityEngine
{
    public static class Time
    {
        public static float unscaledTime { get; internal set; }
        public static float unscaledDeltaTime { get; internal set; }
        public static int frameCount { get; internal set; }
    }

    public static class Debug
    {
        public static readonly List<string> Lines = new List<string>();
        public static void Log(object text) { Lines.Add("log " + text); }
        public static void LogWarning(object text, Object context = null) { Lines.Add("warning " + text); }
        public static void LogError(object text, Object context = null) { Lines.Add("error " + text); }
    }

    public static class Application
    {
        public static bool isPlaying { get { return true; } }
        public static string streamingAssetsPath { get { return "."; } }
    }

    /// <summary>The player loop: OnEnable, Start, Update, LateUpdate by execution order, and an
    /// audio thread that calls OnAudioFilterRead.</summary>
    public static class UnityLoop
    {
        private delegate void Filter(float[] data, int channels);

        private sealed class Script
        {
            public MonoBehaviour Behaviour;
            public int Order;
            public Action OnEnable, OnDisable, OnDestroy, Start, Update, LateUpdate;
            public Filter Filter;
            public bool IsStarted;
        }

        private static readonly List<Script> Scripts = new List<Script>();
        private static readonly Stopwatch Watch = Stopwatch.StartNew();
        private static readonly float[] Block = new float[AudioSettings.BlockSamples * 2];
        private static Thread _audio;
        private static volatile bool _isAudioRunning;
        /// <summary>Loudest sample that the device has played since it was last set to 0.</summary>
        public static float Peak;

        internal static void Add(Component component)
        {
            MonoBehaviour behaviour = component as MonoBehaviour;
            if (ReferenceEquals(behaviour, null)) return;
            Script script = new Script();
            script.Behaviour = behaviour;
            foreach (DefaultExecutionOrder order in behaviour.GetType().GetCustomAttributes(
                         typeof(DefaultExecutionOrder), true)) script.Order = order.order;
            script.OnEnable = Message(behaviour, "OnEnable");
            script.OnDisable = Message(behaviour, "OnDisable");
            script.OnDestroy = Message(behaviour, "OnDestroy");
            script.Start = Message(behaviour, "Start");
            script.Update = Message(behaviour, "Update");
            script.LateUpdate = Message(behaviour, "LateUpdate");
            MethodInfo filter = Method(behaviour, "OnAudioFilterRead");
            if (filter != null)
                script.Filter = (Filter)Delegate.CreateDelegate(typeof(Filter), behaviour, filter);
            lock (Scripts)
            {
                int at = Scripts.FindIndex(delegate(Script s) { return s.Order > script.Order; });
                Scripts.Insert(at < 0 ? Scripts.Count : at, script);
            }
        }

        /// <summary>One frame of the game.</summary>
        public static void Step()
        {
            float now = (float)Watch.Elapsed.TotalSeconds;
            Time.unscaledDeltaTime = now - Time.unscaledTime;
            Time.unscaledTime = now;
            Time.frameCount++;
            for (int i = 0; i < Scripts.Count; i++) StartIfNew(Scripts[i]);
            for (int i = 0; i < Scripts.Count; i++)
                if (IsRunning(Scripts[i]) && Scripts[i].Update != null) Scripts[i].Update();
            for (int i = 0; i < Scripts.Count; i++)
                if (IsRunning(Scripts[i]) && Scripts[i].LateUpdate != null) Scripts[i].LateUpdate();
        }

        /// <summary>Runs at 60 frames a second until the condition holds; false: not in time.</summary>
        public static bool Until(Func<bool> condition, double timeoutSecs)
        {
            Stopwatch waited = Stopwatch.StartNew();
            while (!condition())
            {
                if (waited.Elapsed.TotalSeconds > timeoutSecs) return false;
                Step();
                Thread.Sleep(16);
            }
            return true;
        }

        public static void StartAudio()
        {
            _isAudioRunning = true;
            _audio = new Thread(delegate()
            {
                while (_isAudioRunning)
                {
                    AudioSettings.Advance();
                    Thread.Sleep(5);
                }
            });
            _audio.IsBackground = true;
            _audio.Start();
        }

        public static void StopAudio()
        {
            _isAudioRunning = false;
            if (_audio != null) _audio.Join();
        }

        internal static void StopSources()
        {
            foreach (Script script in Scripts)
            {
                AudioSource source = script.Behaviour.GetComponent<AudioSource>();
                if (source != null) source.Stop();
            }
        }

        internal static void MixBlock(double dspTime)
        {
            lock (Scripts)
            {
                foreach (Script script in Scripts)
                {
                    AudioSource source = script.Behaviour.GetComponent<AudioSource>();
                    if (source == null || !source.isPlaying) continue;
                    Array.Clear(Block, 0, Block.Length);
                    source.Mix(Block, 2, dspTime);
                    if (script.Filter != null) script.Filter(Block, 2);
                    foreach (float sample in Block) Peak = Math.Max(Peak, Math.Abs(sample));
                }
            }
        }

        internal static void Enable(Behaviour behaviour, bool isEnabled)
        {
            Script script = Scripts.Find(delegate(Script s) { return ReferenceEquals(s.Behaviour, behaviour); });
            if (script == null || !script.IsStarted) return;
            Action call = isEnabled ? script.OnEnable : script.OnDisable;
            if (call != null) call();
        }

        internal static void Destroy(Object target)
        {
            Script script = Scripts.Find(delegate(Script s) { return ReferenceEquals(s.Behaviour, target); });
            if (script == null) return;
            if (script.IsStarted && script.Behaviour.enabled && script.OnDisable != null) script.OnDisable();
            if (script.OnDestroy != null) script.OnDestroy();
            lock (Scripts) Scripts.Remove(script);
        }

        private static bool IsRunning(Script script)
        {
            return script.Behaviour.enabled && script.Behaviour.gameObject.activeSelf;
        }

        private static void StartIfNew(Script script)
        {
            if (script.IsStarted || !IsRunning(script)) return;
            script.IsStarted = true;
            if (script.OnEnable != null) script.OnEnable();
            if (script.Start != null && script.Behaviour.enabled) script.Start();
        }

        private static Action Message(MonoBehaviour behaviour, string name)
        {
            MethodInfo method = Method(behaviour, name);
            return method == null ? null : (Action)Delegate.CreateDelegate(typeof(Action), behaviour, method);
        }

        private static MethodInfo Method(MonoBehaviour behaviour, string name)
        {
            return behaviour.GetType().GetMethod(name, BindingFlags.Instance | BindingFlags.NonPublic | BindingFlags.Public);
        }
    }
}
