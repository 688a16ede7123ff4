// The torso's layer under what the mesh has drawn; render/torso.py.
#ifndef AVATAR_TORSO_H
#define AVATAR_TORSO_H

// The texel of a pixel along one axis: 0 = u, 1 = v.
DEVICE float torso_texel(const Avatar& avatar, const Frame& frame, int axis, int at) {
  const float *projection = avatar.projection, *shift = frame.torso_shift;
  const float* layer = avatar.torso_layer;
  float focal = projection[1];
  float rest = focal / (focal + layer[0]);
  float k = focal / fmaxf(focal + layer[0] + shift[2], 0.05f * focal);
  float widen = 1.0f + (axis == 0 ? shift[3] : 0.0f);
  float slope = rest / (k * widen);
  float first = (0.5f / projection[2] - 0.5f - projection[0]) * slope - shift[axis] * rest / widen +
                projection[0];
  return slope / projection[2] * layer[1] * at + (first * layer[1] + layer[2 + axis]);
}

// The premultiplied person over the torso.
DEVICE unsigned int over_torso(const Avatar& avatar, const Frame& frame, unsigned int person, int x,
                               int y) {
  if (person >> 24 == 255u) return person;
  float v = torso_texel(avatar, frame, 1, y);
  if (v < 0.0f) return person;
  float u = torso_texel(avatar, frame, 0, x);
  int columns = avatar.torso_columns;
  int iu = (int)(clamp(u, 0.0f, (float)columns - 1.01f) * 256.0f);
  int iv = (int)(fminf(v, (float)avatar.torso_rows - 1.01f) * 256.0f);
  const unsigned int* texel = avatar.torso + (iv >> 8) * columns + (iu >> 8);
  return under(person, sample_person(texel, columns, iu & 255, iv & 255, SHADE_ONE));
}

#endif
