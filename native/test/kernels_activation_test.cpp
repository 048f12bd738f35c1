// The kernels of the activations of feed-forward blocks against ATen in double, on every instruction set.
#include <ATen/ops/linspace.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>

#include <algorithm>
#include <cmath>

#include "core/device.h"
#include "ops/activation.h"
#include "ops/cpu_call.h"
#include "support.h"

namespace st::test {

namespace {

const std::vector<Activation> kKinds = {Activation::kGelu, Activation::kGeluTanh, Activation::kRelu, Activation::kSilu};
const std::vector<int64_t> kWidths = {1, 17, 100, 384, 768};
const std::vector<at::ScalarType> kTypes = {at::kFloat, at::kDouble, at::kBFloat16};
constexpr int64_t kRows = 37;

double tolerance(at::ScalarType type) {
  return type == at::kDouble ? 1e-14 : type == at::kFloat ? 1e-6 : 8e-3;
}

struct Case {
  Activation kind;
  at::ScalarType type;
  int64_t width;
};

std::vector<Case> cases() {
  std::vector<Case> out;
  for (Activation kind : kKinds) {
    for (at::ScalarType type : kTypes) {
      for (int64_t width : kWidths) out.push_back({kind, type, width});
    }
  }
  return out;
}

std::string name(const Case& c) {
  return "activation " + std::to_string(static_cast<int>(c.kind)) + ", " + c10::toString(c.type) + ", width " +
         std::to_string(c.width);
}

TEST(Kernels, Activations) {
  for (const Case& c : cases()) {
    SCOPED_TRACE(name(c));
    const at::ScalarType master = master_dtype(c.type);
    const at::Tensor x = random_tensor({kRows, c.width}, c.type, 1, 6), d_out = random_tensor(x.sizes(), c.type, 2);
    at::Tensor expected = at::zeros({kRows, c.width}, at::kDouble), slope_expected = at::zeros_like(expected),
               d_expected = at::zeros_like(expected), d_bias_expected = at::ones({c.width}, at::kDouble);
    reference::activate_out(c.kind, x.to(at::kDouble), expected, slope_expected);

    at::Tensor in_place = x.clone(), slope = x.clone(), out = at::zeros_like(x), d_x = d_out.clone(),
               d_bias = at::ones({c.width}, master);
    activate_out(c.kind, in_place, in_place);  // as encoding uses it
    activate_out(c.kind, slope, out, slope);   // as training uses it
    activate_backward_out(d_x, slope, d_x, d_bias);
    reference::activate_backward_out(d_out.to(at::kDouble), slope.to(at::kDouble), d_expected, d_bias_expected);
    EXPECT_TRUE(same_bits(in_place, out));
    expect_close(out.to(at::kDouble), expected, tolerance(c.type), "value");
    expect_close(slope.to(at::kDouble), slope_expected, tolerance(c.type), "slope");
    expect_close(d_x.to(at::kDouble), d_expected, tolerance(c.type), "gradient");
    const double sum_tolerance = c.type == at::kDouble ? 1e-14 : 2e-6;
    expect_close(d_bias.to(at::kDouble), d_bias_expected, sum_tolerance, "d_bias");
  }
}

// As a matrix product calls it: a block of rows in the arithmetic type, with the bias.
TEST(Kernels, ActivationsOfABlockOfRows) {
  for (const Case& c : cases()) {
    SCOPED_TRACE(name(c));
    const at::ScalarType master = master_dtype(c.type);
    const at::Tensor linear = random_tensor({kRows, c.width}, master, 1, 4), bias = random_tensor({c.width}, master, 2);
    const at::Tensor x = linear.to(at::kDouble) + bias.to(at::kDouble);
    at::Tensor expected = at::zeros_like(x), slope_expected = at::zeros_like(x);
    reference::activate_out(c.kind, x, expected, slope_expected);

    const auto fresh = [&] { return at::zeros({kRows, c.width}, c.type); };
    at::Tensor slope = fresh(), after = fresh(), bare = fresh();
    with_storage(c.type, [&]<typename S>(S) {
      using A = kernels::arithmetic_t<S>;
      const kernels::Activate<S> kept{c.width, c.kind, data<A>(bias), data<S>(slope), data<S>(after)};
      const kernels::Activate<S> not_kept{c.width, c.kind, data<A>(bias), nullptr, data<S>(bare)};
      for (int64_t begin : {0, 20}) {
        const int64_t end = begin == 0 ? 20 : kRows;
        kernels::table<S>().activate(kept, begin, end, data<A>(linear) + begin * c.width);
        kernels::table<S>().activate(not_kept, begin, end, data<A>(linear) + begin * c.width);
      }
    });
    expect_close(slope.to(at::kDouble), slope_expected, tolerance(c.type), "slope");
    expect_close(after.to(at::kDouble), expected, tolerance(c.type), "after");
    EXPECT_TRUE(same_bits(after, bare));
  }
}

// Every value, not only the largest, is right: also in the tail of GELU, where 1 + erf(x) has no digits left.
TEST(Kernels, ActivationsHoldTheirDigits) {
  const at::Tensor x = at::linspace(-5, 5, 20001, at::kFloat).view({1, -1});
  for (Activation kind : kKinds) {
    SCOPED_TRACE(static_cast<int>(kind));
    const at::Tensor exact_x = x.to(at::kDouble);
    at::Tensor out = at::zeros_like(x), slope = at::zeros_like(x);
    activate_out(kind, x, out, slope);
    at::Tensor expected = at::zeros_like(exact_x), slope_expected = at::zeros_like(exact_x);
    reference::activate_out(kind, exact_x, expected, slope_expected);
    const at::Tensor error = ((out.to(at::kDouble) - expected) / expected.abs().clamp_min(1e-30)).abs();
    EXPECT_LT(error.max().item<double>(), 3e-6);
    EXPECT_LT((slope.to(at::kDouble) - slope_expected).abs().max().item<double>(), 1e-6);
  }
}

TEST(Kernels, ActivationsOfExtremeInputs) {
  for (at::ScalarType type : {at::kFloat, at::kDouble}) {
    for (Activation kind : kKinds) {
      SCOPED_TRACE(static_cast<int>(kind));
      at::Tensor x = at::zeros({1, 22}, type);
      for (int64_t i = 0; i < 22; ++i) x[0][i] = (i % 2 == 0 ? 1 : -1) * std::pow(10.0, i / 2 - 2);
      at::Tensor out = at::zeros_like(x), slope = at::zeros_like(x), expected = at::zeros_like(x),
                 slope_expected = at::zeros_like(x);
      activate_out(kind, x, out, slope);
      reference::activate_out(kind, x, expected, slope_expected);
      for (int64_t i = 0; i < 22; ++i) {
        const double tolerance = 1e-6 * std::max(1.0, std::abs(expected[0][i].item<double>()));
        EXPECT_NEAR(out[0][i].item<double>(), expected[0][i].item<double>(), tolerance) << i;
        EXPECT_NEAR(slope[0][i].item<double>(), slope_expected[0][i].item<double>(), 2e-6) << i;
      }
      const at::Tensor nan = at::ones({1, 17}, type) * std::nan("");
      activate_out(kind, nan, out = at::zeros_like(nan));
      EXPECT_TRUE(out.isnan().all().item<bool>());
    }
  }
}

}  // namespace

}  // namespace st::test
