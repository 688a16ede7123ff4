// What shows between the lips, and the tongue over the lower one; render/teeth.py,
// render/mouth_inside.py and render/tongue.py.
#ifndef AVATAR_MOUTH_H
#define AVATAR_MOUTH_H

// Tabulates a posed row of teeth over p / width: column 0..1 (-1 = no teeth), its q ends.
DEVICE_CALL void trace_strip(const float* arch, int n, const float* matrix, const float* projection,
                        const MouthTrace& mouth, float table[3][STRIP_STEPS]) {
  Axes axes = axes_of_mouth(mouth);
  float width = mouth.local[LIP_WIDTH];
  float at_p[MAX_ARCH], q[2][MAX_ARCH];
  for (int k = 0; k < n; k++) {
    at_p[k] = 0.0f;
    for (int end = 0; end < 2; end++) {
      float spot[2];
      place_point(arch + 3 * (end * n + k), matrix, projection, spot);
      at_p[k] += 0.5f * along(axes, spot[0], spot[1]) / width;
      q[end][k] = across(axes, spot[0], spot[1]);
    }
  }
  // Only the front of the arch counts.
  int first = n / 2, last = n / 2;
  while (first > 0 && at_p[first - 1] < at_p[first] - 1e-4f) first--;
  while (last < n - 1 && at_p[last + 1] > at_p[last] + 1e-4f) last++;
  int k = first;
  for (int i = 0; i < STRIP_STEPS; i++) {
    float at = STRIP_FIRST + STRIP_STEP * i;
    if (at < at_p[first] || at >= at_p[last]) {
      int edge = at < at_p[first] ? first : last;
      table[STRIP_COLUMN][i] = -1.0f;
      table[STRIP_TOP][i] = q[0][edge];
      table[STRIP_BOTTOM][i] = q[1][edge];
      continue;
    }
    while (at > at_p[k + 1]) k++;
    float f = (at - at_p[k]) / (at_p[k + 1] - at_p[k]);
    table[STRIP_COLUMN][i] = (k + f) / (n - 1);
    table[STRIP_TOP][i] = q[0][k] + f * (q[0][k + 1] - q[0][k]);
    table[STRIP_BOTTOM][i] = q[1][k] + f * (q[1][k + 1] - q[1][k]);
  }
}

// Samples a tooth strip, out[0..3] premultiplied; returns the side of the arch, 0 in the middle ..
// 1 at its ends, -1 where there is no tooth.
DEVICE float look_up_strip(const float table[3][STRIP_STEPS], const float* teeth, int rows,
                           int columns, float t, float q, float* out) {
  float at = (t - STRIP_FIRST) / STRIP_STEP;
  int i = (int)at;
  if (at < 0.0f || i > STRIP_STEPS - 2) return -1.0f;
  const float* column_of = table[STRIP_COLUMN];
  if (column_of[i] < 0.0f || column_of[i + 1] < 0.0f) return -1.0f;
  float f = at - i;
  float column = column_of[i] + f * (column_of[i + 1] - column_of[i]);
  float top = table[STRIP_TOP][i] + f * (table[STRIP_TOP][i + 1] - table[STRIP_TOP][i]);
  float bottom =
      table[STRIP_BOTTOM][i] + f * (table[STRIP_BOTTOM][i + 1] - table[STRIP_BOTTOM][i]);
  float v = (q - top) / fmaxf(bottom - top, 0.5f);
  if (v < 0.0f || v > 1.0f) return -1.0f;
  sample_texture<4>(teeth, rows, columns, column * (columns - 1), v * (rows - 1), out);
  return fabsf(2.0f * column - 1.0f);
}

// The tongue stuck out over the lower lip: from the lower teeth to well below the lip.
struct TongueShape {
  float start, end, broad, soft, cast;
};

DEVICE TongueShape shape_tongue(const Avatar& avatar, const MouthTrace& mouth) {
  const float* local = mouth.local;
  float width = local[LIP_WIDTH], size = local[LIP_SIZE], out = local[LIP_TONGUE_OUT];
  float mid = clamp((local[LIP_TIP_P] / width - LIP_CURVE_FIRST) / LIP_CURVE_STEP, 0.0f,
                    (float)(LIP_CURVE_STEPS - 2));
  int i = (int)mid;
  float lip_q = mouth.curves[LIP_LOWER][i], outer_q = mouth.curves[LIP_OUTER][i];
  TongueShape tongue;
  tongue.start = mouth.curves[LIP_UPPER][i];
  tongue.end = lip_q + out * (outer_q - lip_q + 0.085f * size);
  tongue.broad =
      fminf(avatar.tongue_half_width * size * (0.72f + 0.14f * out), 0.40f * width);
  tongue.soft = fmaxf(0.5f, 0.006f * size);
  tongue.cast = 0.030f * size;
  return tongue;
}

// All of the mouth that does not depend on the pixel.
DEVICE void trace_mouth(const Avatar& avatar, const Frame& frame, const float* vertices,
                        const float* shading, MouthTrace* mouth) {
  float per_px =
      fill_rest_map(avatar.mouth_anchor, frame.skull, avatar.projection, mouth->rest_map);
  float* local = mouth->local;
  local[LIP_SIZE] = avatar.mouth_unit_px * per_px;
  trace_lips(avatar, frame, vertices, shading, mouth);
  trace_strip(avatar.arch_upper, avatar.arch_columns, frame.skull, avatar.projection, *mouth,
              mouth->upper);
  trace_strip(avatar.arch_lower, avatar.arch_columns, frame.jaw, avatar.projection, *mouth,
              mouth->lower);

  Axes axes = axes_of_mouth(*mouth);
  float width = local[LIP_WIDTH], size = local[LIP_SIZE], box[4];
  int px = avatar.size_px;
  float top = 1e6f, bottom = -1e6f;
  for (int i = 0; i < LIP_CURVE_STEPS; i++) {
    top = fminf(top, mouth->curves[LIP_UPPER][i]);
    bottom = fmaxf(bottom, mouth->curves[LIP_LOWER][i]);
  }
  float soft = fmaxf(0.5f, 0.0045f * size);
  box_of(axes, -soft, width + soft, top, bottom, box);
  set_region(mouth->inside_region, truncf(box[0]) - 2.0f, truncf(box[2]) - 2.0f,
             truncf(box[1]) + 3.0f, truncf(box[3]) + 3.0f, px);
  float margin = 4.0f * seam_sigma(*mouth);
  box_of(axes, 0.0f, width, top, bottom, box);
  set_region(mouth->seam_region, box[0] - margin, box[2] - margin,
             truncf(box[1] + margin) + 2.0f, truncf(box[3] + margin) + 2.0f, px);
  TongueShape tongue = shape_tongue(avatar, *mouth);
  float reach = tongue.broad + tongue.cast + 2.0f, tip = local[LIP_TIP_P];
  box_of(axes, tip - reach, tip + reach, tongue.start, tongue.end + 2.0f * tongue.cast, box);
  set_region(mouth->tongue_region, box[0], box[2], truncf(box[1]) + 2.0f, truncf(box[3]) + 2.0f,
             px);
}

// Lays modelled teeth over what is behind them; lit by the lips and the tongue only, they are as
// red as these.
DEVICE void blend_teeth(const float* sample, float dim, float tint, float k, float* rgb) {
  float other = dim * (1.0f - tint * (1.0f - LIP_RED_SHADE) * (1.0f - dim));
  for (int c = 0; c < 3; c++) {
    float lit = sample[c] * (c == 0 ? dim : other);
    rgb[c] += k * (lit - sample[3] * (1.0f / 255.0f) * rgb[c]);
  }
}

// Blends all that shows between the lips over a pixel.
DEVICE void draw_inside(const Avatar& avatar, const MouthTrace& mouth, int x, int y,
                        Pixel* pixel) {
  if (!is_in(mouth.inside_region, x, y)) return;
  const float* local = mouth.local;
  Axes axes = axes_of_mouth(mouth);
  float width = local[LIP_WIDTH], size = local[LIP_SIZE], gap = local[LIP_GAP];
  float p = along(axes, (float)x, (float)y), q = across(axes, (float)x, (float)y);
  float t = p / width, at = (t - LIP_CURVE_FIRST) / LIP_CURVE_STEP;
  int i = (int)at;
  if (at < 0.0f || i > LIP_CURVE_STEPS - 2) return;
  float f = at - i, run = LIP_CURVE_STEP * width;
  float u0 = mouth.curves[LIP_UPPER][i], u1 = mouth.curves[LIP_UPPER][i + 1];
  float l0 = mouth.curves[LIP_LOWER][i], l1 = mouth.curves[LIP_LOWER][i + 1];
  float rise = (u1 - u0) / run, fall = (l1 - l0) / run;
  float above = (q - u0 - f * (u1 - u0)) / sqrtf(1.0f + rise * rise);
  float below = (l0 + f * (l1 - l0) - q) / sqrtf(1.0f + fall * fall);
  float soft = fmaxf(0.5f, 0.0045f * size);
  float cover = (fminf(above, soft) + fminf(below, soft)) / (soft + soft);
  if (cover <= 0.0f) return;
  cover = fminf(cover, 1.0f);

  float shade = local[LIP_SHADE], rounding = local[LIP_ROUND], tint = avatar.flesh_tint;
  bool has_own = avatar.own_rows > 1;
  float as_photo = avatar.room_rows > 1 ? local[LIP_AS_PHOTO] : 0.0f;
  // Little light enters between lips that are hardly parted, or pushed forward.
  float entering = 0.42f + 0.58f * smoothstep(gap, 0.012f, 0.085f);
  float light = entering * (1.0f - 0.30f * rounding) * shade;
  // Teeth stand right behind the lips and catch most of it, until lips are pushed forward far.
  float tooth_light = 1.0f - 0.46f * smoothstep(rounding, 0.15f, 1.0f);
  tooth_light *= (0.82f + 0.18f * entering) * shade;
  float tooth_shade = has_own ? 0.30f : 0.36f;  // the photo's own shade is in its teeth
  float near_reach = fminf(0.040f, 0.45f * gap + 0.006f) * size;
  float under_reach = fminf(0.030f, 0.30f * gap + 0.004f) * size;
  float tip_p = local[LIP_TIP_P], tip_q = local[LIP_TIP_Q], raised = local[LIP_TONGUE_UP];
  float tongue_w = avatar.tongue_half_width * size;
  // The back of the tongue is seen above its tip, more of it the wider the mouth.
  float tongue_top =
      tip_q - size * (0.045f + 0.25f * gap + 0.05f * raised) - raised * 0.6f * gap * size;

  // Cavity: the palate far up is darkest.
  float depth = 0.55f + 0.45f * smoothstep(q, u0, u0 + 0.16f * size);
  float aside = fabsf(t - 0.5f) * 2.0f;
  float rgb[3];
  for (int c = 0; c < 3; c++) rgb[c] = avatar.cavity[c] * depth;

  // Tongue: a round back fading into the dark, a groove in its middle.
  float xt = (p - tip_p) / tongue_w, inside_raised = 0.0f;
  if (fabsf(xt) < 1.2f) {
    float arch = sqrtf(fmaxf(1.0f - fminf(xt * xt, 1.0f), 0.0f));
    float edge = tip_q - (tip_q - tongue_top) * (0.35f + 0.65f * arch);
    float inside = smoothstep(q, edge - 0.020f * size, edge + 0.035f * size);
    inside *= smoothstep(-fabsf(xt), -1.08f, -0.85f);
    float front = smoothstep(q, tongue_top, tip_q + 0.02f * size);
    float lit = 0.44f + (0.34f + 0.12f * raised) * front;
    lit *= (0.78f + 0.22f * arch) * (1.0f + 0.2f * raised);
    lit -= 0.07f * expf(-(xt * xt) / 0.012f) * front;
    for (int c = 0; c < 3; c++) rgb[c] += inside * (avatar.tongue[c] * lit - rgb[c]);
    inside_raised = inside * raised;
  }

  const float byte = 1.0f / 255.0f;
  float sample[4], tooth = 0.0f;  // how much is tooth that light from outside reaches
  float side = look_up_strip(mouth.lower, avatar.teeth_lower, avatar.lower_rows,
                             avatar.lower_columns, t, q, sample);
  if (side >= 0.0f) {
    float back = smoothstep(side, 0.15f, 0.75f), dim = 0.86f - 0.56f * back;
    float k = 1.0f - inside_raised;
    tooth = (1.0f - LIP_BACK_UNLIT * back) * k * sample[3] * byte;
    blend_teeth(sample, dim, tint, k, rgb);
  }
  // Own teeth cover the front ones; those behind them are not in the photo. They bite a little
  // higher. Rounded lips reach over the edges of the teeth.
  float raise_by = LIP_ROUND_RAISES * rounding * size;
  if (has_own) raise_by = fmaxf(raise_by, local[LIP_LIFT]) + 0.012f * size;
  side = look_up_strip(mouth.upper, avatar.teeth_upper, avatar.upper_rows, avatar.upper_columns,
                       t, q + raise_by, sample);
  if (side >= 0.0f) {
    float back = smoothstep(side, 0.16f, 0.76f), dim = 1.0f - 0.70f * back;
    float k = 1.0f;
    if (has_own) {
      k = smoothstep(side, 0.08f, 0.22f);
      dim *= LIP_BESIDE_OWN;
    }
    tooth = fmaxf(tooth, (1.0f - LIP_BACK_UNLIT * back) * k * sample[3] * byte);
    blend_teeth(sample, dim, tint, k, rgb);
  }
  const float* map = mouth.rest_map;
  float mx = map[0] * x + map[1] * y + map[2], my = map[3] * x + map[4] * y + map[5];
  if (has_own) {
    // Lift: look further down in the photo.
    float lift = local[LIP_LIFT];
    float ox = mx + lift * (-axes.ay * map[0] + axes.ax * map[1]) - avatar.own_origin[0];
    float oy = my + lift * (-axes.ay * map[3] + axes.ax * map[4]) - avatar.own_origin[1];
    if (ox > -1.0f && ox < avatar.own_columns && oy > -1.0f && oy < avatar.own_rows) {
      sample_texture<4>(avatar.own_teeth, avatar.own_rows, avatar.own_columns, ox, oy, sample);
      tooth = fmaxf(tooth, sample[3] * byte);
      for (int c = 0; c < 3; c++) rgb[c] += sample[c] - sample[3] * byte * rgb[c];
    }
  }

  // Between the teeth (TH) the tip of the tongue stands before the upper ones.
  float tip_shows = smoothstep(raised, LIP_TIP_SHOWS_FROM, 1.0f);
  if (tip_shows > 0.0f && fabsf(xt) < 1.0f) {
    float tip_tall = LIP_TIP_TALL * gap * size;
    float top_q = l0 - tip_tall * sqrtf(1.0f - xt * xt);
    float inside = tip_shows * smoothstep(q, top_q - soft, top_q + soft);
    inside *= smoothstep(-fabsf(xt), -1.0f, -0.8f);
    float lit = 0.72f + 0.2f * smoothstep(q, top_q, top_q + 0.5f * tip_tall);
    for (int c = 0; c < 3; c++) rgb[c] += inside * (avatar.tongue[c] * lit - rgb[c]);
    tooth = fmaxf(tooth, inside);
  }

  // Shade of the lips: close to them, most under the upper one, and in the corners.
  float near = fminf(above, below) / near_reach;
  float keep = (0.60f + 0.40f * clamp(near, 0.0f, 1.0f)) *
               (1.0f - 0.30f * expf(-fmaxf(above, 0.0f) / under_reach)) *
               (1.0f - 0.28f * smoothstep(aside, 0.50f, 1.05f));
  float keep_tooth = (1.0f - (1.0f - keep) * tooth_shade) * tooth_light;
  keep = keep * light + tooth * (keep_tooth - keep * light);
  // Light that passes between lips turns red: shade takes more of green and blue, of teeth,
  // which are lit from outside, less.
  keep = fmaxf(keep, 0.02f);
  float flesh_round = tint * rounding * (1.0f - 0.7f * tooth);
  float keep_of[3] = {expf((1.0f - tint * (0.16f + 0.04f * tooth)) * logf(keep)),
                      keep * (1.0f - 0.10f * flesh_round),
                      expf((1.0f + tint * (0.06f + 0.04f * tooth)) * logf(keep)) *
                          (1.0f - 0.18f * flesh_round)};
  // Lips roll inwards: their wet inner side is seen before the dark, and in a slit nothing else.
  float lit_below = expf(-fmaxf(below, 0.0f) / (LIP_LOWER_WET_REACH * size));
  float rolled = LIP_UPPER_WET * expf(-fmaxf(above, 0.0f) / (LIP_UPPER_WET_REACH * size));
  float parted = (above + below) / size;
  float thin = 1.0f - smoothstep(parted, LIP_SLIT_SHUT, LIP_SLIT_OPEN);
  float hidden = tooth * smoothstep(parted, LIP_TOOTH_SHUT, LIP_TOOTH_OPEN);
  rolled = fmaxf(fmaxf(rolled, lit_below), thin) * (1.0f - LIP_WET_SPARES * hidden);
  float wet_light = (1.0f + LIP_WET_SHINES * lit_below * lit_below) * shade;
  if (as_photo > 0.0f) {
    sample_texture<3>(avatar.own_room, avatar.room_rows, avatar.room_columns,
                      mx - avatar.room_origin[0], my - avatar.room_origin[1], sample);
  }
  for (int c = 0; c < 3; c++) {
    float value = rgb[c] * keep_of[c];
    value += rolled * (avatar.wet[c] * wet_light - value);
    if (as_photo > 0.0f) value += as_photo * (sample[c] * shade - value);
    float old = pixel->c[c];
    pixel->c[c] = to_level(old + cover * (fminf(value, 255.0f) - old));
  }
}

// Draws the tongue where it is stuck out over the lower lip.
DEVICE void draw_tongue(const Avatar& avatar, const MouthTrace& mouth, int x, int y,
                        Pixel* pixel) {
  const float* local = mouth.local;
  float out = local[LIP_TONGUE_OUT];
  if (out <= 0.0f || !is_in(mouth.tongue_region, x, y)) return;
  Axes axes = axes_of_mouth(mouth);
  float width = local[LIP_WIDTH], size = local[LIP_SIZE];
  float p = along(axes, (float)x, (float)y), q = across(axes, (float)x, (float)y);
  float at = (p / width - LIP_CURVE_FIRST) / LIP_CURVE_STEP;
  int i = (int)at;
  if (at < 0.0f || i > LIP_CURVE_STEPS - 2) return;
  TongueShape tongue = shape_tongue(avatar, mouth);
  float soft = tongue.soft, cast = tongue.cast;
  float u0 = mouth.curves[LIP_UPPER][i], u1 = mouth.curves[LIP_UPPER][i + 1];
  float rise = (u1 - u0) / (LIP_CURVE_STEP * width);
  float above = (q - u0 - (at - i) * (u1 - u0)) / sqrtf(1.0f + rise * rise);
  if (above < -soft) return;
  float s = (q - tongue.start) / fmaxf(tongue.end - tongue.start, 1.0f);
  float away = p - local[LIP_TIP_P], xt = away / tongue.broad;
  // Outline: sides that converge to a round tip, as the distance to a rounded box.
  float here = tongue.broad * (1.0f - 0.16f * smoothstep(s, 0.2f, 1.0f));
  float corner = 0.88f * here;
  float bx = fabsf(away) - (here - corner), by = (q - tongue.end) + corner;
  float inside =
      by > 0.0f && bx > 0.0f ? corner - sqrtf(bx * bx + by * by) : corner - fmaxf(bx, by);
  float cover = clamp(inside / (soft + soft) + 0.5f, 0.0f, 1.0f);
  cover *= clamp(above / (soft + soft) + 0.5f, 0.0f, 1.0f);
  cover *= smoothstep(out, 0.0f, 0.15f);
  // Soft shadow on lip and chin.
  float shadow = 0.35f * out * smoothstep(inside + 0.4f * cast, -cast, cast) *
                 smoothstep(above, 0.0f, 0.03f * size);
  float lit = 0.74f + 0.26f * sqrtf(fmaxf(1.0f - fminf(xt * xt, 1.0f), 0.0f));
  // Shaded by the upper lip where it comes out, turning down at its tip.
  lit *= 0.42f + 0.58f * smoothstep(s, 0.0f, 0.42f);
  lit *= 1.0f - 0.16f * smoothstep(s, 0.80f, 1.02f);
  lit *= 1.0f - 0.10f * expf(-(xt * xt) / 0.014f) * smoothstep(s, 0.95f, 0.55f);
  float dx = fabsf(xt) - 0.42f, ds = s - 0.66f;
  float sheen = 26.0f * expf(-(dx * dx) / 0.03f - (ds * ds) / 0.02f);
  for (int c = 0; c < 3; c++) {
    float old = pixel->c[c] * (1.0f - shadow * (1.0f - cover));
    float value = fminf((avatar.tongue[c] * lit + sheen) * local[LIP_SHADE], 255.0f);
    pixel->c[c] = to_level(old + cover * (value - old));
  }
}

#endif
