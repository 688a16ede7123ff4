using AvatarService.Client.Interop;
using AvatarService.Client.Rig;
using NUnit.Framework;
using UnityEngine;

namespace AvatarService.Client.Tests
{
    /// <summary>One pose in which all channels and signs differ, on rigs of several kinds.</summary>
    public sealed class RigTests
    {
        private const float Degree = Mathf.Deg2Rad;
        private GameObject _root;

        [SetUp]
        public void MakeRoot()
        {
            _root = new GameObject("Character");
        }

        [TearDown]
        public void DestroyRoot()
        {
            Object.DestroyImmediate(_root);
        }

        private AvatarRig Rig(Mesh mesh)
        {
            AddRenderer(mesh);
            AvatarRig rig = _root.AddComponent<AvatarRig>();
            rig.Rebuild();
            return rig;
        }

        private SkinnedMeshRenderer AddRenderer(Mesh mesh)
        {
            Transform face = Child("Face", _root.transform);
            SkinnedMeshRenderer renderer = face.gameObject.AddComponent<SkinnedMeshRenderer>();
            renderer.sharedMesh = mesh;
            return renderer;
        }

        private static Transform Child(string name, Transform parent)
        {
            Transform child = new GameObject(name).transform;
            child.parent = parent;
            return child;
        }

        private static Mesh MeshOf(float full, params string[] shapes)
        {
            Mesh mesh = MeshWithVertices.Make();
            foreach (string shape in shapes) MeshWithVertices.AddShape(mesh, shape, full);
            return mesh;
        }

        private static string[] ArkitNames()
        {
            string[] names = new string[52];
            System.Array.Copy(NativeLibrary.ChannelNames, names, 52);
            return names;
        }

        private static float Weight(AvatarRig rig, int shape)
        {
            return rig.GetComponentInChildren<SkinnedMeshRenderer>().GetBlendShapeWeight(shape);
        }

        [TestCase(1f)]
        [TestCase(100f)]
        public void WeightsFollowTheMeshsOwnScale(float full)
        {
            AvatarRig rig = Rig(MeshOf(full, ArkitNames()));
            for (int i = 0; i < 52; i++) rig.Channels[i] = 0.01f * (i + 1);
            rig.Channels[17] = 1.25f;  // stored up to 1.25, clamped for a rig
            rig.Apply();
            Assert.AreEqual(full, Weight(rig, 17), 1e-4f);
            Assert.AreEqual(0.52f * full, Weight(rig, 51), 1e-3f);
            Assert.AreEqual(0.01f * full, Weight(rig, 0), 1e-4f);
            Assert.IsTrue(rig.Report.IsUsable, rig.Report.ToString());
        }

        [Test]
        public void AScaleThatDoesNotFitTheMeshIsSaid()
        {
            SkinnedMeshRenderer renderer = AddRenderer(MeshOf(1f, "jawOpen"));
            RigReport report = new RigMap(new[] { renderer }, null, WeightScale.ZeroToHundred).Report;
            Assert.AreEqual(1, report.Problems.Count);
            StringAssert.Contains("full at 1", report.Problems[0]);
        }

        [Test]
        public void NamesThatDoNotMatchAreSaid()
        {
            AvatarRig rig = Rig(MeshOf(100f, "Smile", "Frown"));
            Assert.IsFalse(rig.Report.IsUsable);
            CollectionAssert.AreEquivalent(new[] { "Smile", "Frown" }, rig.Report.UnknownShapes);
            Assert.AreEqual(52, rig.Report.MissingExpressions.Count);
            Assert.AreEqual(1, rig.Report.Problems.Count);
        }

        [Test]
        public void OverridesWin()
        {
            SkinnedMeshRenderer renderer = AddRenderer(MeshOf(100f, "Open", "jawOpen"));
            ShapeOverride open = new ShapeOverride { shape = "Open", drivenBy = "jawOpen" };
            ShapeOverride none = new ShapeOverride { shape = "jawOpen", drivenBy = "" };
            RigReport report = new RigMap(new[] { renderer }, new[] { open, none },
                                          WeightScale.Automatic).Report;
            Assert.AreEqual(1, report.NumDriven);
            CollectionAssert.AreEquivalent(new[] { "jawOpen" }, report.UnknownShapes);
            Assert.IsTrue(report.IsUsable, report.ToString());
        }

        [Test]
        public void VisemesDriveAMouthThatHasNoOther()
        {
            AvatarRig rig = Rig(MeshOf(1f, "viseme_sil", "viseme_PP", "viseme_aa", "eyeBlinkLeft"));
            Assert.IsTrue(rig.Report.DrivesVisemes);
            rig.Channels[17] = 0.4f;
            rig.Channels[70] = 1f;
            rig.Channels[0] = 0.5f;
            rig.Apply();
            Assert.Greater(Weight(rig, 2), 0.5f);
            Assert.Less(Weight(rig, 1), 0.1f);
            Assert.AreEqual(0.5f, Weight(rig, 3), 1e-4f);
        }

        [Test]
        public void AMouthWithBothIsDrivenOnce()
        {
            string[] names = new string[54];
            System.Array.Copy(ArkitNames(), names, 52);
            names[52] = "viseme_aa";
            names[53] = "viseme_PP";
            AvatarRig rig = Rig(MeshOf(1f, names));
            rig.Channels[17] = 0.4f;
            rig.Channels[70] = 1f;
            rig.Apply();
            Assert.AreEqual(0f, Weight(rig, 52));
            Assert.AreEqual(0.4f, Weight(rig, 17), 1e-4f);
        }

        [Test]
        public void GazeTurnsBonesOrShapesNeverBoth()
        {
            AvatarRig rig = Rig(MeshOf(100f, ArkitNames()));
            rig.Channels[1] = rig.Channels[10] = 0.6f;  // eyeLookDownLeft, eyeLookOutRight
            rig.Channels[58] = 0.2f;
            rig.Apply();
            Assert.AreEqual(60f, Weight(rig, 1), 1e-3f);
            Transform left = Child("LeftEye", _root.transform);
            Child("RightEye", _root.transform);
            rig.Rebuild();
            rig.Apply();
            Assert.AreEqual(0f, Weight(rig, 1));
            Assert.AreEqual(0f, Weight(rig, 10));
            Assert.Less((left.localRotation * Vector3.forward).x, -0.1f);
        }

        // The subject's left is Unity's -x for a character that faces +z; bones point anywhere.
        [TestCase(0f, 0f, 0f)]
        [TestCase(90f, 0f, 0f)]
        [TestCase(-30f, 45f, 110f)]
        public void HeadTurnsWhereTheSchemaSays(float x, float y, float z)
        {
            Transform neck = Child("Neck", _root.transform);
            neck.localRotation = Quaternion.Euler(x, y, z);
            Transform head = Child("Head", neck);
            head.localRotation = Quaternion.Euler(z, x, y);
            Quaternion faceFromBone = Quaternion.Inverse(head.rotation);
            BonePose pose = new BonePose(head, _root.transform);
            pose.Turn(20 * Degree, 0, 0, false);
            Assert.Less((head.rotation * faceFromBone * Vector3.forward).x, -0.3f, "yaw: to its left");
            pose.Turn(0, 20 * Degree, 0, false);
            Assert.Less((head.rotation * faceFromBone * Vector3.forward).y, -0.3f, "pitch: down");
            pose.Turn(0, 0, 20 * Degree, false);
            Assert.Greater((head.rotation * faceFromBone * Vector3.up).x, 0.3f, "roll: crown to its right");
            pose.Rest();
            Assert.AreEqual(1f, (head.rotation * faceFromBone * Vector3.forward).z, 1e-4f);
        }

        [Test]
        public void TheNeckTakesItsShareAndNothingIsTurnedTwice()
        {
            Transform neck = Child("Neck", _root.transform);
            Transform head = Child("mixamorig:Head", neck);
            AvatarRig rig = Rig(MeshOf(100f, "jawOpen"));
            Assert.IsTrue(rig.head == head && rig.neck == neck);
            rig.Channels[52] = 30 * Degree;
            rig.Apply();
            Vector3 face = head.rotation * Vector3.forward;
            Assert.AreEqual(-0.5f, face.x, 1e-3f, "sin 30 degrees in all");
            Assert.AreEqual(-0.156f, (neck.rotation * Vector3.forward).x, 2e-3f, "30 % of it");
        }
    }
}
