// Whole pictures: colours from harmonics, all tiles, and sums for each splat from the sums of its tiles.
#pragma once
#include "render_scene.hpp"

namespace gsc::render {

// product: draws, then gathers the picture that came out, or what `gradient` is more than that picture
enum class Work { draw, measure, gather, product };

struct Target {  // outputs and inputs of the size of the picture, or none
  float *rgb = nullptr, *alpha = nullptr, *depth = nullptr;
  const float *pixel_weight = nullptr, *gradient = nullptr;
  float background[3] = {};
};

// Of each pair: the sums of its weights times the gradient (three) and times the pixel's alpha (product only). When
// measuring: of weights, of squared weights, the greatest weight, nothing.
inline constexpr std::size_t kSumsOfPair = 4;


// The first `count` (1, 4, 9 or 16) real spherical harmonics at a direction of length 1, as training code has them.
inline void harmonics(double x, double y, double z, u32 count, float* out) {
  const double xx = x * x, yy = y * y, zz = z * z;
  const double all[16] = {0.28209479177387814,
                          -0.4886025119029199 * y,
                          0.4886025119029199 * z,
                          -0.4886025119029199 * x,
                          1.0925484305920792 * x * y,
                          -1.0925484305920792 * y * z,
                          0.31539156525252005 * (2 * zz - xx - yy),
                          -1.0925484305920792 * x * z,
                          0.5462742152960396 * (xx - yy),
                          -0.5900435899266435 * y * (3 * xx - yy),
                          2.890611442640554 * x * y * z,
                          -0.4570457994644658 * y * (4 * zz - xx - yy),
                          0.3731763325901154 * z * (2 * zz - 3 * xx - 3 * yy),
                          -0.4570457994644658 * x * (4 * zz - xx - yy),
                          1.445305721320277 * z * (xx - yy),
                          -0.5900435899266435 * x * (xx - 3 * yy)};
  for (u32 k = 0; k < count; ++k) out[k] = static_cast<float>(all[k]);
}

inline void harmonics_towards(const float* position, const Camera& camera, u32 count, float* out) {
  const double x = position[0] - camera.eye[0], y = position[1] - camera.eye[1], z = position[2] - camera.eye[2];
  const double scale = 1.0 / std::sqrt(x * x + y * y + z * z);  // no visible splat is at the eye
  harmonics(x * scale, y * scale, z * scale, count, out);
}

inline constexpr std::size_t kPart = 4096;  // blobs that one thread takes at a time

using Floats4 = float __attribute__((vector_size(16)));
inline Floats4 three(const float* v) { return Floats4{v[0], v[1], v[2], 0}; }

// Red, green, blue and depth of each blob, colours from the harmonics.
inline Buffer<float> paint_harmonics(const View& view, const Camera& camera, const Arrays& in, u32 threads) {
  Buffer<float> paint = buffer<float>(4 * view.count);
  const u32 bands = static_cast<u32>(in.bands);
  parallel((view.count + kPart - 1) / kPart, threads, [&](std::size_t part) {
    float y[16];
    for (std::size_t k = part * kPart; k < std::min(view.count, (part + 1) * kPart); ++k) {
      if (k + 6 < view.count) {
        const std::size_t next = view.blobs[k + 6].index;
        for (u32 at = 0; at < 3 * bands; at += 16) __builtin_prefetch(in.rest + 3 * bands * next + at);
        __builtin_prefetch(in.dc + 3 * next);
        __builtin_prefetch(in.positions + 3 * next);
      }
      const std::size_t i = view.blobs[k].index;
      harmonics_towards(in.positions + 3 * i, camera, bands + 1, y);
      const float *dc = in.dc + 3 * i, *rest = in.rest + 3 * bands * i;
      Floats4 rgb = y[0] * three(dc);
      for (u32 j = 0; j + 1 < bands; ++j) {
        Floats4 four;  // the fourth is the next one's first
        std::memcpy(&four, rest + 3 * j, sizeof four);
        rgb += y[j + 1] * four;
      }
      if (bands) rgb += y[bands] * three(rest + 3 * (bands - 1));
      // written such that no infinity and no NaN gets into pixels that the splat does not touch
      for (u32 c = 0; c < 3; ++c) paint[4 * k + c] = rgb[c] > -0.5f ? std::min(rgb[c] + 0.5f, 1e30f) : 0.0f;
      paint[4 * k + 3] = view.blobs[k].z;
    }
  });
  return paint;
}

// The same with the colours of the caller, three for each splat of the scene.
inline Buffer<float> paint_colours(const View& view, const float* colours, u32 threads) {
  Buffer<float> paint = buffer<float>(4 * view.count);
  parallel((view.count + kPart - 1) / kPart, threads, [&](std::size_t part) {
    for (std::size_t k = part * kPart; k < std::min(view.count, (part + 1) * kPart); ++k) {
      std::copy_n(colours + 3 * std::size_t(view.blobs[k].index), 3, &paint[4 * k]);
      paint[4 * k + 3] = view.blobs[k].z;
    }
  });
  return paint;
}

// What the loops that are built for each set of instructions offer.
struct Hot {
  std::size_t (*project)(const Scene&, const Camera&, std::size_t, std::size_t, Blob*);
  std::size_t (*blend_tile)(Work, const View&, const Camera&, std::size_t, float, const float*, const Target&, float*);
};

inline View look(const Scene& scene, const Camera& camera, const Hot& hot, Scratch& scratch, u32 threads) {
  const std::size_t parts = (scene.blocks + kPartBlocks - 1) / kPartBlocks;
  scratch.reserve(scene.blocks * kBlock);
  scratch.counts.assign(parts, 0);
  parallel(parts, threads, [&](std::size_t c) {
    const std::size_t begin = c * kPartBlocks, end = std::min(scene.blocks, begin + kPartBlocks);
    scratch.counts[c] = hot.project(scene, camera, begin, end, &scratch.blobs[begin * kBlock]);
  });
  return arrange(scratch, camera, threads);
}

// Sums for each pair, as `blend` leaves them, and for each tile how many of its pairs have any.
struct Partial {
  Buffer<float> values;
  Buffer<std::size_t> counts;
};

inline Partial draw(Work work, const View& view, const Camera& camera, float most, const float* paint, const Target& target, const Hot& hot, u32 threads) {
  const std::size_t tiles = std::size_t(camera.tiles_x()) * camera.tiles_y();
  Partial partial;
  if (work != Work::draw) partial = {buffer<float>(kSumsOfPair * view.pairs), buffer<std::size_t>(tiles)};
  parallel(tiles, threads, [&](std::size_t tile) {
    const bool sums = work != Work::draw;
    const std::size_t done = hot.blend_tile(work, view, camera, tile, most, paint, target, sums ? &partial.values[kSumsOfPair * view.start[tile]] : nullptr);
    if (sums) partial.counts[tile] = done;
  });
  return partial;
}

// For each blob, the sums over its tiles, in the order of the tiles whatever the threads: job(blob, sums).
// The third is the greatest when measuring.
template <class Job>
void reduce(const View& view, const Camera& camera, const Partial& partial, bool greatest, u32 threads, const Job& job) {
  const std::size_t tiles = std::size_t(camera.tiles_x()) * camera.tiles_y();
  constexpr std::size_t kRange = 1 << 15;  // blobs; the lists of tiles are sorted by blob
  Buffer<double> sums = buffer<double>(kSumsOfPair * view.count);
  parallel((view.count + kRange - 1) / kRange, threads, [&](std::size_t range) {
    const std::size_t begin = range * kRange, end = std::min(view.count, begin + kRange);
    std::fill_n(&sums[kSumsOfPair * begin], kSumsOfPair * (end - begin), 0.0);
    for (std::size_t tile = 0; tile < tiles; ++tile) {
      const u32 *first = &view.ids[view.start[tile]], *last = first + partial.counts[tile];
      const float* values = &partial.values[kSumsOfPair * view.start[tile]];
      for (const u32* id = std::lower_bound(first, last, begin); id < last && *id < end; ++id) {
        const float* v = values + kSumsOfPair * (id - first);
        double* s = &sums[kSumsOfPair * std::size_t(*id)];
        s[0] += v[0], s[1] += v[1];
        s[2] = greatest ? std::max(s[2], double(v[2])) : s[2] + v[2];
        s[3] += v[3];
      }
    }
    for (std::size_t k = begin; k < end; ++k) job(view.blobs[k], &sums[kSumsOfPair * k]);
  });
}

// Sums for each splat of the scene over several views; see gscodec.evaluate.renderer.Statistics.
struct Totals {
  double *weight, *squared;
  float *largest, *gram;
  u32 basis;  // gram: basis (basis + 1) / 2 values for each splat
};

inline void add_totals(const View& view, const Camera& camera, const Arrays& in, const Partial& partial, const Totals& totals, u32 threads) {
  const u32 n = totals.basis;
  const std::size_t width = std::size_t(n) * (n + 1) / 2;
  reduce(view, camera, partial, true, threads, [&](const Blob& blob, const double* sums) {
    const std::size_t i = blob.index;
    totals.weight[i] += sums[0], totals.squared[i] += sums[1];
    totals.largest[i] = std::max(totals.largest[i], static_cast<float>(sums[2]));
    if (!totals.gram || sums[1] == 0) return;
    float y[16];
    harmonics_towards(in.positions + 3 * i, camera, n, y);
    float* row = totals.gram + width * i;
    for (u32 a = 0; a < n; ++a) {
      const float scaled = static_cast<float>(sums[1]) * y[a];
      for (u32 b = a; b < n; ++b) *row++ += scaled * y[b];
    }
  });
}

}  // namespace gsc::render
