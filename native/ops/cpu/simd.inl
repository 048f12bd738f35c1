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
// Cephes' logf, for normal numbers above 0: 2 units in the last place.
ST_INLINE float logarithm(float x) {
  int32_t bits;
  __builtin_memcpy(&bits, &x, 4);
  const int32_t exponent = (bits - 0x3F3504F3) >> 23;  // of x / sqrt(1/2), so that m is between sqrt(1/2) and sqrt(2)
  bits -= exponent * (1 << 23);
  float m;
  __builtin_memcpy(&m, &bits, 4);
  const float n = static_cast<float>(exponent), r = m - 1.0f, square = r * r;
  float p = 7.0376836292e-2f;
  p = p * r - 1.1514610310e-1f;
  p = p * r + 1.1676998740e-1f;
  p = p * r - 1.2420140846e-1f;
  p = p * r + 1.4249322787e-1f;
  p = p * r - 1.6668057665e-1f;
  p = p * r + 2.0000714765e-1f;
  p = p * r - 2.4999993993e-1f;
  p = p * r + 3.3333331174e-1f;
  p = p * r * square - 2.12194440e-4f * n - 0.5f * square;
  return r + p + 0.693359375f * n;
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

// A register of this instruction set.
#if defined(__AVX512F__)
constexpr int kRegister = 64;
#elif defined(__AVX2__)
constexpr int kRegister = 32;
#else
constexpr int kRegister = 16;
#endif

// By halves.
template <typename A, int bytes>
ST_INLINE A sum_lanes(const A* lanes) {
  typedef A Half __attribute__((vector_size(bytes / 2)));
  if constexpr (bytes == 2 * sizeof(A)) {
    return lanes[0] + lanes[1];
  } else {
    Half a, b;
    __builtin_memcpy(&a, lanes, sizeof(Half));
    __builtin_memcpy(&b, reinterpret_cast<const char*>(lanes) + sizeof(Half), sizeof(Half));
    a += b;
    return sum_lanes<A, bytes / 2>(reinterpret_cast<const A*>(&a));
  }
}

// The sum of the terms of [0, width): term(i, v) sets v, a vector or a scalar, to those from column i on. Four sums,
// because additions of one sum wait for each other.
template <typename A, typename Term>
ST_INLINE A sum_columns(int64_t width, const Term& term) {
  typedef A V __attribute__((vector_size(kRegister), aligned(alignof(A)), may_alias));
  constexpr int64_t L = kRegister / sizeof(A);
  V sum0 = {}, sum1 = {}, sum2 = {}, sum3 = {}, v;
  int64_t i = 0;
  for (; i + 4 * L <= width; i += 4 * L) {
    term(i, v);
    sum0 += v;
    term(i + L, v);
    sum1 += v;
    term(i + 2 * L, v);
    sum2 += v;
    term(i + 3 * L, v);
    sum3 += v;
  }
  for (; i + L <= width; i += L) {
    term(i, v);
    sum0 += v;
  }
  const V sum = (sum0 + sum1) + (sum2 + sum3);
  A total = sum_lanes<A, kRegister>(reinterpret_cast<const A*>(&sum));
  for (; i < width; ++i) {
    A single;
    term(i, single);
    total += single;
  }
  return total;
}

// Loads a vector or a scalar from `from`. (A memcpy of a vector uses two smaller registers for AVX2.)
template <typename V>
struct __attribute__((packed, may_alias)) Unaligned {
  V v;
};
template <typename V, typename A>
ST_INLINE void get(V& to, const A* from) {
  to = reinterpret_cast<const Unaligned<V>*>(from)->v;
}

template <typename A>
static void fill(A* to, int64_t count, A value) {
  for (int64_t i = 0; i < count; ++i) to[i] = value;
}
