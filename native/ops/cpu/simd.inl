#pragma once

// Included by kernels.cpp inside namespace st::kernels::<architecture>. No function of a header may be called from
// here: the linker could keep the copy that was compiled for the wrong instruction set.

#define ST_INLINE static inline __attribute__((always_inline))

template <typename A>
struct Simd {
  typedef A type __attribute__((vector_size(64), aligned(alignof(A)), may_alias));
  static constexpr int64_t width = 64 / sizeof(A);
};

constexpr int64_t kPad =
    16;  // rows of scratch matrices are padded to a multiple of this: a vector of floats, two of doubles

ST_INLINE int64_t padded(int64_t n) {
  return (n + kPad - 1) / kPad * kPad;
}

ST_INLINE float load(const float& x) {
  return x;
}
ST_INLINE double load(const double& x) {
  return x;
}
ST_INLINE float load(const Bf16& x) {
  const uint32_t bits = static_cast<uint32_t>(x.bits) << 16;
  float out;
  __builtin_memcpy(&out, &bits, 4);
  return out;
}
ST_INLINE void store(float& to, float x) {
  to = x;
}
ST_INLINE void store(double& to, double x) {
  to = x;
}
ST_INLINE void store(Bf16& to, float x) {  // rounds to nearest even
  uint32_t bits;
  __builtin_memcpy(&bits, &x, 4);
  to.bits = static_cast<uint16_t>((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16);
}

// Cephes' expf: 2 units in the last place; results below the smallest normal number are 0-like.
ST_INLINE float exponential(float x) {
  x = x < -87.0f ? -87.0f : x;
  const float magic = 12582912.0f;  // 1.5 * 2^23: adding it rounds to an integer in the low bits
  const float shifted = x * 1.44269504088896341f + magic;
  const float n = shifted - magic;
  const float r = (x - n * 0.693359375f) + n * 2.12194440e-4f;
  float p = 1.9875691500e-4f;
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * r * r + r + 1.0f;
  uint32_t bits;
  __builtin_memcpy(&bits, &shifted, 4);
  bits = (bits << 23) + 0x3F800000;
  float power;
  __builtin_memcpy(&power, &bits, 4);
  return p * power;
}
ST_INLINE double exponential(double x) {
  return __builtin_exp(x);
}
ST_INLINE float logarithm(float x) {
  return __builtin_logf(x);
}
ST_INLINE double logarithm(double x) {
  return __builtin_log(x);
}
ST_INLINE float root(float x) {
  return __builtin_sqrtf(x);
}
ST_INLINE double root(double x) {
  return __builtin_sqrt(x);
}

// multiplier[c] = dropout.multiplier(row, position, c, head) for c in [0, width), 16 counters at a time
// (core/philox.h).
template <typename A>
static void dropout_row(const Dropout& dropout, uint32_t row, uint32_t position, uint32_t head, int64_t width,
                        A* multiplier) {
  constexpr int L = 16;
  const A scale = static_cast<A>(dropout.scale);
  for (int64_t group = 0; group < width; group += 128) {
    uint32_t x0[L], x1[L], x2[L], x3[L];
    for (int l = 0; l < L; ++l) {
      x0[l] = static_cast<uint32_t>(group / 128 * 16 + l);
      x1[l] = position;
      x2[l] = dropout.first_row + row;
      x3[l] = dropout.site | head << 16;
    }
    uint32_t k0 = static_cast<uint32_t>(dropout.key), k1 = static_cast<uint32_t>(dropout.key >> 32);
    for (int round = 0; round < 10; ++round) {
#pragma omp simd
      for (int l = 0; l < L; ++l) {
        const uint64_t p0 = uint64_t{0xD2511F53} * x0[l], p1 = uint64_t{0xCD9E8D57} * x2[l];
        const uint32_t y0 = static_cast<uint32_t>(p1 >> 32) ^ x1[l] ^ k0;
        const uint32_t y2 = static_cast<uint32_t>(p0 >> 32) ^ x3[l] ^ k1;
        x1[l] = static_cast<uint32_t>(p1);
        x3[l] = static_cast<uint32_t>(p0);
        x0[l] = y0;
        x2[l] = y2;
      }
      k0 += 0x9E3779B9;
      k1 += 0xBB67AE85;
    }
    const uint32_t* words[4] = {x0, x1, x2, x3};
    for (int value = 0; value < 8; ++value) {
      const int64_t first = group + value * L;
      if (first >= width) break;
      const int count = width - first < L ? static_cast<int>(width - first) : L;
      const uint32_t* word = words[value / 2];
      const uint32_t shift = value % 2 * 16;
      A* to = multiplier + first;
#pragma omp simd
      for (int l = 0; l < count; ++l) to[l] = ((word[l] >> shift) & 0xFFFF) < dropout.threshold ? A(0) : scale;
    }
  }
}

template <typename A>
static void fill(A* to, int64_t count, A value) {
  for (int64_t i = 0; i < count; ++i) to[i] = value;
}
