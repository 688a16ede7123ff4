// Person over background, as straight-alpha RGBA; render/composite.py. Red in the lowest byte.
#ifndef AVATAR_COMPOSITE_H
#define AVATAR_COMPOSITE_H

// A premultiplied pixel over another one.
DEVICE unsigned int under(unsigned int front, unsigned int back) {
  const unsigned int even = 0x00FF00FFu;
  unsigned int rest = 255u - (front >> 24);
  rest += rest >> 7;  // 0..256
  unsigned int low = (((back & even) * rest) >> 8) & even;
  unsigned int high = ((((back >> 8) & even) * rest) >> 8) & even;
  return front + (low | high << 8);
}

DEVICE unsigned int lay_over(unsigned int front, unsigned int back) {
  return under(front, back) | 0xFF000000u;
}

DEVICE unsigned int unpremultiply(unsigned int front) {
  unsigned int alpha = front >> 24;
  if (alpha == 255u || alpha == 0u) return front;
  unsigned int half = alpha >> 1, word = alpha << 24;
  for (int shift = 0; shift < 24; shift += 8) {
    unsigned int value = ((front >> shift & 255u) * 255u + half) / alpha;
    word |= (value < 255u ? value : 255u) << shift;
  }
  return word;
}

DEVICE unsigned int composite(const Avatar& avatar, const Frame& frame, unsigned int person,
                              int at) {
  if (frame.background == BACKGROUND_KEEP) return lay_over(person, avatar.picture[at]);
  if (frame.background == BACKGROUND_COLOR) return lay_over(person, frame.color);
  return unpremultiply(person);
}

DEVICE Pixel pixel_of(unsigned int word) {
  Pixel pixel;
  for (int c = 0; c < 3; c++) pixel.c[c] = (float)(word >> (8 * c) & 255u);
  pixel.alpha = word >> 24;
  return pixel;
}

DEVICE unsigned int word_of(const Pixel& pixel) {
  return (unsigned int)pixel.c[0] | (unsigned int)pixel.c[1] << 8 |
         (unsigned int)pixel.c[2] << 16 | pixel.alpha << 24;
}

#endif
