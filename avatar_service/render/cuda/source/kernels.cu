// The kernels, in the order of a frame. All take the batch alone: blockIdx.y is the frame, the
// first axis what the kernel works on. No thread waits for another one of its launch, so that a
// plain loop over blocks and threads gives the same frames on a CPU.

struct Scratch {
  const Avatar& avatar;
  const Frame& frame;
  float* vertices;
  float* camera;
  float* shading;
  unsigned long long* visibility;
  Trace* trace;
  unsigned int* out;
  int* strength;
  int* fault;
};

DEVICE Scratch scratch_of(const Batch* batch, int n) {
  const Frame& frame = batch->frames[n];
  const Avatar& avatar = batch->avatars[frame.avatar];
  long long v = (long long)n * batch->max_vertices;
  long long p = (long long)n * batch->size_px * batch->size_px;
  Scratch scratch = {avatar,
                     frame,
                     batch->vertices + 3 * v,
                     batch->camera + 3 * v,
                     batch->shading + v,
                     batch->visibility + p,
                     batch->traces + n,
                     batch->out + p,
                     batch->strength + p / (MARK_BLOCK_PX * MARK_BLOCK_PX),
                     batch->faults + n};
  return scratch;
}

extern "C" __global__ void pose_vertices(const Batch* batch) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  Scratch s = scratch_of(batch, blockIdx.y);
  if (i >= s.avatar.num_vertices) return;
  // Any thread that fails may say so: all write the same.
  if (!place_vertex(s.avatar, s.frame, i, s.camera + 3 * i, s.vertices + 3 * i)) *s.fault = 1;
}

extern "C" __global__ void shade_vertices(const Batch* batch) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  Scratch s = scratch_of(batch, blockIdx.y);
  if (i >= s.avatar.num_vertices) return;
  s.shading[i] = shade_vertex(s.avatar, s.camera, i);
}

// blockIdx.x: 0 and 1 the eyes, 2 the mouth, 3 the spectacles; the frames lie along the threads, so
// that the threads of a warp do the same.
extern "C" __global__ void trace_features(const Batch* batch) {
  int n = blockIdx.y * blockDim.x + threadIdx.x;
  if (n >= batch->num_frames) return;
  Scratch s = scratch_of(batch, n);
  if (blockIdx.x < 2) {
    trace_eye(s.avatar, s.frame, s.vertices, s.shading, blockIdx.x, &s.trace->eyes[blockIdx.x]);
  } else if (blockIdx.x == 2) {
    trace_mouth(s.avatar, s.frame, s.vertices, s.shading, &s.trace->mouth);
  } else if (s.avatar.spectacles_rows > 1) {
    trace_spectacles(s.avatar, s.frame, &s.trace->spectacles);
  }
}

extern "C" __global__ void raster_triangles(const Batch* batch) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  Scratch s = scratch_of(batch, blockIdx.y);
  int triangle = i / RASTER_LANES;
  if (triangle >= s.avatar.num_triangles || *s.fault) return;
  raster_triangle(s.avatar, s.vertices, s.shading, triangle, i % RASTER_LANES, s.visibility);
}

// Torso, composite, mouth, eyes, lids, spectacles, badge: one thread per pixel, nothing between the layers but
// registers.
extern "C" __global__ void draw_pixels(const Batch* batch) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  Scratch s = scratch_of(batch, blockIdx.y);
  int size = s.avatar.size_px;
  if (i >= size * size || *s.fault) return;
  int x = i % size, y = i / size;
  const Trace& trace = *s.trace;
  unsigned int person =
      person_at(s.avatar, s.frame, s.vertices, s.shading, s.visibility[i], x, y);
  if (s.avatar.torso_rows > TORSO_NONE) person = over_torso(s.avatar, s.frame, person, x, y);
  Pixel pixel = pixel_of(composite(s.avatar, s.frame, person, i));
  draw_inside(s.avatar, trace.mouth, x, y, &pixel);
  draw_seam(s.avatar, trace.mouth, x, y, &pixel);
  draw_tongue(s.avatar, trace.mouth, x, y, &pixel);
  for (int e = 0; e < 2; e++) {
    draw_ball(s.avatar, trace.eyes[e], e, x, y, &pixel);
    draw_lid(s.avatar, trace.eyes[e], e, x, y, &pixel);
  }
  if (s.avatar.spectacles_rows > 1) {
    draw_spectacles(s.avatar, trace.spectacles, x, y, &pixel);
  }
  s.out[i] = lay_badge(s.frame, size, x, y, word_of(pixel));
}

// The watermark follows the finished picture: how strong each of its blocks may be, then the
// pattern itself.
extern "C" __global__ void measure_detail(const Batch* batch) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  Scratch s = scratch_of(batch, blockIdx.y);
  int size = s.avatar.size_px, across = size / MARK_BLOCK_PX;
  if (i >= across * across || s.frame.mark == 0 || *s.fault) return;
  const unsigned int* corner = s.out + (i / across * size + i % across) * MARK_BLOCK_PX;
  s.strength[i] = mark_strength(corner, size);
}

extern "C" __global__ void mark_pixels(const Batch* batch) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  Scratch s = scratch_of(batch, blockIdx.y);
  int size = s.avatar.size_px;
  if (i >= size * size || s.frame.mark == 0 || *s.fault) return;
  int x = i % size, y = i / size;
  int strength = s.strength[y / MARK_BLOCK_PX * (size / MARK_BLOCK_PX) + x / MARK_BLOCK_PX];
  int at = y % MARK_TILE_PX * MARK_TILE_PX + x % MARK_TILE_PX;
  s.out[i] = mark_pixel(s.out[i], s.frame.mark[at], strength, batch->dither[at]);
}
