// AdamW: the kernel against its reference, and against the formulas written out.
#include "optim/adamw.h"

#include <ATen/ops/zeros.h>

#include <cmath>
#include <memory>

#include "support.h"

namespace st::test {

namespace {

struct AdamWState {
  Parameters parameters;
  std::unique_ptr<Gradients> gradients;
  std::unique_ptr<Optimizer> adamw;
  double weight_decay;

  AdamWState(at::ScalarType type, const AdamWOptions& options, double weight_decay, int64_t decay, int64_t no_decay)
      : weight_decay(weight_decay) {
    if (decay > 0) parameters.layout.add("w", {decay}, Group::kDecay);
    parameters.layout.add("b", {no_decay}, Group::kNoDecay);
    parameters.layout.add("frozen", {5}, Group::kFrozen);
    parameters.allocate(at::kCPU, type);
    gradients = std::make_unique<Gradients>(parameters.layout, parameters.flat());
    adamw = std::make_unique<AdamW>(options, parameters.layout.trained_end(), parameters.flat());
    parameters.flat().copy_(random_tensor({parameters.layout.size()}, type, 1));
  }

  void update(int64_t step, double lr_decay, double lr_no_decay, double factor) {
    const int64_t decay = parameters.layout.decay_end(), trained = parameters.layout.trained_end();
    std::vector<UpdateRange> ranges = {{decay, trained, lr_no_decay, 0}};
    if (decay > 0) ranges.push_back({0, decay, lr_decay, weight_decay});
    adamw->update(ranges, step, factor, {parameters.flat(), gradients->flat(), parameters.flat_copy()});
  }
};

TEST(Kernels, AdamW) {
  const AdamWOptions options{0.9, 0.999, 1e-8};
  for (at::ScalarType type : {at::kFloat, at::kDouble}) {
    for (int64_t count : {int64_t{1}, int64_t{7}, int64_t{33}, int64_t{70001}}) {
      SCOPED_TRACE(std::string(c10::toString(type)) + " " + std::to_string(count));
      AdamWState s(type, options, 0.01, count, 3);
      const int64_t decay = s.parameters.layout.decay_end(), trained = s.parameters.layout.trained_end();
      at::Tensor value = s.parameters.flat().clone(), m = at::zeros({trained}, type), v = at::zeros({trained}, type);
      for (int64_t step = 1; step <= 3; ++step) {
        const at::Tensor grad = random_tensor({trained}, type, 10 + step, 0.1);
        s.gradients->flat().copy_(grad);
        s.update(step, 1e-2, 2e-2, 0.5);
        const auto expected = [&](int64_t begin, int64_t end, double lr, double weight_decay) {
          const auto cut = [&](const at::Tensor& x) { return x.narrow(0, begin, end - begin); };
          reference::adamw(options, step, lr, weight_decay, 0.5, cut(value), cut(grad), cut(m), cut(v));
        };
        expected(0, decay, 1e-2, 0.01);
        expected(decay, trained, 2e-2, 0);
        const double close = type == at::kDouble ? 1e-14 : 5e-7;
        expect_close(s.parameters.flat(), value, close, "value");
        expect_close(s.adamw->state()[0].second, m, close, "exp_avg");
        expect_close(s.adamw->state()[1].second, v, close, "exp_avg_sq");
        EXPECT_EQ(s.gradients->flat().abs().max().item<double>(), 0);
        EXPECT_EQ(grad.abs().max().item<double>(), 0);
      }
    }
  }
}

// Three steps of torch.optim.AdamW written out for one number.
TEST(Kernels, AdamWByHand) {
  constexpr double kLr = 0.1, kBeta1 = 0.8, kBeta2 = 0.95, kEpsilon = 1e-3, kDecay = 0.05, kFactor = 0.25;
  AdamWState s(at::kDouble, {kBeta1, kBeta2, kEpsilon}, kDecay, 1, 1);
  const int64_t b = s.parameters.layout.decay_end();
  double* value = s.parameters.flat().data_ptr<double>();
  double w = value[0], bias = value[b];
  const double frozen = value[s.parameters.layout.trained_end()];
  double m = 0, v = 0;
  int64_t step = 0;
  for (double raw : {2.0, -3.0, 0.5}) {
    ++step;
    s.gradients->flat().data_ptr<double>()[0] = raw;
    s.gradients->flat().data_ptr<double>()[b] = raw;
    s.update(step, kLr, 2 * kLr, kFactor);
    const double g = raw * kFactor;
    m = kBeta1 * m + (1 - kBeta1) * g;
    v = kBeta2 * v + (1 - kBeta2) * g * g;
    const double direction =
        m / (1 - std::pow(kBeta1, step)) / (std::sqrt(v) / std::sqrt(1 - std::pow(kBeta2, step)) + kEpsilon);
    w = w - kLr * kDecay * w - kLr * direction;
    bias = bias - 2 * kLr * direction;
    EXPECT_NEAR(value[0], w, 1e-14);
    EXPECT_NEAR(value[b], bias, 1e-14);
    EXPECT_EQ(s.gradients->flat().abs().max().item<double>(), 0);
  }
  EXPECT_EQ(value[s.parameters.layout.trained_end()], frozen);
}

TEST(Kernels, AdamWWithoutAGradientOnlyDecays) {
  AdamWState s(at::kFloat, {0.9, 0.999, 1e-8}, 0.5, 20, 4);
  const at::Tensor before = s.parameters.flat().clone();
  s.update(1, 0.1, 0.1, 1);
  const int64_t decay = s.parameters.layout.decay_end();
  expect_close(s.parameters.flat().slice(0, 0, decay), before.slice(0, 0, decay) * 0.95, 1e-7, "decayed");
  EXPECT_TRUE(same_bits(s.parameters.flat().slice(0, decay), before.slice(0, decay)));
}

}  // namespace

}  // namespace st::test
