// What the renderer's stages hand to one another: a scene made ready, splats on the screen, lists of tiles.
#pragma once
#include <algorithm>
#include <atomic>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <exception>
#include <limits>
#include <memory>
#include <mutex>
#include <new>
#include <numeric>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "parameters.hpp"

namespace gsc::render {

inline constexpr u32 kTile = 16;                   // pixels along a side; the footprints of mode inria are made of these
inline constexpr u32 kBlock = 128;                 // splats that are culled together
inline constexpr std::size_t kPairs = 1u << 27;    // (tile, splat) pairs of one view: half a GiB of indices
inline constexpr float kLeastAlpha = 1.0f / 255.0f;
inline constexpr float kLeastLight = 1e-4f;        // a pixel stops before its transmittance is as small as this

struct TooManyPairs : std::bad_alloc {
  const char* what() const noexcept override { return "the splats of this view cover too many tiles to be listed"; }
};

template <class T>
using Buffer = std::unique_ptr<T[]>;
template <class T>
Buffer<T> buffer(std::size_t count) {
  return std::make_unique_for_overwrite<T[]>(count);
}

// job(k) for k < jobs, in any order and on several threads; rethrows the first exception.
template <class Job>
void parallel(std::size_t jobs, u32 threads, const Job& job) {
  std::atomic<std::size_t> next{0};
  std::exception_ptr error;
  std::mutex lock;
  const auto work = [&]() noexcept {
    try {
      for (std::size_t k; (k = next.fetch_add(1, std::memory_order_relaxed)) < jobs;) job(k);
    } catch (...) {
      const std::lock_guard guard(lock);
      if (!error) error = std::current_exception();
      next = jobs;
    }
  };
  std::vector<std::thread> crew;
  const std::size_t hands = std::min<std::size_t>(threads, jobs);
  if (hands > 1) {
    crew.reserve(hands - 1);
    try {
      while (crew.size() + 1 < hands) crew.emplace_back(work);
    } catch (const std::system_error&) {  // no more threads to be had: those that there are do it all
    }
  }
  work();
  for (std::thread& t : crew) t.join();
  if (error) std::rethrow_exception(error);
}

// Sorts by `width` bits of each key, above the lowest `skip` of its upper half less `low`; equal ones keep their order.
inline void sort_keys(Buffer<u64>& keys, Buffer<u64>& other, std::size_t n, u32 low, u32 skip, u32 width, u32 threads) {
  const u32 passes = (width + 10) / 11;
  if (n < 2 || passes == 0) return;
  const u32 digit = (width + passes - 1) / passes, mask = (1u << digit) - 1;
  const std::size_t chunks = n < (1u << 14) ? 1 : threads;
  std::vector<u32> at(chunks << digit);
  for (u32 pass = 0; pass < passes; ++pass) {
    const u32 shift = skip + pass * digit;
    const auto place = [&](u64 key) { return (static_cast<u32>(key >> 32) - low) >> shift & mask; };
    parallel(chunks, threads, [&](std::size_t c) {
      u32* count = at.data() + (c << digit);
      std::fill_n(count, std::size_t(mask) + 1, 0);
      for (std::size_t k = n * c / chunks; k < n * (c + 1) / chunks; ++k) ++count[place(keys[k])];
    });
    u32 sum = 0;
    for (std::size_t d = 0; d <= mask; ++d)
      for (std::size_t c = 0; c < chunks; ++c) sum += std::exchange(at[(c << digit) + d], sum);
    parallel(chunks, threads, [&](std::size_t c) {
      u32* to = at.data() + (c << digit);
      for (std::size_t k = n * c / chunks; k < n * (c + 1) / chunks; ++k) other[to[place(keys[k])]++] = keys[k];
    });
    std::swap(keys, other);
  }
}

struct Camera {
  u32 width, height;
  double fx, fy, cx, cy;
  double eye[3];
  double axes[9];   // rows: right, down, forward
  double shift[3];  // what is added after turning: -axes * eye

  double x_limit[2], y_limit[2];  // of x/z and y/z in the Jacobian
  u32 tiles_x() const { return (width + kTile - 1) / kTile; }
  u32 tiles_y() const { return (height + kTile - 1) / kTile; }

  // values: fx fy cx cy, the eye, the rows of the rotation
  Camera(u32 w, u32 h, const double* values) : width(w), height(h), fx(values[0]), fy(values[1]), cx(values[2]), cy(values[3]) {
    std::copy_n(values + 4, 3, eye);
    std::copy_n(values + 7, 9, axes);
    for (int k = 0; k < 3; ++k) shift[k] = -(axes[3 * k] * eye[0] + axes[3 * k + 1] * eye[1] + axes[3 * k + 2] * eye[2]);
    const double half_x = 0.5 * w / fx, half_y = 0.5 * h / fy;
    x_limit[0] = -(cx / fx + 0.3 * half_x), x_limit[1] = (w - cx) / fx + 0.3 * half_x;
    y_limit[0] = -(cy / fy + 0.3 * half_y), y_limit[1] = (h - cy) / fy + 0.3 * half_y;
  }
};

// The columns of a scene, in the order of its blocks; see Scene.
enum Column : u32 { kX, kY, kZ, kXX, kXY, kXZ, kYY, kYZ, kZZ, kReach2, kTop, kColumns };

// What is the same in all views. Splats that can never be seen are left out; the others are sorted so that the kBlock
// of one block are near each other in space and of similar size, and a view can skip whole blocks.
struct Scene {
  struct Box {
    double middle[3], half[3], reach;  // reach: the greatest distance at which any of its splats has alpha >= 1/255
  };
  std::size_t blocks = 0;
  Buffer<float> columns;  // block, column, splat; kReach2 is squared and in standard deviations, kTop is log2 opacity
  Buffer<u32> index;      // of the splat in the arrays of the caller, by place
  Buffer<Box> boxes;
  float near, most;       // least depth, greatest alpha
  bool inria;
};

// A splat on the screen: a cache line. Its alpha at (dx, dy) is 2^(top - (a dx^2 + b dx dy + c dy^2)).
// x and y are measured in pixels from the centre of the first pixel.
struct alignas(64) Blob {
  float x, y, a, b, c, top;
  float reach_y;           // half the height of the ellipse where alpha is 1/255
  float lean;              // the middle of the ellipse at dy is x + lean dy
  float wide, narrow;      // half of its width there is sqrt(wide - narrow dy^2)
  float dy_right;          // dy of its rightmost point
  float z;
  u32 index;
  u16 x0, x1, y0, y1;      // tiles; footprint
  static_assert(sizeof(float) == 4);
};

struct Row {
  u16 begin, end;  // tiles
};

// A blob's tiles in one row.
struct Span {
  u32 blob;
  u16 y, begin, end;
};

// The tiles in row `row` that the ellipse touches (begin == end: none).
inline Row touched(const Blob& g, u32 row) {
  if (g.x1 - g.x0 == 1 || g.y1 - g.y0 == 1) return {g.x0, g.x1};
  const float first = static_cast<float>(row * kTile) - g.y, last = first + (kTile - 1);
  const float low = std::max(first, -g.reach_y), high = std::min(last, g.reach_y);
  if (!(low <= high + 0.02f)) return {0, 0};
  const auto clamped = [&](float dy) { return std::min(std::max(dy, low), high); };
  const auto half = [&](float dy) { return std::sqrt(std::max(g.wide - g.narrow * dy * dy, 0.0f)) * 1.001f + 0.01f; };
  const float right = clamped(g.dy_right), left = clamped(-g.dy_right);
  const float x0 = g.x + g.lean * left - half(left), x1 = g.x + g.lean * right + half(right);
  const auto tile = [&](float x) {  // also for what is no number
    const float limit = static_cast<float>(g.x1) * kTile;
    return static_cast<u32>(x > 0 ? x < limit ? x : limit : 0) / kTile;
  };
  if (!(x1 >= 0)) return {0, 0};
  const u32 begin = std::max<u32>(g.x0, tile(std::ceil(x0))), end = std::min<u32>(g.x1, tile(x1) + 1);
  return begin < end ? Row{static_cast<u16>(begin), static_cast<u16>(end)} : Row{0, 0};
}

// One view of a scene: its splats from front to back, and for every tile those that touch it.
struct View {
  std::size_t count = 0, pairs = 0;
  Buffer<Blob> blobs;
  Buffer<u32> ids;            // pairs: place in blobs, by tile, from front to back
  Buffer<std::size_t> start;  // tiles + 1
};

// What making a view needs, kept from view to view: memory new from the system is slow. Large, so that all scenes
// share one.
struct Scratch {
  std::mutex lock;                  // held while a view is made
  std::size_t room = 0;             // blobs, keys
  Buffer<Blob> blobs;               // of part c from c * kPartBlocks * kBlock on
  std::vector<std::size_t> counts;  // of blobs in each part
  Buffer<u64> keys, other;          // depth, then place in blobs

  void reserve(std::size_t count) {
    if (count <= room) return;
    room = 0;
    blobs.reset(), keys.reset(), other.reset();  // before the new ones are taken
    blobs = buffer<Blob>(count), keys = buffer<u64>(count), other = buffer<u64>(count);
    room = count;
  }
  // The one of all scenes there are; gone with the last of them.
  static std::shared_ptr<Scratch> shared() {
    static std::mutex guard;
    static std::weak_ptr<Scratch> known;
    const std::lock_guard held(guard);
    std::shared_ptr<Scratch> found = known.lock();
    if (!found) known = found = std::make_shared<Scratch>();
    return found;
  }
};
inline constexpr std::size_t kPartBlocks = 32;  // that one thread takes at a time

// Keys of the blobs in the order of depth, ties by index; returns how many.
inline std::size_t sort_blobs(Scratch& scratch, u32 threads) {
  const std::size_t parts = scratch.counts.size();
  std::vector<std::size_t> first(parts + 1);
  for (std::size_t c = 0; c < parts; ++c) first[c + 1] = first[c] + scratch.counts[c];
  const std::size_t n = first.back();
  if (n == 0) return 0;
  std::vector<u32> least(parts, ~0u), most(parts, 0);
  Buffer<u64>& keys = scratch.keys;
  parallel(parts, threads, [&](std::size_t c) {
    for (std::size_t k = 0; k < scratch.counts[c]; ++k) {
      const std::size_t at = c * kPartBlocks * kBlock + k;
      const u32 depth = std::bit_cast<u32>(scratch.blobs[at].z);  // positive: sorts like an integer
      least[c] = std::min(least[c], depth), most[c] = std::max(most[c], depth);
      keys[first[c] + k] = u64(depth) << 32 | at;
    }
  });
  const u32 low = *std::min_element(least.begin(), least.end()), high = *std::max_element(most.begin(), most.end());
  // two passes for most of the bits; the few that are still equal then are sorted one by one
  const u32 width = std::bit_width(high - low), skip = width > 22 ? width - 22 : 0;
  sort_keys(keys, scratch.other, n, low, skip, width - skip, threads);
  const auto coarse = [&](std::size_t k) { return (static_cast<u32>(keys[k] >> 32) - low) >> skip; };
  const auto before = [&](u64 a, u64 b) {
    return a >> 32 != b >> 32 ? a < b : scratch.blobs[static_cast<u32>(a)].index < scratch.blobs[static_cast<u32>(b)].index;
  };
  for (std::size_t k = 1; k < n; ++k) {
    if (coarse(k) != coarse(k - 1)) continue;
    std::size_t end = k + 1;
    while (end < n && coarse(end) == coarse(k)) ++end;
    std::sort(&keys[k - 1], &keys[0] + end, before);
    k = end;
  }
  return n;
}

// The blobs of a view in order, and the lists of its tiles.
inline View arrange(Scratch& scratch, const Camera& camera, u32 threads) {
  View view;
  const std::size_t n = view.count = sort_blobs(scratch, threads);
  const auto blob = [&](std::size_t k) -> const Blob& { return scratch.blobs[static_cast<u32>(scratch.keys[k])]; };
  const u32 columns = camera.tiles_x(), rows = camera.tiles_y();
  const std::size_t tiles = std::size_t(columns) * rows, chunks = n < 4096 ? 1 : threads;
  view.blobs = buffer<Blob>(n);
  std::vector<std::vector<Span>> spans(chunks);
  std::vector<std::vector<u32>> counts(chunks);
  std::vector<std::size_t> found(chunks);
  parallel(chunks, threads, [&](std::size_t c) {
    counts[c].assign(tiles, 0);
    spans[c].reserve(n / chunks * 2);
    for (std::size_t k = n * c / chunks; k < n * (c + 1) / chunks; ++k) {
      if (k + 16 < n) __builtin_prefetch(&blob(k + 16));
      const Blob& g = view.blobs[k] = blob(k);
      for (u32 y = g.y0; y < g.y1; ++y) {
        const Row row = touched(g, y);
        if (row.begin == row.end) continue;
        spans[c].push_back({static_cast<u32>(k), static_cast<u16>(y), row.begin, row.end});
        found[c] += row.end - row.begin;
        u32* count = counts[c].data() + std::size_t(y) * columns;
        for (u32 x = row.begin; x < row.end; ++x) ++count[x];
      }
      if (found[c] > kPairs) throw TooManyPairs();
    }
  });
  if (std::accumulate(found.begin(), found.end(), std::size_t(0)) > kPairs) throw TooManyPairs();
  view.start = buffer<std::size_t>(tiles + 1);
  std::size_t sum = 0;
  for (std::size_t t = 0; t < tiles; ++t) {
    view.start[t] = sum;
    for (std::size_t c = 0; c < chunks; ++c) sum += std::exchange(counts[c][t], static_cast<u32>(sum));
  }
  view.start[tiles] = view.pairs = sum;
  view.ids = buffer<u32>(sum);
  parallel(chunks, threads, [&](std::size_t c) {
    for (const Span& span : spans[c]) {
      u32* to = counts[c].data() + std::size_t(span.y) * columns;
      for (u32 x = span.begin; x < span.end; ++x) view.ids[to[x]++] = span.blob;
    }
  });
  return view;
}

}  // namespace gsc::render
