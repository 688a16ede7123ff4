using UnityEngine;

namespace AvatarService.Client.Rig
{
    /// <summary>
    /// Turns a bone by an angle of the head frame, whatever way the bone's own axes point.
    /// Ours is glTF's right-handed frame (+X the subject's left, +Y up, +Z out of the face),
    /// Unity's is its mirror in x: a yaw and a roll change their sign, a pitch does not, so
    /// R = Ry(-yaw) Rx(pitch) Rz(-roll), which is Quaternion.Euler(pitch, -yaw, -roll).
    /// </summary>
    public sealed class BonePose
    {
        private readonly Transform _bone;
        private readonly Quaternion _restRotation;
        private readonly Vector3 _restPosition;
        private readonly Quaternion _parentFromCharacter;

        /// <summary>Takes the present pose for rest; character: faces along its own +Z.</summary>
        public BonePose(Transform bone, Transform character)
        {
            _bone = bone;
            _restRotation = bone.localRotation;
            _restPosition = bone.localPosition;
            Quaternion parent = bone.parent == null ? Quaternion.identity : bone.parent.rotation;
            _parentFromCharacter = Quaternion.Inverse(parent) * character.rotation;
        }

        /// <summary>Radians, signs of the motion schema; additive: on top of the animation.</summary>
        public void Turn(float yaw, float pitch, float roll, bool isAdditive)
        {
            Quaternion turn = Quaternion.Euler(pitch * Mathf.Rad2Deg, -yaw * Mathf.Rad2Deg,
                                               -roll * Mathf.Rad2Deg);
            Quaternion inParent = _parentFromCharacter * turn *
                                  Quaternion.Inverse(_parentFromCharacter);
            _bone.localRotation = inParent * (isAdditive ? _bone.localRotation : _restRotation);
        }

        /// <summary>Metres in the head frame: x to the subject's left.</summary>
        public void Move(float x, float y, float z)
        {
            _bone.localPosition = _restPosition + _parentFromCharacter * new Vector3(-x, y, z);
        }

        /// <summary>Puts the bone back as it was.</summary>
        public void Rest()
        {
            if (_bone == null) return;
            _bone.localRotation = _restRotation;
            _bone.localPosition = _restPosition;
        }
    }
}
