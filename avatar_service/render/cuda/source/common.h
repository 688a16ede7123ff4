// Small functions shared by all kernels: the same as render/sdf.py, in float32.
//
// Convention: output px with pixel centres at integers, row 0 on top; camera space as in
// render/projection.py. DEVICE, Avatar, Frame, Batch, Trace and the constants come before this
// file: layout.py writes them.
#ifndef AVATAR_COMMON_H
#define AVATAR_COMMON_H

DEVICE int least(int a, int b) { return a < b ? a : b; }
DEVICE int most(int a, int b) { return a > b ? a : b; }
DEVICE int clamp_int(int v, int low, int high) { return least(most(v, low), high); }
DEVICE float clamp(float v, float low, float high) { return fminf(fmaxf(v, low), high); }

// 0 below `low`, 1 above `high` (or the other way round), 3t^2 - 2t^3 between.
DEVICE float smoothstep(float value, float low, float high) {
  float t = clamp((value - low) / (high - low), 0.0f, 1.0f);
  return t * t * (3.0f - 2.0f * t);
}

// One pixel on its way through the layers: colours 0..255, whole numbers after each layer, as the
// CPU renderer stores them.
struct Pixel {
  float c[3];
  unsigned int alpha;
};

DEVICE float to_level(float value) { return floorf(clamp(value + 0.5f, 0.0f, 255.0f)); }

// Bilinear value of an (height, width, CHANNELS) texture at texel (x, y), edges clamped.
template <int CHANNELS>
DEVICE void sample_texture(const float* texture, int height, int width, float x, float y,
                           float* out) {
  x = clamp(x, 0.0f, (float)(width - 1));
  y = clamp(y, 0.0f, (float)(height - 1));
  int i = least((int)x, width - 2), j = least((int)y, height - 2);
  float fx = x - i, fy = y - j;
  const float* above = texture + (j * width + i) * CHANNELS;
  const float* below = above + width * CHANNELS;
  for (int c = 0; c < CHANNELS; c++) {
    float top = above[c] + fx * (above[c + CHANNELS] - above[c]);
    float low = below[c] + fx * (below[c + CHANNELS] - below[c]);
    out[c] = top + fy * (low - top);
  }
}

DEVICE void transform(const float* matrix, const float* point, float* out) {
  for (int j = 0; j < 3; j++) {
    const float* row = matrix + 4 * j;
    out[j] = row[0] * point[0] + row[1] * point[1] + row[2] * point[2] + row[3];
  }
}

// Moves a camera-space point by a (3, 4) matrix and projects it: out[0..1] in output px.
DEVICE void place_point(const float* point, const float* matrix, const float* projection,
                        float* out) {
  float moved[3];
  transform(matrix, point, moved);
  float k = projection[1] / (projection[1] + moved[2]);
  out[0] = (k * moved[0] + projection[0] + 0.5f) * projection[2] - 0.5f;
  out[1] = (k * moved[1] + projection[0] + 0.5f) * projection[2] - 0.5f;
}

// The affine map from output px to 2x px of the photo near a rigid point of the head; returns
// output px per frame px there.
DEVICE float fill_rest_map(const float* anchor, const float* matrix, const float* projection,
                           float* out) {
  float stretch = 1.0f + anchor[2] / projection[1];
  float place[3][2];
  for (int k = 0; k < 3; k++) {
    float point[3] = {anchor[0] + (k == 1 ? stretch : 0.0f),
                      anchor[1] + (k == 2 ? stretch : 0.0f), anchor[2]};
    place_point(point, matrix, projection, place[k]);
  }
  float ax = place[0][0], ay = place[0][1];
  float a = place[1][0] - ax, b = place[2][0] - ax;
  float c = place[1][1] - ay, d = place[2][1] - ay;
  float det = a * d - b * c;
  if (fabsf(det) < 1e-6f) det = 1e-6f;
  float two = 2.0f / det;
  out[0] = d * two;
  out[1] = -b * two;
  out[3] = -c * two;
  out[4] = a * two;
  out[2] = 2.0f * (anchor[0] / stretch + projection[0]) + 0.5f - out[0] * ax - out[1] * ay;
  out[5] = 2.0f * (anchor[1] / stretch + projection[0]) + 0.5f - out[3] * ax - out[4] * ay;
  return sqrtf(fabsf(det));
}

// Limits a tangent so that the curve does not overshoot (Fritsch and Carlson 1980).
DEVICE float limit_tangent(float tangent, float before, float after) {
  float bound = 3.0f * fminf(fabsf(before), fabsf(after));
  return clamp(tangent, -bound, bound);
}

// Tabulates the smooth curve through n knots as y over x; see render/sdf.py.
DEVICE_CALL void fill_curve(float* x, const float* y, int n, float first, float step, float* out,
                       int num_steps) {
  const float apart = 0.01f;
  for (int i = n / 2 + 1; i < n; i++) x[i] = fmaxf(x[i], x[i - 1] + apart);
  for (int i = n / 2 - 1; i >= 0; i--) x[i] = fminf(x[i], x[i + 1] - apart);
  int k = 0;
  for (int i = 0; i < num_steps; i++) {
    float at = first + step * i;
    if (at <= x[0]) {
      out[i] = y[0];
      continue;
    }
    if (at >= x[n - 1]) {
      out[i] = y[n - 1];
      continue;
    }
    while (k < n - 2 && at > x[k + 1]) k++;
    float h = x[k + 1] - x[k];
    float slope = (y[k + 1] - y[k]) / h;
    float left = slope, right = slope;
    if (k > 0) {
      float h0 = x[k] - x[k - 1];
      float before = (y[k] - y[k - 1]) / h0;
      left = limit_tangent((before * h + slope * h0) / (h + h0), before, slope);
    }
    if (k < n - 2) {
      float h1 = x[k + 2] - x[k + 1];
      float after = (y[k + 2] - y[k + 1]) / h1;
      right = limit_tangent((after * h + slope * h1) / (h + h1), slope, after);
    }
    float t = (at - x[k]) / h, s = 1.0f - t;
    out[i] = s * s * (1.0f + 2.0f * t) * y[k] + t * t * (3.0f - 2.0f * t) * y[k + 1] +
             h * t * s * (s * left - t * right);
  }
}

// A feature's posed axes: a corner, the unit vector along it.
struct Axes {
  float ox, oy, ax, ay;
};

DEVICE float along(const Axes& axes, float x, float y) {
  return (x - axes.ox) * axes.ax + (y - axes.oy) * axes.ay;
}

DEVICE float across(const Axes& axes, float x, float y) {
  return (y - axes.oy) * axes.ax - (x - axes.ox) * axes.ay;
}

// The box of the four corners p0..p1, q0..q1 in posed axes: x0, x1, y0, y1.
DEVICE void box_of(const Axes& axes, float p0, float p1, float q0, float q1, float* out) {
  out[0] = out[2] = 1e9f;
  out[1] = out[3] = -1e9f;
  for (int i = 0; i < 4; i++) {
    float p = i % 2 == 0 ? p0 : p1, q = i < 2 ? q0 : q1;
    float x = axes.ox + p * axes.ax - q * axes.ay, y = axes.oy + p * axes.ay + q * axes.ax;
    out[0] = fminf(out[0], x);
    out[1] = fmaxf(out[1], x);
    out[2] = fminf(out[2], y);
    out[3] = fmaxf(out[3], y);
  }
}

// Regions are x0, y0, x1, y1 with the ends excluded.
DEVICE void set_region(int* region, float x0, float y0, float x1, float y1, int size) {
  const float far = 1e6f;  // conversion of larger numbers is not defined
  region[0] = most((int)clamp(x0, -far, far), 0);
  region[1] = most((int)clamp(y0, -far, far), 0);
  region[2] = least((int)clamp(x1, -far, far), size);
  region[3] = least((int)clamp(y1, -far, far), size);
}

DEVICE bool is_in(const int* region, int x, int y) {
  return x >= region[0] && x < region[2] && y >= region[1] && y < region[3];
}

#endif
