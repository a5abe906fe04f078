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

// A tile on its way from front to back.
struct Tile {
  // the sign of the light says that the pixel is full; its magnitude then stays
  alignas(64) float light[kPixels];
  alignas(64) float given[4][kPixels];   // of each pixel: what sums are weighted with
  alignas(64) float colour[4][kPixels];  // red, green, blue, depth
  u64 alive = 0;                         // segments with pixels that are not full
  u32 left, top, columns, rows;          // in pixels

  Tile(const Camera& camera, std::size_t tile) {
    left = static_cast<u32>(tile % camera.tiles_x()) * kTile, top = static_cast<u32>(tile / camera.tiles_x()) * kTile;
    columns = std::min(kTile, camera.width - left), rows = std::min(kTile, camera.height - top);
    for (u32 y = 0; y < kTile; ++y) {
      for (u32 x = 0; x < kTile; ++x) light[y * kTile + x] = y < rows && x < columns ? 1.0f : -1.0f;
      for (u32 s = 0; s < kSegments; ++s) alive |= u64(y < rows && s * Lanes::kCount < columns) << (s * kTile + y);
    }
  }
  // job(place in the tile, place in the picture)
  template <class Job>
  void each(const Camera& camera, const Job& job) const {
    for (u32 y = 0; y < rows; ++y)
      for (u32 x = 0; x < columns; ++x) job(y * kTile + x, std::size_t(top + y) * camera.width + left + x);
  }
};

// The weights in the pixels of the first pairs of a tile, such that those need not be found twice.
struct Weights {
  static constexpr u32 kPairsMost = 1u << 14, kMost = (1u << 18) / Lanes::kCount;  // segments: 1 MiB
  alignas(64) float values[kMost][Lanes::kCount];
  u16 at[kMost];             // places in the tile
  u16 counts[kPairsMost];    // segments of each pair
  u32 pairs, segments;
};

// Pairs from `p` on; returns where it stopped: the tile is full, or the list or the room for `weights` ends.
template <Work kWork>
std::size_t sweep(const View& view, std::size_t tile, std::size_t p, float most, const float* paint, Tile& t, float* partial, Weights* weights) {
  constexpr u32 n = Lanes::kCount;
  constexpr bool kPaints = kWork != Work::gather, kSums = kWork == Work::measure || kWork == Work::gather;
  const u32* ids = &view.ids[view.start[tile]];
  const std::size_t count = view.start[tile + 1] - view.start[tile];
  for (; p < count && t.alive; ++p) {
    const Blob& g = view.blobs[ids[p]];
    if (p + 4 < count) {
      __builtin_prefetch(&view.blobs[ids[p + 4]]);
      if (kPaints) __builtin_prefetch(paint + 4 * std::size_t(ids[p + 4]));
    }
    const float x0 = static_cast<float>(t.left) - g.x, y0 = static_cast<float>(t.top) - g.y;
    u64 todo = segments(g, x0, y0) & t.alive;
    u32 kept = 0;
    if (kWork == Work::product) {
      if (weights->pairs == Weights::kPairsMost || weights->segments + static_cast<u32>(std::popcount(todo)) > Weights::kMost) return p;
      kept = weights->segments;
    }
    Lanes total_0(0.0f), total_1(0.0f), total_2(0.0f), total_3(0.0f);
    if (todo) {
      const Lanes a(g.a), top_log(g.top), largest(most), span(g.top + 7.9943534f);  // alpha >= 1/255: s <= span
      Lanes dx[kSegments];
      for (u32 s = 0; s < kSegments; ++s) dx[s] = Lanes::load(kSteps + s * n) + Lanes(x0);
      const float* c4 = kPaints ? paint + 4 * std::size_t(ids[p]) : kNoPaint;
      const Lanes red(c4[0]), green(c4[1]), blue(c4[2]), depth(c4[3]);
      for (; todo; todo &= todo - 1) {
        const u32 bit = static_cast<u32>(std::countr_zero(todo)), row = bit % kTile, segment = bit / kTile;
        const u32 at = row * kTile + segment * n;
        const float dy = y0 + static_cast<float>(row);
        const Lanes s = fma(dx[segment], fma(a, dx[segment], Lanes(g.b * dy)), Lanes(g.c * dy * dy));
        const Mask on = (s >= Lanes(0.0f)) & (span >= s);
        const Lanes alpha = where(on, min(exp2(top_log - s), largest));
        const Lanes before = Lanes::load(t.light + at), shaded = before * alpha, after = before - shaded;
        const Mask go = after > Lanes(kLeastLight);
        const Lanes w = where(go, shaded), now = select(go, after, negative(before));
        now.store(t.light + at);
        if (signs(now) == (1u << n) - 1) t.alive &= ~(u64(1) << bit);
        if (kPaints) {
          fma(w, red, Lanes::load(t.colour[0] + at)).store(t.colour[0] + at);
          fma(w, green, Lanes::load(t.colour[1] + at)).store(t.colour[1] + at);
          fma(w, blue, Lanes::load(t.colour[2] + at)).store(t.colour[2] + at);
          if (kWork != Work::product) fma(w, depth, Lanes::load(t.colour[3] + at)).store(t.colour[3] + at);
        }
        if (kWork == Work::product) {
          w.store(weights->values[kept]);
          weights->at[kept] = static_cast<u16>(at);
          kept += bits(w > Lanes(0.0f)) != 0;
        }
        if (kWork == Work::measure) {
          total_0 = total_0 + w;
          total_1 = fma(w * w, Lanes::load(t.given[0] + at), total_1);
          total_2 = max(total_2, w);
        }
        if (kWork == Work::gather) {
          total_0 = fma(w, Lanes::load(t.given[0] + at), total_0);
          total_1 = fma(w, Lanes::load(t.given[1] + at), total_1);
          total_2 = fma(w, Lanes::load(t.given[2] + at), total_2);
          total_3 = fma(w, Lanes::load(t.given[3] + at), total_3);
        }
      }
    }
    if (kWork == Work::product) {
      weights->counts[weights->pairs++] = static_cast<u16>(kept - weights->segments);
      weights->segments = kept;
    }
    if (kSums) {
      totals(total_0, total_1, total_2, total_3, partial + kSumsOfPair * p);
      if (kWork == Work::measure) partial[kSumsOfPair * p + 2] = greatest(total_2);
    }
  }
  return p;
}

// The sums of the pairs that `weights` are of, as `sweep` gathers them.
inline void replay(const Weights& weights, const Tile& t, float* partial) {
  u32 k = 0;
  for (u32 p = 0; p < weights.pairs; ++p, partial += kSumsOfPair) {
    Lanes total_0(0.0f), total_1(0.0f), total_2(0.0f), total_3(0.0f);
    for (const u32 end = k + weights.counts[p]; k < end; ++k) {
      const Lanes w = Lanes::load(weights.values[k]);
      const u32 at = weights.at[k];
      total_0 = fma(w, Lanes::load(t.given[0] + at), total_0);
      total_1 = fma(w, Lanes::load(t.given[1] + at), total_1);
      total_2 = fma(w, Lanes::load(t.given[2] + at), total_2);
      total_3 = fma(w, Lanes::load(t.given[3] + at), total_3);
    }
    totals(total_0, total_1, total_2, total_3, partial);
  }
}

// One tile. `paint`: red, green, blue, depth for each blob. `partial`: kSumsOfPair sums for each pair.
// Returns how many of the pairs were looked at before the tile was full; the rest of `partial` is left alone.
template <Work kWork>
std::size_t blend(const View& view, const Camera& camera, std::size_t tile, float most, const float* paint, const Target& target, float* partial) {
  Tile t(camera, tile);
  std::memset(t.given, 0, sizeof t.given);
  std::memset(t.colour, 0, sizeof t.colour);
  t.each(camera, [&](u32 at, std::size_t from) {
    if (kWork == Work::measure) t.given[0][at] = target.pixel_weight ? target.pixel_weight[from] : 1.0f;
    if (kWork == Work::gather || (kWork == Work::product && target.gradient))
      for (u32 c = 0; c < 3; ++c) t.given[c][at] = target.gradient[3 * from + c];
  });
  if (kWork == Work::product) {
    static thread_local std::unique_ptr<Weights> room;
    if (!room) room = std::make_unique_for_overwrite<Weights>();
    room->pairs = room->segments = 0;
    const std::size_t first = sweep<Work::product>(view, tile, 0, most, paint, t, nullptr, room.get());
    // what there is no room for is drawn, and later found once more from here
    alignas(64) float light[kPixels];
    const u64 alive = t.alive;
    std::memcpy(light, t.light, sizeof light);
    sweep<Work::draw>(view, tile, first, most, paint, t, nullptr, nullptr);
    for (u32 c = 0; c < 3; ++c)
      for (u32 k = 0; k < kPixels; ++k) t.given[c][k] = target.gradient ? t.given[c][k] - t.colour[c][k] : t.colour[c][k];
    for (u32 k = 0; k < kPixels; ++k) t.given[3][k] = 1.0f - std::abs(t.light[k]);
    replay(*room, t, partial);
    std::memcpy(t.light, light, sizeof light);
    t.alive = alive;
    return sweep<Work::gather>(view, tile, first, most, nullptr, t, partial, nullptr);
  }
  const std::size_t done = sweep<kWork>(view, tile, 0, most, paint, t, partial, nullptr);
  if (kWork != Work::gather)
    t.each(camera, [&](u32 at, std::size_t to) {
      const float rest = std::abs(t.light[at]);
      for (u32 c = 0; c < 3; ++c) target.rgb[3 * to + c] = t.colour[c][at] + rest * target.background[c];
      target.alpha[to] = 1.0f - rest;
      target.depth[to] = t.colour[3][at] / std::max(1.0f - rest, 1e-6f);
    });
  return done;
}

inline std::size_t blend_tile(Work work, const View& view, const Camera& camera, std::size_t tile, float most, const float* paint, const Target& target, float* partial) {
  switch (work) {
    case Work::draw: return blend<Work::draw>(view, camera, tile, most, paint, target, partial);
    case Work::measure: return blend<Work::measure>(view, camera, tile, most, paint, target, partial);
    case Work::product: return blend<Work::product>(view, camera, tile, most, paint, target, partial);
    default: return blend<Work::gather>(view, camera, tile, most, paint, target, partial);
  }
}
