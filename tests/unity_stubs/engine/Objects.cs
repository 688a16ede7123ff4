using System;
using System.Collections.Generic;

namespace UnityEngine
{
    /// <summary>Base of everything; destroyed objects compare equal to null.</summary>
    public class Object
    {
        internal bool IsDestroyed;
        public string name = "";

        public static void Destroy(Object target)
        {
            if (ReferenceEquals(target, null) || target.IsDestroyed) return;
            GameObject gameObject = target as GameObject;
            if (!ReferenceEquals(gameObject, null)) gameObject.DestroyComponents();
            else UnityLoop.Destroy(target);
            target.IsDestroyed = true;
        }

        public static void DestroyImmediate(Object target) { Destroy(target); }

        public static bool operator ==(Object a, Object b)
        {
            bool noA = ReferenceEquals(a, null) || a.IsDestroyed;
            bool noB = ReferenceEquals(b, null) || b.IsDestroyed;
            return noA || noB ? noA && noB : ReferenceEquals(a, b);
        }

        public static bool operator !=(Object a, Object b) { return !(a == b); }
        public override bool Equals(object other) { return this == (other as Object); }
        public override int GetHashCode() { return base.GetHashCode(); }
    }

    public class ScriptableObject : Object
    {
        public static T CreateInstance<T>() where T : ScriptableObject, new() { return new T(); }
    }

    public class TextAsset : Object
    {
        private readonly byte[] _bytes;
        public TextAsset(byte[] content) { _bytes = content; }  // the engine makes these of files
        public TextAsset(string text) { _bytes = System.Text.Encoding.UTF8.GetBytes(text); }
        public byte[] bytes { get { return _bytes; } }
        public string text { get { return System.Text.Encoding.UTF8.GetString(_bytes); } }
    }

    public class Component : Object
    {
        public GameObject gameObject { get; internal set; }
        public Transform transform { get { return gameObject.transform; } }
        public T GetComponent<T>() where T : class { return gameObject.GetComponent<T>(); }
        public T GetComponentInChildren<T>() where T : class
        {
            T[] all = GetComponentsInChildren<T>();
            return all.Length > 0 ? all[0] : null;
        }

        public T GetComponentInParent<T>() where T : class
        {
            for (Transform at = transform; at != null; at = at.parent)
            {
                T found = at.gameObject.GetComponent<T>();
                if (found != null) return found;
            }
            return null;
        }

        public T[] GetComponentsInChildren<T>() where T : class
        {
            List<T> found = new List<T>();
            Collect(transform, found);
            return found.ToArray();
        }

        private static void Collect<T>(Transform at, List<T> found) where T : class
        {
            found.AddRange(at.gameObject.All<T>());
            for (int i = 0; i < at.childCount; i++) Collect(at.GetChild(i), found);
        }
    }

    public class Behaviour : Component
    {
        private bool _enabled = true;
        public bool enabled
        {
            get { return _enabled; }
            set
            {
                if (_enabled == value) return;
                _enabled = value;
                UnityLoop.Enable(this, value);
            }
        }
    }

    public class MonoBehaviour : Behaviour { }

    public sealed class GameObject : Object
    {
        private readonly List<Component> _components = new List<Component>();
        public Transform transform { get; private set; }

        public GameObject(string name)
        {
            this.name = name;
            activeSelf = true;
            transform = AddComponent<Transform>();
        }

        public bool activeSelf { get; private set; }

        /// <summary>Scripts of an inactive object do not run.</summary>
        public void SetActive(bool value)
        {
            if (activeSelf == value) return;
            activeSelf = value;
            foreach (MonoBehaviour script in All<MonoBehaviour>()) UnityLoop.Enable(script, value);
        }

        public T AddComponent<T>() where T : Component, new()
        {
            foreach (RequireComponent need in
                     typeof(T).GetCustomAttributes(typeof(RequireComponent), true))
            {
                if (need.type == typeof(AudioSource) && GetComponent<AudioSource>() == null)
                    AddComponent<AudioSource>();
            }
            T component = new T();
            component.gameObject = this;
            component.name = name;
            _components.Add(component);
            UnityLoop.Add(component);
            return component;
        }

        public T GetComponent<T>() where T : class
        {
            List<T> all = All<T>();
            return all.Count > 0 ? all[0] : null;
        }

        internal List<T> All<T>() where T : class
        {
            List<T> found = new List<T>();
            foreach (Component component in _components)
            {
                T match = component as T;
                if (match != null && !component.IsDestroyed) found.Add(match);
            }
            return found;
        }

        internal void DestroyComponents()
        {
            foreach (Component component in _components) Destroy(component);
        }
    }
}
