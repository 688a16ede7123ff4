// Lips: the posed opening as curves, and the line of closed lips; render/lips.py.
#ifndef AVATAR_LIPS_H
#define AVATAR_LIPS_H

DEVICE Axes axes_of_mouth(const MouthTrace& mouth) {
  const float* l = mouth.local;
  Axes axes = {l[LIP_ORIGIN_X], l[LIP_ORIGIN_Y], l[LIP_AXIS_X], l[LIP_AXIS_Y]};
  return axes;
}

// Keeps the opening widest in the middle and round at its corners; returns its widest gap.
DEVICE float round_opening(MouthTrace* mouth, float rounding, float amount) {
  float *upper = mouth->curves[LIP_UPPER], *lower = mouth->curves[LIP_LOWER];
  float widest = 0.0f;
  for (int i = 0; i < LIP_CURVE_STEPS; i++) {
    float off = fabsf(2.0f * (LIP_CURVE_FIRST + LIP_CURVE_STEP * i) - 1.0f);
    if (off < 0.5f) widest = fmaxf(widest, lower[i] - upper[i]);
  }
  float power = 2.8f - 0.7f * rounding;
  float bluntness = 0.85f - 0.20f * rounding;
  float reach = 0.97f - 0.09f * rounding;  // the very corners stay shut
  for (int i = 0; i < LIP_CURVE_STEPS; i++) {
    float off = fabsf(2.0f * (LIP_CURVE_FIRST + LIP_CURVE_STEP * i) - 1.0f) / reach;
    float bound = 0.0f;
    if (off < 1.0f) {
      float inner = 1.0f - expf(power * logf(fmaxf(off, 1e-3f)));
      bound = widest * expf(bluntness * logf(fmaxf(inner, 1e-6f)));
    }
    float excess = lower[i] - upper[i] - bound;
    if (excess > 0.0f) {
      upper[i] += 0.5f * amount * excess;
      lower[i] -= 0.5f * amount * excess;
    }
  }
  return widest;
}

// Fills the mouth's local frame (SIZE is given) and its lip curves from the posed mesh.
DEVICE void trace_lips(const Avatar& avatar, const Frame& frame, const float* vertices,
                       const float* shading, MouthTrace* mouth) {
  const int *lips = avatar.lip_ids, *outer = avatar.outer_ids;
  const float *rest = avatar.lip_rest, *projection = avatar.projection;
  const float* coefficients = frame.coefficients;
  float* local = mouth->local;
  float ox = vertices[3 * lips[0]], oy = vertices[3 * lips[0] + 1];
  float dx = vertices[3 * lips[10]] - ox, dy = vertices[3 * lips[10] + 1] - oy;
  float width = fmaxf(sqrtf(dx * dx + dy * dy), 1.0f);
  Axes axes = {ox, oy, dx / width, dy / width};
  local[LIP_ORIGIN_X] = ox;
  local[LIP_ORIGIN_Y] = oy;
  local[LIP_AXIS_X] = axes.ax;
  local[LIP_AXIS_Y] = axes.ay;
  local[LIP_WIDTH] = width;
  float size = local[LIP_SIZE], shade = 0.0f;
  float t[11], q[11], a[2], b[2];
  for (int side = 0; side < 3; side++) {
    for (int k = 0; k < 11; k++) {
      int i = side == LIP_OUTER ? outer[11 + k] : lips[11 * side + k];
      t[k] = along(axes, vertices[3 * i], vertices[3 * i + 1]) / width;
      q[k] = across(axes, vertices[3 * i], vertices[3 * i + 1]);
      shade += shading[i];
    }
    fill_curve(t, q, 11, LIP_CURVE_FIRST, LIP_CURVE_STEP, mouth->curves[side], LIP_CURVE_STEPS);
  }
  local[LIP_SHADE] = shade / 33.0f;
  float rounding = fminf(0.9f * fmaxf(coefficients[MOUTH_FUNNEL], 0.0f) +
                             0.8f * fmaxf(coefficients[MOUTH_PUCKER], 0.0f),
                         1.0f);
  local[LIP_ROUND] = rounding;
  // As wide as in the photo, an open mouth has the photo's own corners.
  place_point(rest, frame.skull, projection, a);
  place_point(rest + 30, frame.skull, projection, b);
  float rest_width = fmaxf((b[0] - a[0]) * axes.ax + (b[1] - a[1]) * axes.ay, 1.0f);
  float narrower = smoothstep(1.0f - width / rest_width, 0.02f, 0.11f);
  bool is_open = avatar.mouth_is_open > 0.5f;
  float gap = round_opening(mouth, rounding, is_open ? fmaxf(rounding, narrower) : 1.0f) / size;
  local[LIP_GAP] = gap;
  place_point(avatar.tongue_tip, frame.jaw, projection, a);
  local[LIP_TIP_P] = along(axes, a[0], a[1]);
  local[LIP_TIP_Q] = across(axes, a[0], a[1]);
  float tongue = fmaxf(coefficients[TONGUE_OUT], 0.0f);
  local[LIP_TONGUE_UP] = smoothstep(tongue, 0.0f, 0.35f);
  local[LIP_TONGUE_OUT] = smoothstep(tongue, 0.25f, 1.0f);
  // A smile bares more of the teeth than speech does; see render/lips.py.
  place_point(rest + 15, frame.skull, projection, a);
  place_point(rest + 48, frame.skull, projection, b);
  float rest_gap = (b[1] - a[1]) * axes.ax - (b[0] - a[0]) * axes.ay;
  float own_show = avatar.own_show;
  float shown = LIP_SPEECH_TOOTH_SHOW - LIP_ROUNDING_HIDES * rounding;
  float excess = own_show - LIP_COMES_DOWN * fmaxf(rest_gap, 0.0f) / size - shown;
  float nearly_shut = 1.0f - smoothstep(gap * size / fmaxf(rest_gap, 1.0f), 0.25f, 0.85f);
  local[LIP_LIFT] =
      size * fmaxf(excess, 0.0f) * fmaxf(fmaxf(narrower, rounding), nearly_shut);
  local[LIP_CLOSED] = 1.0f - smoothstep(gap, 0.004f, 0.045f);
  float moved = 0.0f;
  for (int k = LIP_FIRST_MOUTH; k <= LIP_LAST_MOUTH; k++) moved += coefficients[k];
  float ajar = fabsf(gap * size / fmaxf(rest_gap, 1.0f) - 1.0f);
  float wider = fabsf(width / rest_width - 1.0f);
  float alike = (1.0f - smoothstep(ajar, 0.06f, 0.30f)) * (1.0f - smoothstep(wider, 0.02f, 0.08f));
  if (own_show <= 0.0f) alike *= 1.0f - smoothstep(moved, 0.02f, 0.20f);
  local[LIP_AS_PHOTO] = is_open ? alike * (1.0f - rounding) : 0.0f;
  float weight = is_open ? 0.78f : 0.50f * smoothstep(moved, 0.02f, 0.30f);
  local[LIP_SEAM] = local[LIP_CLOSED] * weight;
}

DEVICE float seam_sigma(const MouthTrace& mouth) {
  return 0.0085f * mouth.local[LIP_SIZE] + 0.30f;
}

// Draws the dark line where closed lips meet.
DEVICE void draw_seam(const Avatar& avatar, const MouthTrace& mouth, int x, int y, Pixel* pixel) {
  float weight = mouth.local[LIP_SEAM];
  if (weight <= 0.0f || !is_in(mouth.seam_region, x, y)) return;
  Axes axes = axes_of_mouth(mouth);
  float width = mouth.local[LIP_WIDTH];
  float q = across(axes, (float)x, (float)y), t = along(axes, (float)x, (float)y) / width;
  float at = (t - LIP_CURVE_FIRST) / LIP_CURVE_STEP;
  int i = (int)at;
  if (at < 0.0f || i > LIP_CURVE_STEPS - 2) return;
  float f = at - i, run = LIP_CURVE_STEP * width;
  const float *upper = mouth.curves[LIP_UPPER], *lower = mouth.curves[LIP_LOWER];
  float m0 = 0.5f * (upper[i] + lower[i]), m1 = 0.5f * (upper[i + 1] + lower[i + 1]);
  float rise = (m1 - m0) / run;
  float away = (q - m0 - f * (m1 - m0)) / sqrtf(1.0f + rise * rise) / seam_sigma(mouth);
  if (fabsf(away) > 3.5f) return;
  // Sharp below the overhanging upper lip, softer towards the lower one.
  float spread = away < 0.0f ? 1.0f : 1.5f;
  float line = expf(-(away / spread) * (away / spread));
  float ends = smoothstep(t, -0.02f, 0.14f) * smoothstep(t, 1.02f, 0.86f);
  float k = weight * line * (0.12f + 0.88f * ends);
  k *= smoothstep(t, -0.05f, 0.02f) * smoothstep(t, 1.05f, 0.98f);
  for (int c = 0; c < 3; c++) {
    float old = pixel->c[c];
    pixel->c[c] = to_level(old + k * (avatar.seam[c] - old));
  }
}

#endif
