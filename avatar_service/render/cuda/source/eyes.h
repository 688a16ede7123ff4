// Eyes: the white, the iris turned by the gaze, the reflection; render/eyes.py.
#ifndef AVATAR_EYES_H
#define AVATAR_EYES_H

// Shift (unit of radius) and the inverse of the 2 x 2 foreshortening of the iris.
DEVICE void turn_iris(const float* axes, float yaw, float pitch, float radius, float* out) {
  float cy = cosf(yaw), sy = sinf(yaw), cp = cosf(pitch), sp = sinf(pitch);
  float r[3][3] = {{cy, -sy * sp, -sy * cp}, {0.0f, cp, -sp}, {sy, cy * sp, cy * cp}};
  for (int row = 0; row < 2; row++) {
    const float* a = axes + 3 * row;
    float m[3];
    for (int c = 0; c < 3; c++) m[c] = a[0] * r[0][c] + a[1] * r[1][c] + a[2] * r[2][c];
    out[row] = radius * (a[2] - m[2]);
    for (int col = 0; col < 2; col++) {
      const float* b = axes + 3 * col;
      out[2 + 2 * row + col] = m[0] * b[0] + m[1] * b[1] + m[2] * b[2];
    }
  }
  float a = out[2], b = out[3], c = out[4], d = out[5];
  float det = fmaxf(a * d - b * c, 0.2f);
  out[2] = d / det;
  out[3] = -b / det;
  out[4] = -c / det;
  out[5] = a / det;
}

// All of one eye that does not depend on the pixel. Eye 0 is the image-left one, the subject's
// right; gaze has rows left, right.
DEVICE void trace_eye(const Avatar& avatar, const Frame& frame, const float* vertices,
                      const float* shading, int e, EyeTrace* eye) {
  trace_lids(avatar, frame, vertices, shading, e, eye);
  float per_px =
      fill_rest_map(avatar.eye_anchor + 3 * e, frame.skull, avatar.projection, eye->rest_map);
  eye->local[LID_SIZE] = avatar.eye_unit_px * per_px;
  float radius = 2.0f * avatar.eye_unit_px * IRIS_ARM_MM / OUTER_EYE_DISTANCE_MM;
  const float* gaze = frame.gaze + 2 * (1 - e);
  turn_iris(avatar.eye_axes, gaze[0], gaze[1], radius, eye->turn);
  region_of_eye(*eye, 2.0f, avatar.size_px, eye->ball_region);
  float size = eye->local[LID_SIZE];
  region_of_eye(*eye, fringe_of(*eye) + 0.06f * size + 3.0f, avatar.size_px, eye->lid_region);
}

// Blends what shows between the lid margins over a pixel.
DEVICE void draw_ball(const Avatar& avatar, const EyeTrace& eye, int e, int x, int y,
                      Pixel* pixel) {
  if (!is_in(eye.ball_region, x, y)) return;
  const float* local = eye.local;
  float width = local[LID_WIDTH], size = local[LID_SIZE];
  float closing = clamp(local[LID_CLOSURE], 0.0f, 1.0f);
  float left_open = 1.0f - smoothstep(closing, 0.90f, 0.98f);
  if (left_open <= 0.0f) return;
  Axes axes = axes_of_eye(eye);
  float t = along(axes, (float)x, (float)y) / width, q = across(axes, (float)x, (float)y);
  float at = (t - LID_CURVE_FIRST) / LID_CURVE_STEP;
  int i = (int)at;
  if (at < 0.0f || i > LID_CURVE_STEPS - 2) return;
  float f = at - i, run = LID_CURVE_STEP * width;
  float u0 = eye.curves[LID_UPPER][i], u1 = eye.curves[LID_UPPER][i + 1];
  float l0 = eye.curves[LID_LOWER][i], l1 = eye.curves[LID_LOWER][i + 1];
  float rise = (u1 - u0) / run, fall = (l1 - l0) / run;
  float above = (q - u0 - f * (u1 - u0)) / sqrtf(1.0f + rise * rise);
  float below = (l0 + f * (l1 - l0) - q) / sqrtf(1.0f + fall * fall);
  // Photos have soft edges: about one px of the frame at 2x, at least one output px.
  float soft = fmaxf(0.5f, 0.0045f * size);
  // Box-filtered coverage of the band between the margins: exactly 0 for closed lids.
  float cover = (fminf(above, soft) + fminf(below, soft)) / (soft + soft);
  if (cover <= 0.0f) return;
  cover = fminf(cover, 1.0f) * left_open;

  const float* map = eye.rest_map;
  float px = map[0] * x + map[1] * y + map[2], py = map[3] * x + map[4] * y + map[5];
  int rows = avatar.sclera_rows, columns = avatar.sclera_columns, side = avatar.iris_side;
  const float* origin = avatar.patch_origin + 2 * e;
  float color[3], over[3];
  sample_texture<3>(avatar.sclera + e * rows * columns * 3, rows, columns, px - origin[0],
                    py - origin[1], color);
  float mid = (float)((side - 1) / 2);
  const float* turn = eye.turn;
  float gx = px - avatar.iris_center[2 * e], gy = py - avatar.iris_center[2 * e + 1];
  float ix = gx - turn[0], iy = gy - turn[1];
  float jx = turn[2] * ix + turn[3] * iy, jy = turn[4] * ix + turn[5] * iy;
  float r = sqrtf(jx * jx + jy * jy) / avatar.iris_radius[e];
  const float* edge = avatar.iris_edge + 2 * e;
  if (r < edge[1]) {
    float part = 1.0f - smoothstep(r, edge[0], edge[1]);
    sample_texture<3>(avatar.iris + e * side * side * 3, side, side, jx + mid, jy + mid, over);
    for (int c = 0; c < 3; c++) color[c] += part * (over[c] - color[c]);
  }
  const float* shadow = avatar.eye_shadow;
  float light = (1.0f -
                 shadow[0] * (1.0f + 0.5f * closing) * expf(-fmaxf(above, 0.0f) / (shadow[1] * size)) -
                 shadow[2] * expf(-fmaxf(below, 0.0f) / (shadow[3] * size))) *
                local[LID_SHADE];
  for (int c = 0; c < 3; c++) color[c] *= light;
  const float hold = CORNEA_CENTRE_MM / IRIS_ARM_MM;
  float kx = gx - hold * turn[0] + mid, ky = gy - hold * turn[1] + mid;
  if (kx > 0.0f && kx < mid + mid && ky > 0.0f && ky < mid + mid) {
    sample_texture<3>(avatar.glint + e * side * side * 3, side, side, kx, ky, over);
    // The cornea ends at the limbus: the white, flatter and wet, shows no such image.
    float on_cornea = 1.0f - smoothstep(r, CORNEA_ENDS, CORNEA_ENDED);
    for (int c = 0; c < 3; c++) color[c] += on_cornea * over[c];
  }
  for (int c = 0; c < 3; c++) {
    float old = pixel->c[c];
    pixel->c[c] = to_level(old + cover * (fminf(color[c], 255.0f) - old));
  }
}

#endif
