// The kernels of residual_norm, embedding_norm and AdamW against their references, and the masks that dropout draws.
#include <ATen/TensorOperators.h>
#include <ATen/ops/full.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>

#include <cmath>

#include "core/device.h"
#include "ops/dropout.h"
#include "ops/embedding_norm.h"
#include "ops/linear.h"
#include "ops/residual_norm.h"
#include "optim/adamw.h"
#include "support.h"

namespace st::test {

namespace {

const std::vector<int64_t> kWidths = {1, 7, 12, 32, 100, 384};
const std::vector<int> kLengths = {1, 2, 15, 16, 17, 31, 33, 130};

// What sums in another order may differ by, and what a bf16 result may when it is rounded from a slightly different
// sum.
double tolerance(at::ScalarType type) {
  return type == at::kDouble ? 1e-12 : type == at::kFloat ? 2e-5 : 8e-3;
}
double sum_tolerance(at::ScalarType type) {
  return type == at::kDouble ? 1e-12 : 5e-5;
}  // of sums kept in the master dtype

struct Case {
  at::ScalarType type;
  int64_t width;
  Dropout dropout;
  std::string name;
};

std::vector<Case> cases() {
  std::vector<Case> out;
  for (at::ScalarType type : {at::kFloat, at::kDouble, at::kBFloat16}) {
    for (int64_t width : kWidths) {
      for (double probability : {0.0, 0.1}) {
        out.push_back({type, width, Dropout(DropoutKey(5, 6, 7, 3), 9, probability),
                       std::string(c10::toString(type)) + ", width " + std::to_string(width) + ", dropout " +
                           std::to_string(probability)});
      }
    }
  }
  return out;
}

NormWeights norm_weights(int64_t width, at::ScalarType master, double epsilon) {
  return {random_tensor({width}, master, 1) + 1.5, random_tensor({width}, master, 2), epsilon};
}

// A layer norm of one column is the same for every input: its gradient is a difference of equals, noise over epsilon.
double epsilon_of(int64_t width) {
  return width == 1 ? 1.0 : 1e-12;
}

TEST(Kernels, ResidualNorm) {
  const PackedBatch batch = batch_of(kLengths);
  const Input input(batch, at::kCPU);
  const int64_t tokens = input.tokens();
  for (const Case& c : cases()) {
    SCOPED_TRACE(c.name);
    const at::ScalarType master = master_dtype(c.type);
    const NormWeights weights = norm_weights(c.width, master, epsilon_of(c.width));
    const at::Tensor bias = random_tensor({c.width}, master, 3), residual = random_tensor({tokens, c.width}, c.type, 4);
    struct Out {
      at::Tensor sum, out, mean, rstd, d_residual, d_linear, d_gamma, d_beta, d_bias;
    };
    const auto fresh = [&] {
      const at::TensorOptions m(master);
      return Out{random_tensor({tokens, c.width}, c.type, 5),
                 at::zeros({tokens, c.width}, c.type),
                 at::zeros({tokens}, m),
                 at::zeros({tokens}, m),
                 at::zeros({tokens, c.width}, c.type),
                 at::zeros({tokens, c.width}, c.type),
                 at::ones({c.width}, m),
                 at::ones({c.width}, m),
                 at::ones({c.width}, m)};  // gradients are added to
    };
    Out a = fresh(), e = fresh();
    residual_norm(input, c.dropout, weights, bias, residual, a.sum, a.out, a.mean, a.rstd);
    reference::residual_norm(input, c.dropout, weights, bias, residual, e.sum, e.out, e.mean, e.rstd);
    expect_close(a.sum, e.sum, tolerance(c.type), "sum");
    expect_close(a.out, e.out, tolerance(c.type), "out");
    expect_close(a.mean, e.mean, sum_tolerance(c.type), "mean");
    expect_close(a.rstd, e.rstd, sum_tolerance(c.type), "rstd");

    const at::Tensor d_out = random_tensor({tokens, c.width}, c.type, 6);
    residual_norm_backward(input, c.dropout, weights.gamma_D, d_out, e.sum, e.mean, e.rstd, a.d_residual, a.d_linear,
                           a.d_gamma, a.d_beta, a.d_bias);
    reference::residual_norm_backward(input, c.dropout, weights.gamma_D, d_out, e.sum, e.mean, e.rstd, e.d_residual,
                                      e.d_linear, e.d_gamma, e.d_beta, e.d_bias);
    expect_close(a.d_residual, e.d_residual, tolerance(c.type), "d_residual");
    expect_close(a.d_linear, e.d_linear, tolerance(c.type), "d_linear");
    expect_close(a.d_gamma, e.d_gamma, sum_tolerance(c.type), "d_gamma");
    expect_close(a.d_beta, e.d_beta, sum_tolerance(c.type), "d_beta");
    expect_close(a.d_bias, e.d_bias, sum_tolerance(c.type), "d_bias");

    // As the layers use it: d_residual in the memory of d_out.
    const at::Tensor in_place = d_out.clone();
    residual_norm_backward(input, c.dropout, weights.gamma_D, in_place, e.sum, e.mean, e.rstd, in_place, a.d_linear,
                           a.d_gamma, a.d_beta, a.d_bias);
    EXPECT_TRUE(same_bits(in_place, a.d_residual));
    // Without statistics, as encoding uses it.
    Out bare = fresh();
    residual_norm(input, c.dropout, weights, bias, residual, bare.sum, bare.out, {}, {});
    EXPECT_TRUE(same_bits(bare.out, a.out));
  }
}

TEST(Kernels, EmbeddingNorm) {
  for (const Case& c : cases()) {
    for (int64_t types : {int64_t{0}, int64_t{2}}) {
      SCOPED_TRACE(c.name + ", types " + std::to_string(types));
      const PackedBatch batch = batch_of(kLengths, 29, types);
      const Input input(batch, at::kCPU);
      const int64_t tokens = input.tokens();
      const at::ScalarType master = master_dtype(c.type);
      const NormWeights weights = norm_weights(c.width, master, epsilon_of(c.width));
      const EmbeddingTables tables{random_tensor({29, c.width}, master, 3), random_tensor({130, c.width}, master, 4),
                                   random_tensor({2, c.width}, master, 5)};
      const int64_t padding = types == 0 ? -1 : 3;
      struct Out {
        at::Tensor sum, out, mean, rstd, d_gamma, d_beta;
        EmbeddingTables d_tables;
      };
      const auto fresh = [&] {
        const at::TensorOptions m(master);
        return Out{at::zeros({tokens, c.width}, m),
                   at::zeros({tokens, c.width}, c.type),
                   at::zeros({tokens}, m),
                   at::zeros({tokens}, m),
                   at::ones({c.width}, m),
                   at::ones({c.width}, m),
                   {at::ones({29, c.width}, m), at::ones({130, c.width}, m), at::ones({2, c.width}, m), padding}};
      };
      Out a = fresh(), e = fresh();
      embedding_norm(input, c.dropout, tables, weights, a.sum, a.out, a.mean, a.rstd);
      reference::embedding_norm(input, c.dropout, tables, weights, e.sum, e.out, e.mean, e.rstd);
      expect_close(a.sum, e.sum, sum_tolerance(c.type), "sum");
      expect_close(a.out, e.out, tolerance(c.type), "out");
      expect_close(a.mean, e.mean, sum_tolerance(c.type), "mean");
      expect_close(a.rstd, e.rstd, sum_tolerance(c.type), "rstd");

      const at::Tensor d_out = random_tensor({tokens, c.width}, c.type, 6);
      at::Tensor a_sum = e.sum.clone(), e_sum = e.sum.clone();  // become gradients
      embedding_norm_backward(input, c.dropout, weights.gamma_D, d_out, a_sum, e.mean, e.rstd, a.d_tables, a.d_gamma,
                              a.d_beta);
      reference::embedding_norm_backward(input, c.dropout, weights.gamma_D, d_out, e_sum, e.mean, e.rstd, e.d_tables,
                                         e.d_gamma, e.d_beta);
      expect_close(a_sum, e_sum, sum_tolerance(c.type), "d_sum");
      expect_close(a.d_gamma, e.d_gamma, sum_tolerance(c.type), "d_gamma");
      expect_close(a.d_beta, e.d_beta, sum_tolerance(c.type), "d_beta");
      expect_close(a.d_tables.word_VD, e.d_tables.word_VD, sum_tolerance(c.type), "d_word");
      EXPECT_TRUE(padding != 3 || same_bits(a.d_tables.word_VD[3], at::ones({c.width}, master)));
      expect_close(a.d_tables.position_PD, e.d_tables.position_PD, sum_tolerance(c.type), "d_position");
      expect_close(a.d_tables.type_KD, e.d_tables.type_KD, sum_tolerance(c.type), "d_type");
    }
  }
}

TEST(Kernels, NormsDoNotDependOnTheNumberOfThreads) {
  const PackedBatch batch = batch_of(kLengths);
  const Input input(batch, at::kCPU);
  const NormWeights weights = norm_weights(100, at::kFloat, 1e-12);
  const at::Tensor bias = random_tensor({100}, at::kFloat, 3),
                   residual = random_tensor({input.tokens(), 100}, at::kFloat, 4);
  std::vector<at::Tensor> outs;
  for (int threads : {1, 2, 3}) {
    const Threads set(threads);
    at::Tensor sum = random_tensor({input.tokens(), 100}, at::kFloat, 5), out = at::zeros_like(sum);
    residual_norm(input, Dropout(DropoutKey(1, 1, 1), 1, 0.1), weights, bias, residual, sum, out, {}, {});
    outs.push_back(out);
  }
  EXPECT_TRUE(same_bits(outs[0], outs[1]));
  EXPECT_TRUE(same_bits(outs[0], outs[2]));
}

// ---------------------------------------------------------------------------------------------------------- dropout

constexpr double kProbability = 0.1;

// That `dropped` of `count` fits the probability: five standard deviations of the binomial distribution.
void expect_rate(int64_t dropped, int64_t count, double probability) {
  const double mean = count * probability, deviation = std::sqrt(count * probability * (1 - probability));
  EXPECT_NEAR(static_cast<double>(dropped), mean, 5 * deviation) << "of " << count;
}

TEST(Dropout, RateAndScale) {
  for (double probability : {0.1, 0.5, 0.03}) {
    const Dropout dropout(DropoutKey(1, 2, 3), 4, probability);
    ASSERT_TRUE(dropout.active());
    const double exact = dropout.threshold / 65536.0;
    EXPECT_NEAR(exact, probability, 1e-5);
    EXPECT_DOUBLE_EQ(dropout.scale, 1 / (1 - exact));
    int64_t dropped = 0;
    for (uint32_t row = 0; row < 4; ++row) {
      for (uint32_t position = 0; position < 50; ++position) {
        for (uint32_t column = 0; column < 384; ++column) {
          const double multiplier = dropout.multiplier(row, position, column);
          ASSERT_TRUE(multiplier == 0 || multiplier == dropout.scale);
          dropped += multiplier == 0;
        }
      }
    }
    expect_rate(dropped, 4 * 50 * 384, exact);
  }
  EXPECT_FALSE(Dropout(DropoutKey(1, 2, 3), 4, 0).active());
  EXPECT_FALSE(Dropout().active());
}

using Place = std::function<double(const Dropout&, uint32_t)>;  // the multiplier of the i-th element along some axis

// The two masks agree as often as independent ones do: neither equal nor each other's opposite.
void expect_independent(const Dropout& a, const Place& place_a, const Dropout& b, const Place& place_b,
                        const char* what) {
  SCOPED_TRACE(what);
  constexpr int64_t kCount = 20000;
  int64_t equal = 0;
  for (uint32_t i = 0; i < kCount; ++i) equal += place_a(a, i) == place_b(b, i);
  expect_rate(equal, kCount, (1 - kProbability) * (1 - kProbability) + kProbability * kProbability);
}

TEST(Dropout, EveryCoordinateDrawsAnotherMask) {
  const Dropout base(DropoutKey(1, 2, 3), 4, kProbability);
  const Place columns = [](const Dropout& d, uint32_t i) { return d.multiplier(3, 5, i); };
  const Place rows = [](const Dropout& d, uint32_t i) { return d.multiplier(i, 5, 7); };
  expect_independent(base, columns, Dropout(DropoutKey(2, 2, 3), 4, kProbability), columns, "seed");
  expect_independent(base, columns, Dropout(DropoutKey(1, 3, 3), 4, kProbability), columns, "step");
  expect_independent(base, columns, Dropout(DropoutKey(1, 2, 4), 4, kProbability), columns, "accumulation");
  expect_independent(base, columns, Dropout(DropoutKey(1, 2, 3), 5, kProbability), columns, "site");
  expect_independent(base, columns, base, [](const Dropout& d, uint32_t i) { return d.multiplier(4, 5, i); }, "row");
  expect_independent(
      base, columns, base, [](const Dropout& d, uint32_t i) { return d.multiplier(3, 6, i); }, "position");
  expect_independent(
      base, columns, base, [](const Dropout& d, uint32_t i) { return d.multiplier(3, 5, i, 1); }, "head");
  expect_independent(base, rows, base, [](const Dropout& d, uint32_t i) { return d.multiplier(i, 5, 8); }, "column");
  for (uint32_t apart : {1, 15, 16, 112, 128}) {  // the neighbours that share a counter or a register
    expect_independent(
        base, columns, base, [&](const Dropout& d, uint32_t i) { return d.multiplier(3, 5, i + apart); },
        "columns apart");
  }
}

TEST(Dropout, ReplaysAndCountsRowsFromTheFirstOfTheBatch) {
  const Dropout whole(DropoutKey(1, 2, 3), 4, kProbability), again(DropoutKey(1, 2, 3), 4, kProbability);
  const Dropout chunk(DropoutKey(1, 2, 3, 10), 4, kProbability);
  for (uint32_t i = 0; i < 500; ++i) {
    EXPECT_EQ(whole.multiplier(12, 5, i), again.multiplier(12, 5, i));
    EXPECT_EQ(whole.multiplier(12, 5, i), chunk.multiplier(2, 5, i));
  }
}

TEST(Kernels, DropoutMaskOfNormsEqualsTheReference) {
  const PackedBatch batch = batch_of({1, 17, 40});
  const Input input(batch, at::kCPU);
  for (at::ScalarType type : {at::kFloat, at::kDouble}) {
    for (int64_t width : {1, 7, 12, 32, 100, 127, 128, 129, 384}) {
      SCOPED_TRACE(width);
      const Dropout dropout(DropoutKey(~uint64_t{0}, 1, 0, 1000), 65535, kProbability);
      const at::Tensor zeros_D = at::zeros({width}, type), ones_D = at::ones({width}, type);
      const at::Tensor expected = dropout_multiplier_TD(dropout, input, width, type);

      at::Tensor sum = at::ones({input.tokens(), width}, type), out = at::zeros_like(sum);
      residual_norm(input, dropout, {ones_D, zeros_D, 1e-5}, zeros_D, at::zeros_like(sum), sum, out, {}, {});
      EXPECT_TRUE(same_bits(sum, expected));  // 0 + dropout(1 + 0)

      const EmbeddingTables tables{at::zeros({11, width}, type), at::zeros({40, width}, type),
                                   at::zeros({1, width}, type)};
      embedding_norm(input, dropout, tables, {zeros_D, ones_D, 1e-5}, sum, out, {}, {});
      EXPECT_TRUE(same_bits(out, expected));  // dropout(0 * gamma + 1)
    }
  }
}

// ------------------------------------------------------------------------------------------------------------ AdamW

struct AdamWState {
  Parameters parameters;
  std::unique_ptr<Gradients> gradients;
  std::unique_ptr<AdamW> adamw;
  int64_t decay_count, no_decay_count;

  AdamWState(at::ScalarType type, const AdamWOptions& options, int64_t decay, int64_t no_decay)
      : decay_count(decay), no_decay_count(no_decay) {
    if (decay > 0) parameters.layout.add("w", {decay}, Group::kDecay);
    parameters.layout.add("b", {no_decay}, Group::kNoDecay);
    parameters.layout.add("frozen", {5}, Group::kFrozen);
    parameters.allocate(at::kCPU, type);
    gradients = std::make_unique<Gradients>(parameters.layout, parameters.flat());
    adamw = std::make_unique<AdamW>(parameters.layout, parameters.flat(), options);
    parameters.flat().copy_(random_tensor({parameters.layout.size()}, type, 1));
  }
};

TEST(Kernels, AdamW) {
  const AdamWOptions options{0.9, 0.999, 1e-8, 0.01};
  for (at::ScalarType type : {at::kFloat, at::kDouble}) {
    for (int64_t count : {int64_t{1}, int64_t{7}, int64_t{33}, int64_t{70001}}) {
      SCOPED_TRACE(std::string(c10::toString(type)) + " " + std::to_string(count));
      AdamWState s(type, options, count, 3);
      const int64_t decay = s.parameters.layout.decay_end(), trained = s.parameters.layout.trained_end();
      at::Tensor value = s.parameters.flat().clone(), m = at::zeros({trained}, type), v = at::zeros({trained}, type);
      for (int64_t step = 1; step <= 3; ++step) {
        const at::Tensor grad = random_tensor({trained}, type, 10 + step, 0.1);
        s.gradients->flat().copy_(grad);
        s.adamw->update(s.parameters, *s.gradients, step, 1e-2, 2e-2, 0.5);
        const auto expected = [&](int64_t begin, int64_t end, double lr, double weight_decay) {
          AdamWOptions part = options;
          part.weight_decay = weight_decay;
          const auto cut = [&](const at::Tensor& x) { return x.narrow(0, begin, end - begin); };
          reference::adamw(part, step, lr, 0.5, cut(value), cut(grad), cut(m), cut(v));
        };
        expected(0, decay, 1e-2, options.weight_decay);
        expected(decay, trained, 2e-2, 0);
        const double close = type == at::kDouble ? 1e-14 : 5e-7;
        expect_close(s.parameters.flat(), value, close, "value");
        expect_close(s.adamw->exp_avg(), m, close, "exp_avg");
        expect_close(s.adamw->exp_avg_sq(), v, close, "exp_avg_sq");
        EXPECT_EQ(s.gradients->flat().abs().max().item<double>(), 0);
        EXPECT_EQ(grad.abs().max().item<double>(), 0);
      }
    }
  }
}

// Three steps of torch.optim.AdamW written out for one number.
TEST(Kernels, AdamWByHand) {
  constexpr double kLr = 0.1, kBeta1 = 0.8, kBeta2 = 0.95, kEpsilon = 1e-3, kDecay = 0.05, kFactor = 0.25;
  AdamWState s(at::kDouble, {kBeta1, kBeta2, kEpsilon, kDecay}, 1, 1);
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
    s.adamw->update(s.parameters, *s.gradients, step, kLr, 2 * kLr, kFactor);
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
  AdamWState s(at::kFloat, {0.9, 0.999, 1e-8, 0.5}, 20, 4);
  const at::Tensor before = s.parameters.flat().clone();
  s.adamw->update(s.parameters, *s.gradients, 1, 0.1, 0.1, 1);
  const int64_t decay = s.parameters.layout.decay_end();
  expect_close(s.parameters.flat().slice(0, 0, decay), before.slice(0, 0, decay) * 0.95, 1e-7, "decayed");
  EXPECT_TRUE(same_bits(s.parameters.flat().slice(0, decay), before.slice(0, decay)));
}

}  // namespace

}  // namespace st::test
