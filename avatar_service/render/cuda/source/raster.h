// The person: what is nearest at each pixel, then its texture; render/raster.py.
//
// Triangles are small (8 x 8 px), so each is walked by a few threads that race for the pixels with
// a 64-bit atomic minimum of depth and triangle number (a visibility buffer, as in the software
// rasteriser of Nanite: Karis, SIGGRAPH 2021). The winner does not depend on the order, equal
// depths go to the triangle drawn first as on the CPU, and no list of a tile can overflow.
#ifndef AVATAR_RASTER_H
#define AVATAR_RASTER_H

// A triangle's attributes as planes over the picture, relative to its first corner.
struct Planes {
  float ax, ay, bdx, bdy, cdx, cdy;
  float u0, udx, udy, v0, vdx, vdy, z0, zdx, zdy, s0, sdx, sdy;
};

// Returns false where the triangle has no area.
DEVICE bool set_up(const Avatar& avatar, const float* vertices, const float* shading, int triangle,
                   Planes* p) {
  const int* corners = avatar.triangles + 3 * triangle;
  int a = corners[0], b = corners[1], c = corners[2];
  float ax = vertices[3 * a], ay = vertices[3 * a + 1];
  float bx = vertices[3 * b], by = vertices[3 * b + 1];
  float cx = vertices[3 * c], cy = vertices[3 * c + 1];
  float area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax);
  if (!(fabsf(area) >= 1e-4f)) return false;
  float inverse = 1.0f / area;
  p->ax = ax;
  p->ay = ay;
  p->bdx = (cy - ay) * inverse;
  p->bdy = (ax - cx) * inverse;
  p->cdx = (ay - by) * inverse;
  p->cdy = (bx - ax) * inverse;
  const float* uv = avatar.uv;
  p->u0 = uv[2 * a];
  p->v0 = uv[2 * a + 1];
  p->z0 = vertices[3 * a + 2];
  p->s0 = shading[a];
  float ub = uv[2 * b] - p->u0, vb = uv[2 * b + 1] - p->v0;
  float uc = uv[2 * c] - p->u0, vc = uv[2 * c + 1] - p->v0;
  float zb = vertices[3 * b + 2] - p->z0, zc = vertices[3 * c + 2] - p->z0;
  float sb = shading[b] - p->s0, sc = shading[c] - p->s0;
  p->udx = ub * p->bdx + uc * p->cdx;
  p->udy = ub * p->bdy + uc * p->cdy;
  p->vdx = vb * p->bdx + vc * p->cdx;
  p->vdy = vb * p->bdy + vc * p->cdy;
  p->zdx = zb * p->bdx + zc * p->cdx;
  p->zdy = zb * p->bdy + zc * p->cdy;
  p->sdx = sb * p->bdx + sc * p->cdx;
  p->sdy = sb * p->bdy + sc * p->cdy;
  return true;
}

// Texture coordinates at a pixel, 8 bits after the point.
DEVICE void texel_at(const Avatar& avatar, const Planes& p, int x, int y, int* iu, int* iv) {
  float dx = x - p.ax, dy = y - p.ay;
  float limit = (float)avatar.texture_px - 1.01f;
  *iu = (int)(clamp(p.u0 + p.udx * dx + p.udy * dy, 0.0f, limit) * 256.0f);
  *iv = (int)(clamp(p.v0 + p.vdx * dx + p.vdy * dy, 0.0f, limit) * 256.0f);
}

// Narrows [low, high] to where at_zero + slope * x >= EDGE.
DEVICE void cut(float at_zero, float slope, float* low, float* high) {
  const float flat = 1e-9f;
  if (slope > flat) {
    *low = fmaxf(*low, (EDGE - at_zero) / slope);
  } else if (slope < -flat) {
    *high = fminf(*high, (EDGE - at_zero) / slope);
  } else if (at_zero < EDGE) {
    *high = *low - 1.0f;
  }
}

// Depth as bits that order like the number, in front of the triangle's number.
DEVICE unsigned long long key_of(float depth, int triangle) {
  unsigned int bits = float_bits(depth);
  bits ^= bits >> 31 ? 0xFFFFFFFFu : 0x80000000u;
  return (unsigned long long)bits << 32 | (unsigned int)triangle;
}

// Draws every RASTER_LANES-th row of a triangle, beginning with row `lane`.
DEVICE void raster_triangle(const Avatar& avatar, const float* vertices, const float* shading,
                            int triangle, int lane, unsigned long long* visibility) {
  Planes p;
  if (!set_up(avatar, vertices, shading, triangle, &p)) return;
  const int* corners = avatar.triangles + 3 * triangle;
  float x[3], y[3];
  for (int k = 0; k < 3; k++) {
    x[k] = vertices[3 * corners[k]];
    y[k] = vertices[3 * corners[k] + 1];
  }
  float last = (float)(avatar.size_px - 1);
  int left = (int)ceilf(fmaxf(0.0f, fminf(x[0], fminf(x[1], x[2])) - 0.01f));
  int right = (int)floorf(fminf(last, fmaxf(x[0], fmaxf(x[1], x[2])) + 0.01f));
  int top = (int)ceilf(fmaxf(0.0f, fminf(y[0], fminf(y[1], y[2])) - 0.01f));
  int bottom = (int)floorf(fminf(last, fmaxf(y[0], fmaxf(y[1], y[2])) + 0.01f));
  if (left > right) return;
  bool has_alpha_test = triangle >= avatar.num_opaque;
  for (int row = top + lane; row <= bottom; row += RASTER_LANES) {
    float dy = row - p.ay;
    float low = left - p.ax, high = right - p.ax;
    float wb = p.bdy * dy, wc = p.cdy * dy;
    cut(wb, p.bdx, &low, &high);
    cut(wc, p.cdx, &low, &high);
    cut(1.0f - wb - wc, -p.bdx - p.cdx, &low, &high);
    if (low > high) continue;
    int first = most((int)ceilf(low + p.ax - 1e-3f), left);
    int final = least((int)floorf(high + p.ax + 1e-3f), right);
    for (int column = first; column <= final; column++) {
      if (has_alpha_test) {
        int iu, iv;
        texel_at(avatar, p, column, row, &iu, &iv);
        int nearest = ((iv + 128) >> 8) * avatar.texture_px + ((iu + 128) >> 8);
        if (avatar.texels[nearest] >> 24 < ALPHA_CUT) continue;
      }
      float depth = p.z0 + p.zdx * (column - p.ax) + p.zdy * dy;
      atomicMin(visibility + row * avatar.size_px + column, key_of(depth, triangle));
    }
  }
}

// The premultiplied colour of a texel, shaded: 16-bit arithmetic as on the CPU.
DEVICE unsigned int sample_person(const unsigned int* texel, int row_px, int fu, int fv,
                                  int shade) {
  unsigned int t00 = texel[0], t10 = texel[1], t01 = texel[row_px], t11 = texel[row_px + 1];
  unsigned int color[4];
  for (int c = 0; c < 4; c++) {
    int shift = 8 * c;
    unsigned int a = t00 >> shift & 255u, b = t10 >> shift & 255u;
    unsigned int d = t01 >> shift & 255u, e = t11 >> shift & 255u;
    unsigned int left = (a * (256 - fv) + d * fv + 128) >> 8;
    unsigned int right = (b * (256 - fv) + e * fv + 128) >> 8;
    color[c] = (left * (256 - fu) + right * fu + 128) >> 8;
  }
  unsigned int word = color[3] << 24;
  for (int c = 0; c < 3; c++) {
    unsigned int shaded = (color[c] * (unsigned int)shade + SHADE_ONE / 2) / SHADE_ONE;
    // Premultiplied: no channel may exceed the alpha.
    word |= (shaded < color[3] ? shaded : color[3]) << (8 * c);
  }
  return word;
}

// What the visibility buffer says about one pixel, as premultiplied RGBA; 0 where it is empty.
DEVICE unsigned int person_at(const Avatar& avatar, const Frame& frame, const float* vertices,
                              const float* shading, unsigned long long key, int x, int y) {
  if (key == EMPTY_KEY) return 0u;
  Planes p;
  if (!set_up(avatar, vertices, shading, (int)(key & 0xFFFFFFFFu), &p)) return 0u;
  int iu, iv;
  texel_at(avatar, p, x, y, &iu, &iv);
  float lit = p.s0 + p.sdx * (x - p.ax) + p.sdy * (y - p.ay);
  int shade = (int)(lit * SHADE_ONE + 0.5f);
  if (frame.pull[0]) {
    int fold = avatar.folds[(iv >> 9) * avatar.folds_px + (iu >> 9)];
    if (fold >= 256) {
      int deep = ((fold & 255) - 128) * frame.pull[fold >> 8];
      shade += (shade * deep + (1 << 15)) >> 16;
    }
  }
  const unsigned int* texel = avatar.texels + (iv >> 8) * avatar.texture_px + (iu >> 8);
  return sample_person(texel, avatar.texture_px, iu & 255, iv & 255, shade);
}

#endif
