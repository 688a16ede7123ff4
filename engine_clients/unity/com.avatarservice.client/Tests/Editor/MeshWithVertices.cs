using UnityEngine;

namespace AvatarService.Client.Tests
{
    /// <summary>The smallest mesh that can have blend shapes.</summary>
    internal static class MeshWithVertices
    {
        public static Mesh Make()
        {
            Mesh mesh = new Mesh();
            mesh.vertices = new[] { Vector3.zero, Vector3.up, Vector3.forward };
            return mesh;
        }

        public static void AddShape(Mesh mesh, string name, float fullWeight)
        {
            Vector3[] moves = { Vector3.up, Vector3.up, Vector3.up };
            mesh.AddBlendShapeFrame(name, fullWeight, moves, null, null);
        }
    }
}
