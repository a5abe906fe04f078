// A writer's choice of the residuals of harmonics (5.12): rounding, or least error plus lambda times bits.
#pragma once
#include "harmonics.hpp"

namespace gsc {

// What a writer knows of the cost of symbols: bits of each group number and of each token, by context.
struct HarmonicsCosts {
  static constexpr u32 kTokens = 64;
  const float* groups;        // contexts x (NG + 1), or null: no costs known
  const float* coefficients;  // contexts x kTokens
  float lambda;               // squared steps that a bit is worth
  float dead_zone;            // without costs: a residual of one step is dropped under so many steps

  float bits(u32 context, i32 q) const {
    const u32 z = zigzag(q);
    if (z < 16) return coefficients[context * kTokens + z];
    const u32 n = static_cast<u32>(std::bit_width(z)) - 1;
    const u32 token = 16 + ((n - 4) << 2) + ((z >> (n - 2)) & 3);
    return coefficients[context * kTokens + std::min(token, kTokens - 1)] + static_cast<float>(n - 2);
  }
};

// How much errors of the coefficients of each splat matter: its Gram matrix of basis functions, as seen.
struct HarmonicsMetric {
  static constexpr u32 kMost = 15;
  const float* gram;   // rows of (K + 1)(K + 2) / 2: the upper triangle, constant term first; null: the identity
  const i64* row;      // n: which row each splat has
  const float* scale;  // n: what its row is multiplied with for units of lambda
  const float* extra;  // n: what is then added to the diagonal
  const float* basis;  // K x K: rows are the coded components, or null for the plain ones
  const u8* order;     // 3K: the component (coefficient * 3 + colour) in each place, or null
};

// Residuals of one splat, and how many groups they need.
class HarmonicsChoice {
 public:
  HarmonicsChoice(const Side& side, const HarmonicsLayout& layout, const HarmonicsCosts& costs, const HarmonicsMetric& metric)
      : side_(side), layout_(layout), costs_(costs), metric_(metric), width_(layout.components()) {
    for (u32 j = 0; j < width_; ++j) {
      const u32 component = metric.order ? metric.order[j] : j, colour = component % 3;
      colour_[j] = colour;
      place_[j] = length_[colour];
      coefficient_[colour][length_[colour]++] = component / 3;
    }
  }

  u32 operator()(u32 i, u32 previous, const float* ideal, const i32* p, i32* q) const {
    const i32 m = side_.step[side_.klass[i]];
    float off[kMaxComponents];
    bool forced = false;
    for (u32 j = 0; j < width_; ++j) {
      off[j] = (ideal[j] - static_cast<float>(p[j])) / static_cast<float>(m);
      forced |= p[j] > kHarmonicsMax || p[j] < -kHarmonicsMax;
    }
    if (costs_.groups && !forced) {
      const u32 g = metric_.gram ? among_groups(i, previous, off, q, Shaped(*this, i)) : among_groups(i, previous, off, q, Plain{});
      bool fits = true;
      for (u32 j = 0; j < width_; ++j) fits &= std::abs(p[j] + i64(q[j]) * m) <= kHarmonicsMax;
      if (fits) return g;
    }
    for (u32 j = 0; j < width_; ++j) {
      q[j] = residual(ideal[j], p[j], m, kHarmonicsMax);
      if ((q[j] == 1 || q[j] == -1) && std::abs(off[j]) < costs_.dead_zone && !forced) q[j] = 0;
    }
    return groups_for(q);
  }

 private:
  const Side& side_;
  const HarmonicsLayout& layout_;
  const HarmonicsCosts& costs_;
  const HarmonicsMetric& metric_;
  u32 width_;
  u32 colour_[kMaxComponents], place_[kMaxComponents];  // of each component, its colour and its place among those
  u32 coefficient_[3][HarmonicsMetric::kMost];
  u32 length_[3] = {};

  // Squared error with the identity as metric.
  struct Plain {
    double weight(u32) const { return 1; }
    float shift(u32, const float*) const { return 0; }
  };

  // Squared error in the Gram metric, DC being free to make up for errors: B = L D L^T for each colour, so that the
  // error is the sum over t of D[t] (e[t] + sum over s > t of L[s][t] e[s])^2. Deciding from the last component to the
  // first, what has been decided only shifts what is best for the next.
  class Shaped {
   public:
    Shaped(const HarmonicsChoice& owner, u32 i) : owner_(owner) {
      const u32 k = owner.layout_.coefficients;
      float b[HarmonicsMetric::kMost][HarmonicsMetric::kMost];
      owner.metric_of(i, b);
      for (u32 colour = 0; colour < 3; ++colour) {
        float(&l)[HarmonicsMetric::kMost][HarmonicsMetric::kMost] = lower_[colour];
        const u32* at = owner.coefficient_[colour];
        for (u32 t = 0; t < k; ++t)
          for (u32 s = t; s < k; ++s) l[t][s] = b[at[t]][at[s]];
        for (u32 t = 0; t < k; ++t) {
          const float pivot = std::max(l[t][t], 1e-12f);
          diagonal_[colour][t] = pivot;
          for (u32 s = t + 1; s < k; ++s) {
            const float share = l[t][s] / pivot;
            for (u32 r = s; r < k; ++r) l[s][r] -= share * l[t][r];
          }
          for (u32 s = t + 1; s < k; ++s) l[t][s] /= pivot;
        }
      }
    }
    double weight(u32 j) const { return diagonal_[owner_.colour_[j]][owner_.place_[j]]; }
    float shift(u32 j, const float* error) const {  // error: by colour and place
      const u32 colour = owner_.colour_[j], t = owner_.place_[j];
      const float *l = lower_[colour][t], *e = error + colour * HarmonicsMetric::kMost;
      float sum = 0;
      for (u32 s = t + 1; s < owner_.layout_.coefficients; ++s) sum += l[s] * e[s];
      return sum;
    }

   private:
    const HarmonicsChoice& owner_;
    float lower_[3][HarmonicsMetric::kMost][HarmonicsMetric::kMost];
    float diagonal_[3][HarmonicsMetric::kMost];
  };

  template <class Metric>
  u32 among_groups(u32 i, u32 previous, const float* off, i32* q, const Metric& metric) const {
    const float* group_bits = costs_.groups + group_context(side_, layout_, i, previous) * (layout_.groups + 1);
    double best = 1e300;
    u32 chosen = 0;
    std::fill_n(q, width_, 0);  // stays so if no error is a number
    i32 trial[kMaxComponents];
    float error[3 * HarmonicsMetric::kMost];
    for (u32 g = 0; g <= layout_.groups; ++g) {
      const u32 coded = g ? 3 * layout_.bounds[g] : 0;
      const u32 row = g ? ((g - 1) * side_.classes + side_.klass[i]) * layout_.coefficients : 0;
      double total = costs_.lambda * group_bits[g];
      for (u32 j = width_; j-- > 0 && total < best;) {
        const float wanted = off[j] + metric.shift(j, error);
        const double weight = metric.weight(j);
        trial[j] = 0;
        if (j < coded) total += pick(row + j / 3, wanted, weight, &trial[j]);
        else total += weight * wanted * wanted;
        error[colour_[j] * HarmonicsMetric::kMost + place_[j]] = off[j] - static_cast<float>(trial[j]);
      }
      if (total < best) {
        best = total;
        chosen = g;
        std::copy_n(trial, width_, q);
      }
    }
    return chosen;
  }

  // The Gram matrix of splat i over the coded components, the constant eliminated.
  void metric_of(u32 i, float (&b)[HarmonicsMetric::kMost][HarmonicsMetric::kMost]) const {
    const u32 k = layout_.coefficients;
    const float* g = metric_.gram + std::size_t(metric_.row[i]) * ((k + 1) * (k + 2) / 2);
    const float* constant = g + 1;  // its products with the others
    const float scale = metric_.scale[i], extra = metric_.extra[i];
    const float inverse = scale / std::max(g[0] + extra / std::max(scale, 1e-30f), 1e-20f);
    float a[HarmonicsMetric::kMost][HarmonicsMetric::kMost];
    g += k + 1;
    for (u32 r = 0; r < k; ++r)
      for (u32 s = r; s < k; ++s) a[r][s] = a[s][r] = *g++ * scale + (r == s ? extra : 0) - constant[r] * constant[s] * inverse;
    if (!metric_.basis) {
      for (u32 r = 0; r < k; ++r) std::copy_n(a[r], k, b[r]);
      return;
    }
    float half[HarmonicsMetric::kMost][HarmonicsMetric::kMost] = {};
    for (u32 r = 0; r < k; ++r)
      for (u32 s = 0; s < k; ++s)
        for (u32 t = 0; t < k; ++t) half[r][t] += metric_.basis[r * k + s] * a[s][t];
    for (u32 r = 0; r < k; ++r)
      for (u32 s = 0; s < k; ++s) {
        float sum = 0;
        for (u32 t = 0; t < k; ++t) sum += half[r][t] * metric_.basis[s * k + t];
        b[r][s] = sum;
      }
  }

  u32 groups_for(const i32* q) const {
    u32 used = 0, g = 0;
    for (u32 j = 0; j < width_; ++j)
      if (q[j]) used = j / 3 + 1;
    while (layout_.bounds[g] < used) ++g;
    return g;
  }
  double pick(u32 context, float wanted, double weight, i32* q) const {
    const i32 nearest = static_cast<i32>(std::nearbyint(std::clamp(wanted, -30000.0f, 30000.0f)));
    const auto cost = [&](i32 k) {
      return weight * (wanted - k) * (wanted - k) + costs_.lambda * costs_.bits(context, k);
    };
    double best = cost(*q = nearest);
    if (nearest == 0) return best;
    const i32 inner = nearest > 0 ? nearest - 1 : nearest + 1;
    if (const double c = cost(inner); c < best) best = c, *q = inner;
    if (inner != 0)
      if (const double c = cost(0); c < best) best = c, *q = 0;
    return best;
  }
};

}  // namespace gsc
