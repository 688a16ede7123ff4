// Eyelids: the posed lid margins as curves, skin and lashes of a closing lid; render/lids.py.
#ifndef AVATAR_LIDS_H
#define AVATAR_LIDS_H

DEVICE Axes axes_of_eye(const EyeTrace& eye) {
  const float* l = eye.local;
  Axes axes = {l[LID_ORIGIN_X], l[LID_ORIGIN_Y], l[LID_AXIS_X], l[LID_AXIS_Y]};
  return axes;
}

// The box that an eye covers, grown by margin px.
DEVICE void region_of_eye(const EyeTrace& eye, float margin, int size, int* region) {
  float box[4], width = eye.local[LID_WIDTH];
  box_of(axes_of_eye(eye), -0.08f * width, 1.08f * width, eye.local[LID_TOP],
         eye.local[LID_BOTTOM], box);
  set_region(region, floorf(box[0] - margin), floorf(box[2] - margin),
             ceilf(box[1] + margin) + 1.0f, ceilf(box[3] + margin) + 1.0f, size);
}

// Fills an eye's local frame (SIZE is given) and its curves from the posed mesh.
DEVICE void trace_lids(const Avatar& avatar, const Frame& frame, const float* vertices,
                       const float* shading, int e, EyeTrace* eye) {
  const int* margin = avatar.margin_ids + e * 18;
  const int* rows = avatar.row_ids + e * 14;
  const float* margin_rest = avatar.margin_rest + e * 54;
  const float* row_rest = avatar.row_rest + e * 42;
  float* local = eye->local;
  int left = margin[0], right = margin[8];
  float ox = vertices[3 * left], oy = vertices[3 * left + 1];
  float dx = vertices[3 * right] - ox, dy = vertices[3 * right + 1] - oy;
  float width = fmaxf(sqrtf(dx * dx + dy * dy), 1.0f);
  Axes axes = {ox, oy, dx / width, dy / width};
  local[LID_ORIGIN_X] = ox;
  local[LID_ORIGIN_Y] = oy;
  local[LID_AXIS_X] = axes.ax;
  local[LID_AXIS_Y] = axes.ay;
  local[LID_WIDTH] = width;

  float t[9], q[9], rest[9], lifted[9], spot[2];
  float shade = 0.0f;
  for (int side = 0; side < 2; side++) {
    for (int k = 0; k < 9; k++) {
      int i = margin[9 * side + k];
      t[k] = along(axes, vertices[3 * i], vertices[3 * i + 1]) / width;
      q[k] = across(axes, vertices[3 * i], vertices[3 * i + 1]);
      shade += shading[i];
      if (side == 0) {
        place_point(margin_rest + 3 * k, frame.skull, avatar.projection, spot);
        rest[k] = across(axes, spot[0], spot[1]);
        lifted[k] = q[k] - rest[k];
      }
    }
    fill_curve(t, q, 9, LID_CURVE_FIRST, LID_CURVE_STEP, eye->curves[side], LID_CURVE_STEPS);
  }
  local[LID_SHADE] = shade / 18.0f;

  float open_now = 0.0f, open_rest = 1e-3f;
  for (int k = 2; k < 7; k++) {
    const float *upper = vertices + 3 * margin[k], *lower = vertices + 3 * margin[9 + k];
    float gap = (lower[1] - upper[1]) * axes.ax - (lower[0] - upper[0]) * axes.ay;
    open_now += fmaxf(gap, 0.0f);
    place_point(margin_rest + 3 * (9 + k), frame.skull, avatar.projection, spot);
    open_rest += fmaxf(across(axes, spot[0], spot[1]) - rest[k], 0.0f);
  }
  local[LID_CLOSURE] = 1.0f - open_now / open_rest;

  t[0] = -0.02f;
  q[0] = 0.0f;
  for (int j = 0; j < 7; j++) {
    float low[2], high[2];
    place_point(row_rest + 3 * j, frame.skull, avatar.projection, low);
    place_point(row_rest + 3 * (7 + j), frame.skull, avatar.projection, high);
    const float* now = vertices + 3 * rows[7 + j];
    float x = low[0] + LID_CREASE_HEIGHT * (high[0] - low[0]) + (now[0] - high[0]);
    float y = low[1] + LID_CREASE_HEIGHT * (high[1] - low[1]) + (now[1] - high[1]);
    t[j + 1] = clamp(along(axes, x, y) / width, 0.02f, 0.98f);
    q[j + 1] = across(axes, x, y) + LID_CREASE_FOLLOWS * lifted[j + 1];
  }
  t[8] = 1.02f;
  q[8] = 0.0f;
  float *upper = eye->curves[LID_UPPER], *crease = eye->curves[LID_CREASE];
  fill_curve(t, q, 9, LID_CURVE_FIRST, LID_CURVE_STEP, crease, LID_CURVE_STEPS);

  // The crease is an arch that ends at the corners.
  float tall = 0.0f;
  for (int j = 0; j < 5; j++) {
    int i = (int)((0.3f + 0.1f * j - LID_CURVE_FIRST) / LID_CURVE_STEP);
    tall += fmaxf(upper[i] - crease[i], 0.0f) / 5.0f;
  }
  float top = 1e6f, bottom = -1e6f;
  for (int i = 0; i < LID_CURVE_STEPS; i++) {
    float off = (2.0f * (LID_CURVE_FIRST + LID_CURVE_STEP * i) - 1.0f) / 1.06f;
    float arch = fmaxf(1.0f - off * off, 0.0f);
    crease[i] = upper[i] - tall * sqrtf(arch) * (0.35f + 0.65f * arch);
    for (int c = 0; c < LID_NUM_CURVES; c++) {
      top = fminf(top, eye->curves[c][i]);
      bottom = fmaxf(bottom, eye->curves[c][i]);
    }
  }
  local[LID_TOP] = top;
  local[LID_BOTTOM] = bottom;
}

DEVICE float fringe_of(const EyeTrace& eye) { return 0.026f * eye.local[LID_SIZE]; }

// Blends a closing upper lid and its lashes over a pixel.
DEVICE void draw_lid(const Avatar& avatar, const EyeTrace& eye, int e, int x, int y,
                     Pixel* pixel) {
  if (!is_in(eye.lid_region, x, y)) return;
  const float* local = eye.local;
  float closure = local[LID_CLOSURE];
  float amount = smoothstep(closure, 0.05f, 0.42f);
  if (amount <= 0.0f) return;
  Axes axes = axes_of_eye(eye);
  float width = local[LID_WIDTH], size = local[LID_SIZE], shade = local[LID_SHADE];
  float t = along(axes, (float)x, (float)y) / width;
  if (t < -0.06f || t > 1.06f) return;
  float q = across(axes, (float)x, (float)y);
  float at = (t - LID_CURVE_FIRST) / LID_CURVE_STEP;
  int i = clamp_int((int)at, 0, LID_CURVE_STEPS - 2);
  float f = at - i;
  const float *uppers = eye.curves[LID_UPPER], *creases = eye.curves[LID_CREASE];
  float upper = uppers[i] + f * (uppers[i + 1] - uppers[i]);
  float crease = creases[i] + f * (creases[i + 1] - creases[i]);
  float rise = (uppers[i + 1] - uppers[i]) / (LID_CURVE_STEP * width);
  float above = (upper - q) / sqrtf(1.0f + rise * rise);
  float fringe = fringe_of(eye), sigma = 0.0075f * size + 0.30f;
  if (above < -fringe) return;
  float v = 1.0f - (upper - q) / fmaxf(upper - crease, 0.02f * size);
  if (v < -0.7f) return;
  float ends = smoothstep(t, -0.04f, 0.20f) * smoothstep(t, 1.04f, 0.80f);
  float cover = amount * ends * smoothstep(v, -0.65f, 0.30f);
  cover *= clamp(above + 0.5f, 0.0f, 1.0f);
  float color[3] = {pixel->c[0], pixel->c[1], pixel->c[2]};
  if (cover > 0.0f) {
    int columns = avatar.lid_columns, rows = avatar.lid_rows, depths = avatar.lash_depths;
    float column = t * (columns - 1), skin[3];
    sample_texture<3>(avatar.lid_skin + e * rows * columns * 3, rows, columns, column,
                      fmaxf(v, 0.0f) * (rows - 1), skin);
    const float* range = avatar.lash_range;
    float depth = (above / size - range[0]) / (range[1] - range[0]);
    float ratio = 1.0f;
    if (depth < 1.0f) {
      sample_texture<1>(avatar.lash_ratio + e * depths * columns, depths, columns, column,
                        depth * (depths - 1), &ratio);
    }
    float per_texel = 2.0f / (size / 135.0f);  // grain keeps its size on the face
    int gx = (int)(t * width * per_texel + 512.0f), gy = (int)(above * per_texel + 512.0f);
    float fine = 1.3f * avatar.grain[gy % avatar.grain_rows * avatar.grain_columns +
                                     gx % avatar.grain_columns];
    for (int c = 0; c < 3; c++) color[c] += cover * (skin[c] * ratio * shade + fine - color[c]);
  }
  // The line where the lids meet, thin at the corners, with a fringe of lashes below.
  float taper = 0.25f + 0.75f * smoothstep(t, 0.0f, 0.22f) * smoothstep(t, 1.0f, 0.78f);
  taper *= smoothstep(t, -0.03f, 0.05f) * smoothstep(t, 1.03f, 0.95f);
  float near = (above + 0.1f * sigma) / sigma;
  float dark = expf(-near * near);
  if (above < 0.0f) dark = fmaxf(dark, 0.26f * expf(above / (0.35f * fringe)));
  dark *= avatar.lash_strength[e] * smoothstep(closure, 0.15f, 0.85f) * taper;
  for (int c = 0; c < 3; c++) {
    color[c] += dark * (avatar.lash_color[3 * e + c] - color[c]);
    pixel->c[c] = to_level(color[c]);
  }
}

#endif
