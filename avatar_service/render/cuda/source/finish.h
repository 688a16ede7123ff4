// What is laid over a finished frame: the visible badge and the watermark; render/badge.py and
// render/watermark.py, in the same whole numbers.
#ifndef AVATAR_FINISH_H
#define AVATAR_FINISH_H

// Lays the premultiplied badge over a straight-alpha pixel of the lower left corner.
DEVICE unsigned int lay_badge(const Frame& frame, int size, int x, int y, unsigned int pixel) {
  if (frame.badge == 0) return pixel;
  int row = y - (size - frame.badge_margin - frame.badge_rows), column = x - frame.badge_margin;
  if (row < 0 || row >= frame.badge_rows || column < 0 || column >= frame.badge_columns) {
    return pixel;
  }
  const unsigned char* texel = frame.badge + 4 * (row * frame.badge_columns + column);
  int cover = texel[3];
  if (cover == 0) return pixel;
  int behind = (int)(pixel >> 24) * (255 - cover) / 255, alpha = cover + behind;
  unsigned int marked = (unsigned int)alpha << 24;
  for (int channel = 0; channel < 3; channel++) {
    int under = (int)(pixel >> (8 * channel) & 255u);
    int value = (texel[channel] * 255 + under * behind) / alpha;
    marked |= (unsigned int)least(value, 255) << (8 * channel);
  }
  return marked;
}

DEVICE int green_of(unsigned int pixel) { return (int)(pixel >> 8 & 255u); }

// How strong the watermark may be in a block whose upper left pixel is `corner`.
DEVICE int mark_strength(const unsigned int* corner, int size) {
  int detail = 0;
  for (int y = 0; y < MARK_BLOCK_PX - 1; y++) {
    for (int x = 0; x < MARK_BLOCK_PX - 1; x++) {
      const unsigned int* here = corner + y * size + x;
      int green = green_of(here[0]);
      int right = green_of(here[1]) - green, below = green_of(here[size]) - green;
      detail += (right < 0 ? -right : right) + (below < 0 ? -below : below);
    }
  }
  const int places = (MARK_BLOCK_PX - 1) * (MARK_BLOCK_PX - 1);
  int flat = MARK_FLAT_0 + detail * MARK_FLAT_1 / places;
  int textured = MARK_TEXTURED_0 + detail * MARK_TEXTURED_1 / places;
  return least(least(flat, textured), MARK_STRONGEST);
}

// Adds the pattern to a pixel; wholly transparent ones stay as they are.
DEVICE unsigned int mark_pixel(unsigned int pixel, int wave, int strength, int threshold) {
  if (pixel >> 24 == 0u) return pixel;
  int change = (wave * strength + threshold) >> MARK_SHIFT;
  unsigned int marked = pixel & 0xFF000000u;
  for (int shift = 0; shift < 24; shift += 8) {
    int value = (int)(pixel >> shift & 255u) + change;
    marked |= (unsigned int)clamp_int(value, 0, 255) << shift;
  }
  return marked;
}

#endif
