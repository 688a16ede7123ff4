using UnityEngine;

namespace AvatarService.Client.Rig
{
    /// <summary>Finds head, neck and eyes: by a humanoid Animator, else by the bones' names.</summary>
    internal static class BoneFinder
    {
        public static void Fill(AvatarRig rig)
        {
            Animator animator = rig.GetComponentInChildren<Animator>();
            if (animator != null && !animator.isHuman) animator = null;
            Transform root = rig.transform;
            if (rig.head == null) rig.head = Find(animator, HumanBodyBones.Head, root, "head");
            if (rig.neck == null) rig.neck = Find(animator, HumanBodyBones.Neck, root, "neck");
            if (rig.leftEye == null)
                rig.leftEye = Find(animator, HumanBodyBones.LeftEye, root, "lefteye", "eyeleft");
            if (rig.rightEye == null)
                rig.rightEye = Find(animator, HumanBodyBones.RightEye, root, "righteye", "eyeright");
        }

        private static Transform Find(Animator animator, HumanBodyBones bone, Transform root,
                                      params string[] keys)
        {
            if (animator != null) return animator.GetBoneTransform(bone);
            return FindBelow(root, keys);
        }

        private static Transform FindBelow(Transform parent, string[] keys)
        {
            for (int i = 0; i < parent.childCount; i++)
            {
                Transform child = parent.GetChild(i);
                if (IsNamed(child, keys)) return child;
                Transform found = FindBelow(child, keys);
                if (found != null) return found;
            }
            return null;
        }

        private static bool IsNamed(Transform bone, string[] keys)
        {
            string name = bone.name;
            int colon = name.LastIndexOf(':');  // "mixamorig:Head"
            string key = ShapeNames.Normalize(colon >= 0 ? name.Substring(colon + 1) : name);
            bool isBone = bone.GetComponent<Renderer>() == null;  // a mesh may be called "Head"
            return isBone && System.Array.IndexOf(keys, key) >= 0;
        }
    }
}
