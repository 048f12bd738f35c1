// AdamW and the norm of gradients. Included by kernels.cpp.

#include "ops/cpu/simd.inl"

// A moment without gradients shrinks for ever but never becomes 0, and numbers below the smallest normal one cost a
// hundred times as much. So they count as 0.
ST_INLINE float normal_or_zero(float x) {
  return __builtin_fabsf(x) < __FLT_MIN__ ? 0.0f : x;
}
ST_INLINE double normal_or_zero(double x) {
  return __builtin_fabs(x) < __DBL_MIN__ ? 0.0 : x;
}

template <typename A>
ST_INLINE A next_mean(const AdamW<A>& k, A m, A g) {
  return normal_or_zero(m + k.rest1 * (g - m));
}

template <typename A>
ST_INLINE A direction(A m, A v, A inverse_correction2, A epsilon) {
  return m / (root(v) * inverse_correction2 + epsilon);
}

template <typename A>
ST_INLINE void adamw_element(const AdamW<A>& k, A& value, A& grad, A& exp_avg, A& exp_avg_sq) {
  const A g = grad * k.grad_factor;
  const A m = next_mean(k, exp_avg, g);
  const A v = normal_or_zero(k.beta2 * exp_avg_sq + k.rest2 * g * g);
  exp_avg = m;
  exp_avg_sq = v;
  value = k.keep * value - k.step_size * direction(m, v, k.inverse_correction2, k.epsilon);
  grad = A(0);
}

template <typename S, typename A = arithmetic_t<S>>
static void adamw(const AdamW<A>& k, int64_t count, A* value, A* grad, A* exp_avg, A* exp_avg_sq, S* copy) {
  if (copy == nullptr) {
#pragma omp simd
    for (int64_t i = 0; i < count; ++i) adamw_element(k, value[i], grad[i], exp_avg[i], exp_avg_sq[i]);
  } else {
#pragma omp simd
    for (int64_t i = 0; i < count; ++i) {
      adamw_element(k, value[i], grad[i], exp_avg[i], exp_avg_sq[i]);
      store(copy[i], value[i]);
    }
  }
}

constexpr int64_t kReplayBlock = 64;  // elements whose values and moments stay in the first cache for all updates

// Whether updates from the bound's on leave the values unchanged. Without gradients no direction grows if beta1^2 is
// at most beta2, and 2^-(digits + 1) of a value is at most half of its last digit. Another half covers the rounding
// of moments.
template <typename A>
ST_INLINE bool values_rest(const Replay<A>& k, const AdamWBound<A>& bound, int64_t count, const A* value, const A* m,
                           const A* v) {
  constexpr A digits = sizeof(A) == 4 ? A(1 << 26) : A(int64_t{1} << 55);
  int moving = 0;
#pragma omp simd reduction(| : moving)
  for (int64_t i = 0; i < count; ++i) {
    const A size = m[i] < 0 ? -m[i] : m[i], held = value[i] < 0 ? -value[i] : value[i];
    const A most = direction(size * digits, v[i], bound.inverse_correction2, k.updates[0].epsilon) * bound.step_size;
    const bool rests = size == 0 || (!k.decays && most < held);
    moving |= !rests;
  }
  return moving == 0;
}

template <typename A>
ST_INLINE bool all_zero(int64_t count, const A* x) {
  int found = 0;
#pragma omp simd reduction(| : found)
  for (int64_t i = 0; i < count; ++i) found |= x[i] != 0;
  return found == 0;
}

template <typename S, typename A = arithmetic_t<S>>
static void adamw_replay(const Replay<A>& k, int64_t count, A* value, A* exp_avg, A* exp_avg_sq, S* copy) {
  A no_gradient[kReplayBlock] = {};
  for (int64_t begin = 0; begin < count; begin += kReplayBlock) {
    const int64_t size = count - begin < kReplayBlock ? count - begin : kReplayBlock;
    A *w = value + begin, *m = exp_avg + begin, *v = exp_avg_sq + begin;
    int64_t u = 0;
    // The check costs as much as an update or two.
    while (u < k.count && !(u % 8 == 0 && k.count - u > 4 && values_rest(k, k.bounds[u], size, w, m, v))) {
      adamw<A, A>(k.updates[u++], size, w, no_gradient, m, v, nullptr);
    }
    // The remaining updates change only the moments, and the values by their decay.
    if (!k.decays && u < k.count && all_zero(size, m) && all_zero(size, v)) u = k.count;
    for (; u < k.count; ++u) {
      const AdamW<A>& update = k.updates[u];
#pragma omp simd
      for (int64_t i = 0; i < size; ++i) {
        m[i] = next_mean(update, m[i], A(0));
        v[i] = normal_or_zero(update.beta2 * v[i]);
        w[i] = update.keep * w[i];
      }
    }
  }
  if (copy != nullptr) {
    for (int64_t i = 0; i < count; ++i) store(copy[i], value[i]);
  }
}

template <typename A>
static double squared_norm(int64_t count, const A* x) {
  double out = 0;
  // In blocks, because one float32 sum of millions of elements would lose a thousandth.
  for (int64_t begin = 0; begin < count; begin += 4096) {
    const int64_t end = begin + 4096 < count ? begin + 4096 : count;
    A lanes[64] = {};
    int64_t i = begin;
    for (; i + 64 <= end; i += 64) {
#pragma omp simd
      for (int64_t l = 0; l < 64; ++l) lanes[l] += x[i + l] * x[i + l];
    }
    for (; i < end; ++i) lanes[(i - begin) % 64] += x[i] * x[i];
    A sum = 0;
    for (A lane : lanes) sum += lane;
    out += static_cast<double>(sum);
  }
  return out;
}
