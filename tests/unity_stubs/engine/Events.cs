namespace UnityEngine.Events
{
    public delegate void UnityAction();
    public delegate void UnityAction<T>(T argument);

    public class UnityEvent
    {
        private UnityAction _listeners;
        public void AddListener(UnityAction call) { _listeners += call; }
        public void RemoveListener(UnityAction call) { _listeners -= call; }
        public void Invoke() { if (_listeners != null) _listeners(); }
    }

    public class UnityEvent<T>
    {
        private UnityAction<T> _listeners;
        public void AddListener(UnityAction<T> call) { _listeners += call; }
        public void RemoveListener(UnityAction<T> call) { _listeners -= call; }
        public void Invoke(T argument) { if (_listeners != null) _listeners(argument); }
    }
}
