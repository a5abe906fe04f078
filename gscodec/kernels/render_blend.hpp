// Blending the tiles of a view. Included once for each set of instructions, as render_lanes.hpp.

inline constexpr u32 kSegments = kTile / Lanes::kCount;  // of a row of a tile
inline constexpr u32 kPixels = kTile * kTile;
alignas(64) inline constexpr float kSteps[kTile] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
inline constexpr float kNoPaint[4] = {};

// Which segments of the tile at (x, y) pixels from the blob's centre it may touch: bit segment * 16 + row.
inline u64 segments(const Blob& g, float x, float y) {
  u64 found = 0;
  for (u32 r = 0; r < kTile; r += Lanes::kCount) {
    const Lanes dy = Lanes::load(kSteps + r) + Lanes(y);
    const Lanes rest = fnma(Lanes(g.narrow) * dy, dy, Lanes(g.wide));
    const Lanes half = fma(sqrt(max(rest, Lanes(0.0f))), Lanes(1.001f), Lanes(0.01f));
    const Lanes middle = fnma(Lanes(g.lean), dy, Lanes(x));  // of the tile's first column from the ellipse's middle
    const Mask on = rest >= Lanes(-0.01f) * Lanes(g.wide);
    for (u32 s = 0; s < kSegments; ++s) {
      const float first = static_cast<float>(s * Lanes::kCount);
      const Mask hit = on & (half >= middle + Lanes(first)) & (middle + Lanes(first + Lanes::kCount - 1) >= Lanes(0.0f) - half);
      found |= u64(bits(hit)) << (s * kTile + r);
    }
  }
  return found;
}

// One tile from front to back. `paint`: red, green, blue, depth for each blob. `partial`: three sums for each pair.
// Returns how many of the pairs were looked at before the tile was full; the rest of `partial` is left alone.
template <Work kWork>
std::size_t blend(const View& view, const Camera& camera, std::size_t tile, float most, const float* paint, const Target& target, float* partial) {
  constexpr u32 n = Lanes::kCount;
  // the sign of the light says that the pixel is full; its magnitude then stays
  alignas(64) float light[kPixels], plane[4][kPixels];
  const u32 left = static_cast<u32>(tile % camera.tiles_x()) * kTile, top = static_cast<u32>(tile / camera.tiles_x()) * kTile;
  const u32 columns = std::min(kTile, camera.width - left), rows = std::min(kTile, camera.height - top);
  u64 alive = 0;
  std::memset(plane, 0, sizeof plane);
  for (u32 y = 0; y < kTile; ++y) {
    for (u32 x = 0; x < kTile; ++x) light[y * kTile + x] = y < rows && x < columns ? 1.0f : -1.0f;
    for (u32 s = 0; s < kSegments; ++s) alive |= u64(y < rows && s * n < columns) << (s * kTile + y);
    if (kWork == Work::draw || y >= rows) continue;
    const std::size_t at = std::size_t(top + y) * camera.width + left;
    for (u32 x = 0; x < columns; ++x) {
      if (kWork == Work::measure) plane[0][y * kTile + x] = target.pixel_weight ? target.pixel_weight[at + x] : 1.0f;
      if (kWork == Work::gather)
        for (u32 c = 0; c < 3; ++c) plane[c][y * kTile + x] = target.gradient[3 * (at + x) + c];
    }
  }

  alignas(64) float colour[4][kPixels];
  if (kWork == Work::measure) std::memset(colour, 0, sizeof colour);
  float(&sums)[4][kPixels] = kWork == Work::measure ? colour : plane;

  const u32* ids = &view.ids[view.start[tile]];
  const std::size_t count = view.start[tile + 1] - view.start[tile];
  std::size_t p = 0;
  for (; p < count && alive; ++p) {
    const Blob& g = view.blobs[ids[p]];
    if (p + 4 < count) {
      __builtin_prefetch(&view.blobs[ids[p + 4]]);
      if (kWork != Work::gather) __builtin_prefetch(paint + 4 * std::size_t(ids[p + 4]));
    }
    const float x0 = static_cast<float>(left) - g.x, y0 = static_cast<float>(top) - g.y;
    u64 todo = segments(g, x0, y0) & alive;
    Lanes total_0(0.0f), total_1(0.0f), total_2(0.0f);
    if (todo) {
      const Lanes a(g.a), top_log(g.top), largest(most), span(g.top + 7.9943534f);  // alpha >= 1/255: s <= span
      Lanes dx[kSegments];
      for (u32 s = 0; s < kSegments; ++s) dx[s] = Lanes::load(kSteps + s * n) + Lanes(x0);
      const float* c4 = kWork == Work::gather ? kNoPaint : paint + 4 * std::size_t(ids[p]);
      const Lanes red(c4[0]), green(c4[1]), blue(c4[2]), depth(c4[3]);
      for (; todo; todo &= todo - 1) {
        const u32 bit = static_cast<u32>(std::countr_zero(todo)), row = bit % kTile, segment = bit / kTile;
        const u32 at = row * kTile + segment * n;
        const float dy = y0 + static_cast<float>(row);
        const Lanes s = fma(dx[segment], fma(a, dx[segment], Lanes(g.b * dy)), Lanes(g.c * dy * dy));
        const Mask on = (s >= Lanes(0.0f)) & (span >= s);
        const Lanes alpha = where(on, min(exp2(top_log - s), largest));
        const Lanes before = Lanes::load(light + at), shaded = before * alpha, after = before - shaded;
        const Mask go = after > Lanes(kLeastLight);
        const Lanes w = where(go, shaded), now = select(go, after, negative(before));
        now.store(light + at);
        if (signs(now) == (1u << n) - 1) alive &= ~(u64(1) << bit);
        if (kWork != Work::gather) {
          fma(w, red, Lanes::load(sums[0] + at)).store(sums[0] + at);
          fma(w, green, Lanes::load(sums[1] + at)).store(sums[1] + at);
          fma(w, blue, Lanes::load(sums[2] + at)).store(sums[2] + at);
          fma(w, depth, Lanes::load(sums[3] + at)).store(sums[3] + at);
        }
        if (kWork == Work::measure) {
          total_0 = total_0 + w;
          total_1 = fma(w * w, Lanes::load(plane[0] + at), total_1);
          total_2 = max(total_2, w);
        }
        if (kWork == Work::gather) {
          total_0 = fma(w, Lanes::load(plane[0] + at), total_0);
          total_1 = fma(w, Lanes::load(plane[1] + at), total_1);
          total_2 = fma(w, Lanes::load(plane[2] + at), total_2);
        }
      }
    }
    if (kWork != Work::draw) {
      partial[3 * p] = total(total_0), partial[3 * p + 1] = total(total_1);
      partial[3 * p + 2] = kWork == Work::measure ? greatest(total_2) : total(total_2);
    }
  }

  if (kWork != Work::gather) {
    for (u32 y = 0; y < rows; ++y)
      for (u32 x = 0; x < columns; ++x) {
        const std::size_t to = std::size_t(top + y) * camera.width + left + x, at = y * kTile + x;
        const float rest = std::abs(light[at]);
        for (u32 c = 0; c < 3; ++c) target.rgb[3 * to + c] = sums[c][at] + rest * target.background[c];
        target.alpha[to] = 1.0f - rest;
        target.depth[to] = sums[3][at] / std::max(1.0f - rest, 1e-6f);
      }
  }
  return p;
}

inline std::size_t blend_tile(Work work, const View& view, const Camera& camera, std::size_t tile, float most, const float* paint, const Target& target, float* partial) {
  switch (work) {
    case Work::draw: return blend<Work::draw>(view, camera, tile, most, paint, target, partial);
    case Work::measure: return blend<Work::measure>(view, camera, tile, most, paint, target, partial);
    default: return blend<Work::gather>(view, camera, tile, most, paint, target, partial);
  }
}
