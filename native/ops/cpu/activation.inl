// The activations of feed-forward blocks, fused with the bias before them and the sums of its gradient. Included by
// kernels.cpp.

#include "ops/cpu/simd.inl"

// 2^x for x <= 0, relative error 1e-7. With the base 2 the remainder of the rounding is exact.
ST_INLINE float power_of_two(float x) {
  x = x < -126.0f ? -126.0f : x;
  const float magic = 12582912.0f;  // 1.5 * 2^23: adding it rounds to an integer in the low bits
  const float shifted = x + magic;
  const float r = x - (shifted - magic);
  float p = 0.00132647271f;
  p = p * r + 0.00967151265f;
  p = p * r + 0.0555073374f;
  p = p * r + 0.240222421f;
  p = p * r + 0.693146978f;
  p = p * r + 1.0f;
  uint32_t bits;
  __builtin_memcpy(&bits, &shifted, 4);
  bits = (bits << 23) + 0x3F800000;
  float power;
  __builtin_memcpy(&power, &bits, 4);
  return p * power;
}

// The distribution function of the normal distribution, and its density.
//
// In floats the tail Q(z) = 1 - P(z) is exp(-z^2 / 2) f(1 / (1 + 0.3 z)), f a polynomial fitted for the least relative
// error (1.3e-7 for every z up to 13.3, where exp ends): the form of Abramowitz and Stegun 7.1.26 with more terms. One
// exponential serves the density too, and the tail keeps its digits, which 1 + erf(x) loses.
ST_INLINE void normal(float x, float& distribution, float& density) {
  const float z = __builtin_fabsf(x);
  const float exponent = power_of_two(-0.72134752f * z * z), t = 1.0f / (1.0f + 0.3f * z);
  float f = 0.036036227f;
  f = f * t - 0.15871332f;
  f = f * t + 0.208964126f;
  f = f * t - 0.0560954838f;
  f = f * t + 0.129843221f;
  f = f * t + 0.0995231192f;
  f = f * t + 0.120816884f;
  f = f * t + 0.119625166f;
  const float tail = exponent * (f * t);
  distribution = x < 0.0f ? tail : 1.0f - tail;
  density = 0.398942280f * exponent;
}
ST_INLINE void normal(double x, double& distribution, double& density) {
  distribution = 0.5 * __builtin_erfc(-0.70710678118654752 * x);
  density = 0.39894228040143268 * exponential(-0.5 * x * x);
}

// a P(a^2) for x in [-most, most], the coefficients from the highest on; x beyond counts as most, where it is 1/2.
template <int N>
ST_INLINE float odd_polynomial(float x, float most, const float (&coefficients)[N]) {
  const float a = x < -most ? -most : x > most ? most : x;
  const float u = a * a * (2.0f / (most * most)) - 1.0f;
  float p = coefficients[0];
#pragma GCC unroll 16
  for (int i = 1; i < N; ++i) p = p * u + coefficients[i];
  return a * p;
}

// GELU and its derivative for results that are rounded to bfloat16: polynomials that meet 1/2 where they end, fitted
// for the least error. Those of the factor of x, 1.1e-5, and of the slope, 2.8e-5, are a hundredth of bfloat16's.
ST_INLINE void rounded_gelu(float x, float& value, float& slope) {
  constexpr float kDistribution[] = {0.00266243341f, -0.00657093537f, 0.00829382337f, -0.0138866373f, 0.0257143138f,
                                     -0.0394334116f, 0.0556862386f,   -0.0807543686f, 0.165935603f};
  constexpr float kSlope[] = {0.0209599274f, -0.0502294828f, 0.0385443648f, -0.0335507368f,
                              0.0748275607f, -0.0995591476f, 0.0914153693f, -0.0811615782f,
                              0.0755884656f, -0.0817399354f, 0.150168351f};
  value = x * (0.5f + odd_polynomial(x, 4.25f, kDistribution));
  slope = 0.5f + odd_polynomial(x, 4.75f, kSlope);
}

// s = 1 / (1 + exp(-x)), and s (1 - s), whose second factor would have no digits left near 1.
template <typename A>
ST_INLINE void sigmoid(A x, A& value, A& slope) {
  const A e = exponential(x < A(0) ? x : -x), larger = A(1) / (A(1) + e), smaller = e * larger;
  value = x < A(0) ? smaller : larger;
  slope = smaller * larger;
}

// f(x), and its derivative, which are stored as S.
template <Activation kind, typename S, typename A>
ST_INLINE void evaluate(A x, A& value, A& slope) {
  if constexpr (kind == Activation::kGelu && sizeof(S) == 2) {
    rounded_gelu(x, value, slope);
  } else if constexpr (kind == Activation::kGelu) {
    A distribution, density;
    normal(x, distribution, density);
    value = x * distribution;
    slope = distribution + x * density;
  } else if constexpr (kind == Activation::kGeluTanh) {  // 1 + tanh(u) = 2 sigmoid(2 u)
    const A scale = A(1.5957691216057308), cubic = A(0.044715);
    A s, d_s;
    sigmoid(scale * (x + cubic * x * x * x), s, d_s);
    value = x * s;
    slope = s + x * d_s * scale * (A(1) + A(3) * cubic * x * x);
  } else if constexpr (kind == Activation::kRelu) {
    value = x < A(0) ? A(0) : x;
    slope = x > A(0) ? A(1) : A(0);
  } else {
    static_assert(kind == Activation::kSilu);
    A s, d_s;
    sigmoid(x, s, d_s);
    value = x * s;
    slope = s + x * d_s;
  }
}

template <Activation kind>
struct Kind {
  static constexpr Activation value = kind;
};

// Calls work(Kind<kind>{}).
template <typename Work>
ST_INLINE void with_kind(Activation kind, const Work& work) {
  switch (kind) {
    case Activation::kGelu:
      return work(Kind<Activation::kGelu>{});
    case Activation::kGeluTanh:
      return work(Kind<Activation::kGeluTanh>{});
    case Activation::kRelu:
      return work(Kind<Activation::kRelu>{});
    default:
      return work(Kind<Activation::kSilu>{});
  }
}

template <typename S>
static void activate(const Activate<S>& k, int64_t begin, int64_t end, const arithmetic_t<S>* linear) {
  using A = arithmetic_t<S>;
  with_kind(k.kind, [&]<typename K>(K) {
    for (int64_t t = begin; t < end; ++t, linear += k.width) {
      S* after = k.after_TF + t * k.width;
      if (k.slope_TF == nullptr) {
#pragma omp simd
        for (int64_t i = 0; i < k.width; ++i) {
          A value, slope;
          evaluate<K::value, S>(linear[i] + k.bias_F[i], value, slope);
          store(after[i], value);
        }
      } else {
        S* slopes = k.slope_TF + t * k.width;
#pragma omp simd
        for (int64_t i = 0; i < k.width; ++i) {
          A value, slope;
          evaluate<K::value, S>(linear[i] + k.bias_F[i], value, slope);
          store(slopes[i], slope);
          store(after[i], value);
        }
      }
    }
  });
}

template <typename S>
static void activate_backward(const ActivateBackward<S>& k, int64_t begin, int64_t end, const arithmetic_t<S>* d_after,
                              arithmetic_t<S>* partial_bias) {
  using A = arithmetic_t<S>;
  for (int64_t t = begin; t < end; ++t, d_after += k.width) {
    const S* slope = k.slope_TF + t * k.width;
    S* to = k.d_TF + t * k.width;
#pragma omp simd
    for (int64_t i = 0; i < k.width; ++i) {
      const A d = d_after[i] * load(slope[i]);
      partial_bias[i] += d;
      store(to[i], d);
    }
  }
}
