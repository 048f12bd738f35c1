#include "engine/machine.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/gelu.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/mul.h>
#include <ATen/ops/native_dropout.h>
#include <ATen/ops/native_layer_norm.h>
#include <ATen/ops/rand.h>

#include <algorithm>
#include <chrono>
#include <limits>

#include "core/device.h"
#include "core/workspace.h"
#include "ops/linear.h"

namespace st {

namespace {

// Long compared with a time slice of the system, and short compared with a change of the clock rate.
constexpr double kWindowSeconds = 0.05;

// Seconds of one call, in the best window.
template <typename Work>
double seconds_of(double seconds, const Work& work) {
  using Clock = std::chrono::steady_clock;
  const auto since = [](Clock::time_point start) {
    return std::chrono::duration<double>(Clock::now() - start).count();
  };
  work();
  double best = std::numeric_limits<double>::infinity();
  const Clock::time_point begin = Clock::now();
  do {
    const Clock::time_point start = Clock::now();
    int64_t calls = 0;
    do {
      work();
      ++calls;
    } while (since(start) < kWindowSeconds);
    best = std::min(best, since(start) / static_cast<double>(calls));
  } while (since(begin) < seconds);
  return best;
}

// The sizes in the models, and a large square one: [tokens, in] · [in, out].
constexpr int64_t kShapes[][3] = {
    {1024, 384, 1536}, {4096, 384, 1536}, {4096, 1536, 384}, {1024, 768, 3072}, {4096, 768, 768}, {2048, 2048, 2048},
};

}  // namespace

MachineRates measure_machine(const std::vector<std::string>& dtypes, double seconds) {
  const at::NoGradGuard no_grad;
  MachineRates rates;
  for (const std::string& dtype : dtypes) {
    const at::TensorOptions options = at::TensorOptions().dtype(parse_dtype(dtype));
    for (const auto& [m, k, n] : kShapes) {
      const at::Tensor a_MK = at::rand({m, k}).to(options), b_NK = at::rand({n, k}).to(options);
      at::Tensor out_MN = at::empty({m, n}, options);
      const auto rate = [&](const auto& work) {
        return 2e-9 * static_cast<double>(m * k * n) / seconds_of(seconds, work);
      };
      MachineRates::Gemm gemm{dtype, m, k, n, rate([&] { at::mm_out(out_MN, a_MK, b_NK.t()); }), 0};
      Workspace workspace(at::kCPU);
      if (const at::Tensor packed = pack_weight(b_NK, m, workspace); packed.defined()) {
        const Weight weight{b_NK, &packed, workspace};
        gemm.own_gflops = rate([&] { linear(a_MK, weight, at::Tensor(), out_MN); });
      }
      rates.gemms.push_back(gemm);
    }
  }
  constexpr double kFloat = sizeof(float);
  {
    constexpr int64_t kLarge = 64 << 20;
    const at::Tensor from = at::rand({kLarge});
    at::Tensor to = at::empty({kLarge});
    rates.copy_gbs = 1e-9 * 2 * kFloat * kLarge / seconds_of(seconds, [&] { to.copy_(from); });
  }
  {
    constexpr int64_t kSmall = 128 << 10;
    const at::Tensor a = at::rand({kSmall}), b = at::rand({kSmall});
    at::Tensor out = at::empty({kSmall});
    rates.elementwise_gbs = 1e-9 * 3 * kFloat * kSmall / seconds_of(seconds, [&] { at::mul_out(out, a, b); });
  }
  const at::Tensor x_TD = at::rand({1024, 1536}), gamma_D = at::rand({1536});
  const auto elements = static_cast<double>(x_TD.numel());
  at::Tensor out_TD = at::empty({1024, 1536});
  rates.gelu_ns = 1e9 / elements * seconds_of(seconds, [&] { at::gelu_out(out_TD, x_TD); });
  rates.layer_norm_ns =
      1e9 / elements * seconds_of(seconds, [&] { at::native_layer_norm(x_TD, {1536}, gamma_D, gamma_D, 1e-12); });
  rates.dropout_ns = 1e9 / elements * seconds_of(seconds, [&] { at::native_dropout(x_TD, 0.1, true); });
  return rates;
}

}  // namespace st
