// Several floats at once, as the renderer's loops need them: 16 with AVX-512, 8 with AVX2, 4 elsewhere.
// This file is included once for each set of instructions, inside a namespace of its own.

#if defined(GSC_RENDER_AVX512)

struct Mask {
  __mmask16 v;
};
struct Lanes {
  __m512 v;
  static constexpr int kCount = 16;
  Lanes() = default;
  Lanes(__m512 x) : v(x) {}
  explicit Lanes(float x) : v(_mm512_set1_ps(x)) {}
  static Lanes load(const float* p) { return _mm512_loadu_ps(p); }
  void store(float* p) const { _mm512_storeu_ps(p, v); }
};
inline Lanes operator+(Lanes a, Lanes b) { return _mm512_add_ps(a.v, b.v); }
inline Lanes operator-(Lanes a, Lanes b) { return _mm512_sub_ps(a.v, b.v); }
inline Lanes operator*(Lanes a, Lanes b) { return _mm512_mul_ps(a.v, b.v); }
inline Lanes fma(Lanes a, Lanes b, Lanes c) { return _mm512_fmadd_ps(a.v, b.v, c.v); }    // a b + c
inline Lanes fnma(Lanes a, Lanes b, Lanes c) { return _mm512_fnmadd_ps(a.v, b.v, c.v); }  // c - a b
inline Lanes min(Lanes a, Lanes b) { return _mm512_min_ps(a.v, b.v); }                    // b where a is no number
inline Lanes max(Lanes a, Lanes b) { return _mm512_max_ps(a.v, b.v); }                    // b where a is no number
inline Lanes sqrt(Lanes a) { return _mm512_sqrt_ps(a.v); }
inline Mask operator>(Lanes a, Lanes b) { return {_mm512_cmp_ps_mask(a.v, b.v, _CMP_GT_OQ)}; }
inline Mask operator>=(Lanes a, Lanes b) { return {_mm512_cmp_ps_mask(a.v, b.v, _CMP_GE_OQ)}; }
inline Mask operator&(Mask a, Mask b) { return {static_cast<__mmask16>(a.v & b.v)}; }
inline Lanes where(Mask m, Lanes a) { return _mm512_maskz_mov_ps(m.v, a.v); }  // 0 elsewhere
inline Lanes select(Mask m, Lanes a, Lanes b) { return _mm512_mask_blend_ps(m.v, b.v, a.v); }
inline Lanes negative(Lanes a) {  // -|a|
  const __m512i sign = _mm512_set1_epi32(std::numeric_limits<int>::min());
  return _mm512_castsi512_ps(_mm512_or_si512(_mm512_castps_si512(a.v), sign));
}
inline u32 bits(Mask m) { return m.v; }
inline u32 signs(Lanes a) { return _mm512_cmplt_epi32_mask(_mm512_castps_si512(a.v), _mm512_setzero_si512()); }
inline Lanes scaled(Lanes a, Lanes magic) {  // a times 2 to the number in the low bits of `magic`
  const __m512i n = _mm512_slli_epi32(_mm512_castps_si512(magic.v), 23);
  return _mm512_castsi512_ps(_mm512_add_epi32(_mm512_castps_si512(a.v), n));
}
inline void totals(Lanes a, Lanes b, Lanes c, Lanes d, float* out) {  // the four sums
  const __m512 ab = _mm512_add_ps(_mm512_shuffle_f32x4(a.v, b.v, 0x44), _mm512_shuffle_f32x4(a.v, b.v, 0xee));
  const __m512 cd = _mm512_add_ps(_mm512_shuffle_f32x4(c.v, d.v, 0x44), _mm512_shuffle_f32x4(c.v, d.v, 0xee));
  __m512 x = _mm512_add_ps(_mm512_shuffle_f32x4(ab, cd, 0x88), _mm512_shuffle_f32x4(ab, cd, 0xdd));
  x = _mm512_add_ps(x, _mm512_permute_ps(x, 0x4e));
  x = _mm512_add_ps(x, _mm512_permute_ps(x, 0xb1));
  _mm512_mask_compressstoreu_ps(out, 0x1111, x);
}
inline float greatest(Lanes a) { return _mm512_reduce_max_ps(a.v); }

#elif defined(GSC_RENDER_AVX2)

struct Mask {
  __m256 v;
};
struct Lanes {
  __m256 v;
  static constexpr int kCount = 8;
  Lanes() = default;
  Lanes(__m256 x) : v(x) {}
  explicit Lanes(float x) : v(_mm256_set1_ps(x)) {}
  static Lanes load(const float* p) { return _mm256_loadu_ps(p); }
  void store(float* p) const { _mm256_storeu_ps(p, v); }
};
inline Lanes operator+(Lanes a, Lanes b) { return _mm256_add_ps(a.v, b.v); }
inline Lanes operator-(Lanes a, Lanes b) { return _mm256_sub_ps(a.v, b.v); }
inline Lanes operator*(Lanes a, Lanes b) { return _mm256_mul_ps(a.v, b.v); }
inline Lanes fma(Lanes a, Lanes b, Lanes c) { return _mm256_fmadd_ps(a.v, b.v, c.v); }    // a b + c
inline Lanes fnma(Lanes a, Lanes b, Lanes c) { return _mm256_fnmadd_ps(a.v, b.v, c.v); }  // c - a b
inline Lanes min(Lanes a, Lanes b) { return _mm256_min_ps(a.v, b.v); }                    // b where a is no number
inline Lanes max(Lanes a, Lanes b) { return _mm256_max_ps(a.v, b.v); }                    // b where a is no number
inline Lanes sqrt(Lanes a) { return _mm256_sqrt_ps(a.v); }
inline Mask operator>(Lanes a, Lanes b) { return {_mm256_cmp_ps(a.v, b.v, _CMP_GT_OQ)}; }
inline Mask operator>=(Lanes a, Lanes b) { return {_mm256_cmp_ps(a.v, b.v, _CMP_GE_OQ)}; }
inline Mask operator&(Mask a, Mask b) { return {_mm256_and_ps(a.v, b.v)}; }
inline Lanes where(Mask m, Lanes a) { return _mm256_and_ps(m.v, a.v); }  // 0 elsewhere
inline Lanes select(Mask m, Lanes a, Lanes b) { return _mm256_blendv_ps(b.v, a.v, m.v); }
inline Lanes negative(Lanes a) { return _mm256_or_ps(a.v, _mm256_set1_ps(-0.0f)); }  // -|a|
inline u32 bits(Mask m) { return static_cast<u32>(_mm256_movemask_ps(m.v)); }
inline u32 signs(Lanes a) { return static_cast<u32>(_mm256_movemask_ps(a.v)); }
inline Lanes scaled(Lanes a, Lanes magic) {  // a times 2 to the number in the low bits of `magic`
  const __m256i n = _mm256_slli_epi32(_mm256_castps_si256(magic.v), 23);
  return _mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(a.v), n));
}
inline void totals(Lanes a, Lanes b, Lanes c, Lanes d, float* out) {  // the four sums
  const __m256 x = _mm256_hadd_ps(_mm256_hadd_ps(a.v, b.v), _mm256_hadd_ps(c.v, d.v));
  _mm_storeu_ps(out, _mm_add_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1)));
}
inline float greatest(Lanes a) {
  __m128 x = _mm_max_ps(_mm256_castps256_ps128(a.v), _mm256_extractf128_ps(a.v, 1));
  x = _mm_max_ps(x, _mm_movehl_ps(x, x));
  return _mm_cvtss_f32(_mm_max_ss(x, _mm_movehdup_ps(x)));
}

#else

using Floats = float __attribute__((vector_size(16)));
using Ints = u32 __attribute__((vector_size(16)));
struct Mask {
  Ints v;
};
struct Lanes {
  Floats v;
  static constexpr int kCount = 4;
  Lanes() = default;
  Lanes(Floats x) : v(x) {}
  explicit Lanes(float x) : v{x, x, x, x} {}
  static Lanes load(const float* p) {
    Floats x;
    std::memcpy(&x, p, sizeof x);
    return x;
  }
  void store(float* p) const { std::memcpy(p, &v, sizeof v); }
};
inline Lanes select(Mask m, Lanes a, Lanes b) { return Floats((m.v & Ints(a.v)) | (~m.v & Ints(b.v))); }
inline Lanes operator+(Lanes a, Lanes b) { return a.v + b.v; }
inline Lanes operator-(Lanes a, Lanes b) { return a.v - b.v; }
inline Lanes operator*(Lanes a, Lanes b) { return a.v * b.v; }
inline Lanes fma(Lanes a, Lanes b, Lanes c) { return a.v * b.v + c.v; }
inline Lanes fnma(Lanes a, Lanes b, Lanes c) { return c.v - a.v * b.v; }
inline Mask operator>(Lanes a, Lanes b) { return {Ints(a.v > b.v)}; }
inline Mask operator>=(Lanes a, Lanes b) { return {Ints(a.v >= b.v)}; }
inline Mask operator&(Mask a, Mask b) { return {a.v & b.v}; }
inline Lanes min(Lanes a, Lanes b) { return select(b > a, a, b); }
inline Lanes max(Lanes a, Lanes b) { return select(a > b, a, b); }
inline Lanes sqrt(Lanes a) {
  for (int k = 0; k < Lanes::kCount; ++k) a.v[k] = std::sqrt(a.v[k]);
  return a;
}
inline Lanes where(Mask m, Lanes a) { return Floats(m.v & Ints(a.v)); }
inline Lanes negative(Lanes a) { return Floats(Ints(a.v) | 0x80000000u); }
inline u32 bits(Mask m) { return (m.v[0] & 1) | (m.v[1] & 2) | (m.v[2] & 4) | (m.v[3] & 8); }
inline u32 signs(Lanes a) {
  const Ints x = Ints(a.v) >> 31;
  return x[0] | x[1] << 1 | x[2] << 2 | x[3] << 3;
}
inline Lanes scaled(Lanes a, Lanes magic) { return Floats(Ints(a.v) + (Ints(magic.v) << 23)); }
inline void totals(Lanes a, Lanes b, Lanes c, Lanes d, float* out) {  // the four sums
  const auto total = [](Floats x) { return (x[0] + x[2]) + (x[1] + x[3]); };
  out[0] = total(a.v), out[1] = total(b.v), out[2] = total(c.v), out[3] = total(d.v);
}
inline float greatest(Lanes a) { return std::max(std::max(a.v[0], a.v[2]), std::max(a.v[1], a.v[3])); }

#endif

// 2^p with a relative error below 3e-7 for -100 < p < 100; elsewhere some bits, for callers that mask them out.
inline Lanes exp2(Lanes p) {
  const Lanes magic(12582912.0f);  // 1.5 * 2^23: adding it rounds, and leaves the integer in the low bits
  const Lanes whole = p + magic, f = p - (whole - magic);
  Lanes e = fma(f, Lanes(1.32647e-3f), Lanes(9.67151e-3f));
  e = fma(f, e, Lanes(5.550734e-2f));
  e = fma(f, e, Lanes(2.4022242e-1f));
  e = fma(f, e, Lanes(6.9314698e-1f));
  return scaled(fma(f, e, Lanes(1.0f)), whole);
}
