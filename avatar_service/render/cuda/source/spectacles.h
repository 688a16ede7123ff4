// Spectacles: a rigid picture of the frames, drawn over lids and brows; render/spectacles.py.
#ifndef AVATAR_SPECTACLES_H
#define AVATAR_SPECTACLES_H

// The map from output px to the frames' own axes, and the box that they cover.
DEVICE void trace_spectacles(const Avatar& avatar, const Frame& frame, SpectaclesTrace* worn) {
  const float identity[12] = {1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0};
  float(*placed)[2] = worn->placed;
  for (int k = 0; k < 4; k++) {
    float point[3];
    for (int c = 0; c < 3; c++) {
      point[c] = avatar.spectacles_anchor[c];
      if (k > 0) point[c] += avatar.spectacles_axes[3 * c + k - 1] * avatar.spectacles_unit_px;
    }
    place_point(point, frame.skull, avatar.projection, placed[k]);
    place_point(point, identity, avatar.projection, placed[4 + k]);
  }
  float a = placed[1][0] - placed[0][0], b = placed[2][0] - placed[0][0];
  float c = placed[1][1] - placed[0][1], d = placed[2][1] - placed[0][1];
  float det = a * d - b * c;
  if (fabsf(det) < 1e-3f) det = 1e-3f;
  worn->to_head[0] = d / det;
  worn->to_head[1] = -b / det;
  worn->to_head[2] = -c / det;
  worn->to_head[3] = a / det;

  float step = avatar.spectacles_step;  // texels per output px at rest
  float ra = placed[5][0] - placed[4][0], rb = placed[6][0] - placed[4][0];
  float rc = placed[5][1] - placed[4][1], rd = placed[6][1] - placed[4][1];
  float rest_det = ra * rd - rb * rc;
  float x0 = 1e9f, y0 = 1e9f, x1 = -1e9f, y1 = -1e9f;
  for (int k = 0; k < 4; k++) {
    float u = avatar.spectacles_origin[0] + (k % 2 == 0 ? 0 : avatar.spectacles_columns);
    float v = avatar.spectacles_origin[1] + (k < 2 ? 0 : avatar.spectacles_rows);
    float rx = (u + 0.5f) / step - 0.5f - placed[4][0];
    float ry = (v + 0.5f) / step - 0.5f - placed[4][1];
    float hx = (rd * rx - rb * ry) / rest_det, hy = (ra * ry - rc * rx) / rest_det;
    float x = placed[0][0] + hx * a + hy * b, y = placed[0][1] + hx * c + hy * d;
    x0 = fminf(x0, x);
    x1 = fmaxf(x1, x);
    y0 = fminf(y0, y);
    y1 = fmaxf(y1, y);
  }
  set_region(worn->region, x0, y0, truncf(x1) + 2.0f, truncf(y1) + 2.0f, avatar.size_px);
}

// Blends the frames over a pixel.
DEVICE void draw_spectacles(const Avatar& avatar, const SpectaclesTrace& worn, int x, int y,
                            Pixel* pixel) {
  if (!is_in(worn.region, x, y)) return;
  const float(*placed)[2] = worn.placed;
  const float* to_head = worn.to_head;
  int rows = avatar.spectacles_rows, columns = avatar.spectacles_columns;
  float dx = x - placed[0][0], dy = y - placed[0][1];
  float hx = to_head[0] * dx + to_head[1] * dy;
  float back = SPECTACLES_WRAP * hx * hx +
               SPECTACLES_TEMPLE_SLOPE * fmaxf(fabsf(hx) - avatar.spectacles_hinge, 0.0f);
  dx -= back * (placed[3][0] - placed[0][0]);
  dy -= back * (placed[3][1] - placed[0][1]);
  hx = to_head[0] * dx + to_head[1] * dy;
  float hy = to_head[2] * dx + to_head[3] * dy;
  float rx = placed[4][0] + hx * (placed[5][0] - placed[4][0]) +
             hy * (placed[6][0] - placed[4][0]) + back * (placed[7][0] - placed[4][0]);
  float ry = placed[4][1] + hx * (placed[5][1] - placed[4][1]) +
             hy * (placed[6][1] - placed[4][1]) + back * (placed[7][1] - placed[4][1]);
  float step = avatar.spectacles_step;
  float u = (rx + 0.5f) * step - 0.5f - avatar.spectacles_origin[0];
  float v = (ry + 0.5f) * step - 0.5f - avatar.spectacles_origin[1];
  if (!(u >= 0.0f && v >= 0.0f && u <= columns - 1 && v <= rows - 1)) return;
  float color[4];
  sample_texture<4>(avatar.spectacles, rows, columns, u, v, color);
  if (color[3] < 1.0f) return;
  float keep = 1.0f - color[3] * (1.0f / 255.0f);
  for (int c = 0; c < 3; c++) pixel->c[c] = to_level(pixel->c[c] * keep + color[c]);
}

#endif
