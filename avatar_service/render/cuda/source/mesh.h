// Expression, head, perspective and shading of one vertex: render/rig.py and what cpu.py does with
// it. Every thread works its vertex out from the avatar's own arrays, so that no thread waits for
// another one.
#ifndef AVATAR_MESH_H
#define AVATAR_MESH_H

// c . B for one vertex: B stands shape by shape, so that neighbouring threads read neighbouring
// numbers, and shapes that are not active are not read at all.
DEVICE void blend_vertex(const Avatar& avatar, const Frame& frame, int i, float* out) {
  for (int j = 0; j < 3; j++) out[j] = avatar.rest[3 * i + j];
  for (int k = 0; k < NUM_SHAPES; k++) {
    float c = frame.shapes[k];
    if (c > -ACTIVE && c < ACTIVE) continue;
    const float* delta = avatar.shapes + 3 * ((long long)k * avatar.num_vertices + i);
    for (int j = 0; j < 3; j++) out[j] += c * delta[j];
  }
}

// Keeps two facing points of a margin (lips, lids) from passing through each other.
DEVICE void part_pair(float* upper, float* lower, const float* down, float upper_share) {
  float gap = 0.0f;
  for (int j = 0; j < 3; j++) gap += (lower[j] - upper[j]) * down[j];
  if (gap >= 0.0f) return;
  for (int j = 0; j < 3; j++) {
    upper[j] += upper_share * gap * down[j];
    lower[j] -= (1.0f - upper_share) * gap * down[j];
  }
}

// Moves a vertex with head and torso and projects it; returns whether it is within bounds.
DEVICE bool pose_vertex(const Avatar& avatar, const Frame& frame, int i, const float* at,
                        float* camera, float* out) {
  float w = avatar.skin_weight[i], s = avatar.sway[i];
  float p[3], fixed[3];
  transform(frame.skull, at, fixed);
  for (int j = 0; j < 3; j++) p[j] = fixed[j];
  if (s > 0.0f) {
    float lagging[3];
    transform(frame.lagging, at, lagging);
    for (int j = 0; j < 3; j++) p[j] += s * (lagging[j] - p[j]);
  }
  float amount = avatar.strand_amount[i];
  if (amount > 0.0f) {
    int kind = (int)avatar.strand_kind[i];
    float share = avatar.strand_kind[i] - kind, slower[3], quicker[3];
    transform(frame.strands + 12 * kind, at, slower);
    transform(frame.strands + 12 * kind + 12, at, quicker);
    for (int j = 0; j < 3; j++) {
      p[j] += amount * (slower[j] + share * (quicker[j] - slower[j]) - fixed[j]);
    }
  }
  const float* torso = frame.torso_shift;
  for (int j = 0; j < 3; j++) {
    float widened = j == 0 ? at[j] * (1.0f + torso[3]) : at[j];
    float stays = widened + torso[j];
    float follows = j == 1 && p[j] < stays ? avatar.rise_weight[i] : w;
    p[j] = follows * p[j] + (1.0f - follows) * stays;
    camera[j] = p[j];
  }
  const float* projection = avatar.projection;
  float k = projection[1] / fmaxf(projection[1] + p[2], 0.05f * projection[1]);
  out[0] = (k * p[0] + projection[0] + 0.5f) * projection[2] - 0.5f;
  out[1] = (k * p[1] + projection[0] + 0.5f) * projection[2] - 0.5f;
  out[2] = p[2] * projection[3];
  // Written so that a NaN fails.
  float bound = BOUND_FRAMES * avatar.size_px;
  return fabsf(out[0]) < bound && fabsf(out[1]) < bound && fabsf(p[2]) < 64.0f * bound;
}

// One vertex of one frame: blend, part the margins, pose, part them again in the picture.
DEVICE bool place_vertex(const Avatar& avatar, const Frame& frame, int i, float* camera,
                         float* out) {
  float own[3];
  blend_vertex(avatar, frame, i, own);
  int facing = avatar.facing[i];
  if (facing < 0) return pose_vertex(avatar, frame, i, own, camera, out);
  float other[3], other_camera[3], other_out[3];
  blend_vertex(avatar, frame, facing, other);
  int role = avatar.margin_role[i];
  float share = role & ROLE_LID ? 1.0f : 0.5f;
  bool is_upper = role & ROLE_UPPER;
  const float* down = role & ROLE_LID ? avatar.lid_down : avatar.down;
  part_pair(is_upper ? own : other, is_upper ? other : own, down, share);
  bool is_good = pose_vertex(avatar, frame, i, own, camera, out);
  pose_vertex(avatar, frame, facing, other, other_camera, other_out);
  part_pair(is_upper ? out : other_out, is_upper ? other_out : out, frame.image_down, share);
  return is_good;
}

// The ratio of the light on the posed face to that at rest, faded out over neck and hair.
DEVICE float shade_vertex(const Avatar& avatar, const float* camera, int i) {
  int source = avatar.shade_source[i];
  float n[3] = {0.0f, 0.0f, 0.0f};
  for (int k = avatar.ring_start[source]; k < avatar.ring_start[source + 1]; k++) {
    const int* corners = avatar.face_triangles + 3 * avatar.ring[k];
    const float *a = camera + 3 * corners[0], *b = camera + 3 * corners[1],
                *c = camera + 3 * corners[2];
    float e0 = b[0] - a[0], e1 = b[1] - a[1], e2 = b[2] - a[2];
    float f0 = c[0] - a[0], f1 = c[1] - a[1], f2 = c[2] - a[2];
    n[0] += e1 * f2 - e2 * f1;
    n[1] += e2 * f0 - e0 * f2;
    n[2] += e0 * f1 - e1 * f0;
  }
  const float* light = avatar.light;
  float scale = 1.0f / (sqrtf(n[0] * n[0] + n[1] * n[1] + n[2] * n[2]) + 1e-9f);
  float bright = light[0] + (light[1] * n[0] + light[2] * n[1] + light[3] * n[2]) * scale;
  float ratio = fmaxf(bright, MIN_LIGHT) / avatar.rest_light[source];
  ratio = clamp(1.0f + (ratio - 1.0f) * SHADE_STRENGTH, SHADE_MIN, SHADE_MAX);
  return 1.0f + (ratio - 1.0f) * avatar.shade_weight[i];
}

#endif
