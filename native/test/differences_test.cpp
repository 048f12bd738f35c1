// Every op against central differences in float64, with dropout replayed from its key.
#include <ATen/ops/zeros.h>

#include "core/workspace.h"
#include "ops/activation.h"
#include "ops/embedding_norm.h"
#include "ops/linear.h"
#include "ops/pooling.h"
#include "ops/residual_norm.h"
#include "ops/similarity.h"
#include "support.h"

namespace st::test {

namespace {

constexpr double kEpsilon = 1e-5;

at::Tensor doubles(at::IntArrayRef shape, uint64_t seed) {
  return random_tensor(shape, at::kDouble, seed);
}
at::Tensor no_doubles(at::IntArrayRef shape) {
  return at::zeros(shape, at::kDouble);
}

const Dropout kDropout(DropoutKey(1, 2, 3, 4), 5, 0.2);

// -------------------------------------------------------------------------------------------------------------- ops

void check_residual_norm(const Dropout& dropout, int64_t width, NormKind kind, bool bare) {
  const PackedBatch batch = batch_of({1, 4, 2});
  const Input input(batch, at::kCPU);
  const DropoutMask mask = mask_for(dropout, 7, width);
  const auto unless_bare = [&](const at::Tensor& x) { return bare ? at::Tensor() : x; };
  const NormWeights weights{doubles({width}, 1), unless_bare(doubles({width}, 2)), kEpsilon, kind};
  const at::Tensor bias = unless_bare(doubles({width}, 3)), residual = doubles({7, width}, 4),
                   x = doubles({7, width}, 5), w = doubles({7, width}, 6), v = doubles({7, width}, 7);
  at::Tensor sum, out = no_doubles({7, width}), mean = no_doubles({7}), rstd = no_doubles({7});
  // In pre-norm models the sum is read, too.
  const auto value = [&] {
    sum = x.clone();
    residual_norm(input, mask, weights, bias, residual, sum, out, mean, rstd);
    return (bare ? out * w + sum * v : out * w).sum().item<double>();
  };
  value();
  at::Tensor d_residual = no_doubles({7, width}), d_x = no_doubles({7, width}), d_gamma = no_doubles({width}),
             d_beta = unless_bare(no_doubles({width})), d_bias = unless_bare(no_doubles({width}));
  residual_norm_backward(input, mask, weights, w, bare ? v : at::Tensor(), sum, mean, rstd, d_residual, d_x, d_gamma,
                         d_beta, d_bias);
  expect_gradient(value, x, d_x, "x");
  expect_gradient(value, residual, d_residual, "residual");
  expect_gradient(value, weights.gamma_D, d_gamma, "gamma");
  if (bare) return;
  expect_gradient(value, weights.beta_D, d_beta, "beta");
  expect_gradient(value, bias, d_bias, "bias");
}

TEST(Differences, ResidualNorm) {
  for (const Dropout& dropout : {Dropout(), kDropout}) {
    for (int64_t width : {3, 17}) {
      for (const NormKind kind : {NormKind::kLayer, NormKind::kRms}) {
        for (const bool bare : {false, true}) check_residual_norm(dropout, width, kind, bare);
      }
    }
  }
}

// `bare`: word embeddings alone, without a norm.
void check_embedding_norm(const Dropout& dropout, int64_t types, NormKind kind, bool bare) {
  const PackedBatch batch = batch_of({1, 4, 2}, 5, types);
  const Input input(batch, at::kCPU);
  constexpr int64_t kWidth = 9;
  const DropoutMask mask = mask_for(dropout, 7, kWidth);
  const auto unless_bare = [&](const at::Tensor& x) { return bare ? at::Tensor() : x; };
  const NormWeights weights{unless_bare(doubles({kWidth}, 1)), unless_bare(doubles({kWidth}, 2)), kEpsilon, kind};
  const EmbeddingTables tables{doubles({5, kWidth}, 3), unless_bare(doubles({8, kWidth}, 4)),
                               unless_bare(doubles({2, kWidth}, 5))};
  const EmbeddingPlaces places{positions_after_padding(input, 3), 1.5};
  const at::Tensor w = doubles({7, kWidth}, 6);
  at::Tensor sum = no_doubles({7, kWidth}), out = no_doubles({7, kWidth}), mean = no_doubles({7}),
             rstd = no_doubles({7});
  const auto value = [&] {
    embedding_norm(input, mask, tables, places, weights, sum, out, mean, rstd);
    return (out * w).sum().item<double>();
  };
  value();
  const EmbeddingTables d_tables{no_doubles({5, kWidth}), unless_bare(no_doubles({8, kWidth})),
                                 unless_bare(no_doubles({2, kWidth}))};
  at::Tensor d_gamma = unless_bare(no_doubles({kWidth})), d_beta = unless_bare(no_doubles({kWidth}));
  embedding_norm_backward(input, mask, places, weights, w, sum.clone(), mean, rstd, d_tables, d_gamma, d_beta);
  expect_gradient(value, tables.word_VD, d_tables.word_VD, "word");
  if (bare) return;
  expect_gradient(value, tables.position_PD, d_tables.position_PD, "position");
  expect_gradient(value, tables.type_KD, d_tables.type_KD, "type");
  expect_gradient(value, weights.gamma_D, d_gamma, "gamma");
  expect_gradient(value, weights.beta_D, d_beta, "beta");
}

TEST(Differences, EmbeddingNorm) {
  for (const Dropout& dropout : {Dropout(), kDropout}) {
    for (int64_t types : {0, 2}) {
      check_embedding_norm(dropout, types, NormKind::kLayer, false);
      check_embedding_norm(dropout, types, NormKind::kRms, false);
      check_embedding_norm(dropout, types, NormKind::kLayer, true);
    }
  }
}

TEST(Embeddings, PositionsAfterPaddingCountTokensThatAreNotPadding) {
  PackedBatch batch = batch_of({5, 1, 3}, 9);
  batch.ids = {4, 1, 5, 1, 6, 1, 7, 8, 2};
  const Input input(batch, at::kCPU);
  const at::Tensor found = positions_after_padding(input, 1);
  const std::vector<int32_t> expected = {2, 1, 3, 1, 4, 1, 2, 3, 4};
  EXPECT_EQ(std::vector<int32_t>(found.data_ptr<int32_t>(), found.data_ptr<int32_t>() + 9), expected);
}

const std::vector<Activation> kFeedForward = {Activation::kGelu, Activation::kGeluTanh, Activation::kRelu,
                                              Activation::kSilu};

TEST(Differences, FeedForwardActivations) {
  for (Activation activation : kFeedForward) {
    const std::string what = "activation " + std::to_string(static_cast<int>(activation));
    const at::Tensor x = doubles({4, 9}, 1) * 3, w = doubles({4, 9}, 2);
    at::Tensor out = no_doubles({4, 9}), slope = no_doubles({4, 9}), d_x = w.clone();
    const auto value = [&] {
      activate_out(activation, x, out, slope);
      return (out * w).sum().item<double>();
    };
    value();
    expect_close(out, activate(activation, x), 1e-15, what);
    activate_backward_out(d_x, slope, d_x);  // in place, as the layers use it
    expect_gradient(value, x, d_x, what);
  }
  at::Tensor x = doubles({2}, 1);
  expect_error("ERR_NOT_IMPLEMENTED", "hidden_act", [&] { activate_out(Activation::kTanh, x, x); });
  expect_error("ERR_NOT_IMPLEMENTED", "hidden_act", [&] { reference::activate_out(Activation::kSigmoid, x, x, {}); });
}

TEST(Differences, Activations) {
  for (const char* name : {"identity", "gelu", "gelu_new", "gelu_pytorch_tanh", "relu", "tanh", "sigmoid", "silu"}) {
    const Activation activation = parse_activation(name, "a test");
    expect_autograd([&](const std::vector<at::Tensor>& in) { return activate(activation, in[0]); },
                    {doubles({4, 9}, 1) * 3}, name);
  }
  expect_error("ERR_NOT_IMPLEMENTED", "Activation mish of a test is not built",
               [] { parse_activation("mish", "a test"); });
}

TEST(Differences, Linear) {
  const at::Tensor x = doubles({5, 7}, 1), weight = doubles({3, 7}, 2), bias = doubles({3}, 3), w = doubles({5, 3}, 4);
  at::Tensor out = no_doubles({5, 3});
  Workspace workspace(at::kCPU);
  const auto value = [&] {
    linear(x, {weight, nullptr, workspace}, bias, out);
    return (out * w).sum().item<double>();
  };
  at::Tensor d_x = no_doubles({5, 7}), d_weight = no_doubles({3, 7});
  linear_backward_input(w, {weight, nullptr, workspace}, d_x, false);
  linear_backward_weight(w, x, d_weight, workspace);
  expect_gradient(value, x, d_x, "x");
  expect_gradient(value, weight, d_weight, "weight");
  // Added to what is there, and without a bias.
  const at::Tensor once_x = d_x.clone(), once_weight = d_weight.clone();
  linear_backward_input(w, {weight, nullptr, workspace}, d_x, true);
  linear_backward_weight(w, x, d_weight, workspace);
  expect_close(d_x, once_x * 2, 1e-14, "d_x twice");
  expect_close(d_weight, once_weight * 2, 1e-14, "d_weight twice");
  const at::Tensor with_bias = out.clone();
  linear(x, {weight, nullptr, workspace}, bias, with_bias);
  linear(x, {weight, nullptr, workspace}, {}, out);
  expect_close(with_bias - out, bias.expand({5, 3}), 1e-14, "bias");
}

TEST(Differences, LinearOfBf16AddsToMastersInFloat32) {
  const at::Tensor x = random_tensor({40, 7}, at::kBFloat16, 1), d_y = random_tensor({40, 3}, at::kBFloat16, 2);
  at::Tensor d_weight = at::zeros({3, 7}, at::kFloat);
  Workspace workspace(at::kCPU);
  linear_backward_weight(d_y, x, d_weight, workspace);
  expect_close(d_weight, d_y.to(at::kDouble).t().matmul(x.to(at::kDouble)), 8e-3, "d_weight");
}

const std::vector<std::string> kModes = {"cls", "max", "mean", "mean_sqrt_len_tokens", "weightedmean", "lasttoken"};

TEST(Differences, Pooling) {
  PackedBatch batch = batch_of({1, 4, 2, 6});
  for (bool prompts : {false, true}) {
    if (prompts) batch.prompt_lengths = {1, 2, 0, 9};  // row 0 and 3 are all prompt: their last tokens stay
    for (bool include_prompt : {false, true}) {
      const auto pooled = [&](const std::vector<std::string>& modes) {
        expect_autograd([&](const std::vector<at::Tensor>& in) { return pool(in[0], batch, modes, include_prompt); },
                        {doubles({13, 5}, 1)}, modes[0]);
      };
      for (const std::string& mode : kModes) pooled({mode});
      pooled(kModes);
    }
  }
}

// Each mode by its definition, row by row.
TEST(Pooling, Values) {
  PackedBatch batch = batch_of({1, 4, 6});
  batch.prompt_lengths = {3, 1, 2};
  const at::Tensor x = doubles({11, 3}, 1);
  for (bool include_prompt : {false, true}) {
    const at::Tensor all = pool(x, batch, kModes, include_prompt);
    ASSERT_EQ(all.sizes(), (at::IntArrayRef{3, 18}));
    const std::vector<std::pair<int64_t, int64_t>> spans =  // of the tokens that count, and where their row starts
        include_prompt ? std::vector<std::pair<int64_t, int64_t>>{{0, 1}, {1, 5}, {5, 11}}
                       : std::vector<std::pair<int64_t, int64_t>>{{0, 1}, {2, 5}, {7, 11}};
    for (int64_t row = 0; row < 3; ++row) {
      const auto [first, end] = spans[row];
      const at::Tensor tokens = x.slice(0, first, end);
      at::Tensor weighted = no_doubles({3});
      double weights = 0;
      for (int64_t t = first; t < end; ++t) {
        const double weight = static_cast<double>(t - batch.offsets[row] + 1);
        weighted = weighted + x[t] * weight;
        weights += weight;
      }
      const double count = static_cast<double>(end - first);
      const std::vector<at::Tensor> expected = {
          tokens[0],          std::get<0>(tokens.max(0)), tokens.sum(0) / count, tokens.sum(0) / std::sqrt(count),
          weighted / weights, tokens[end - first - 1]};
      for (int64_t mode = 0; mode < 6; ++mode) {
        expect_close(all[row].narrow(0, mode * 3, 3), expected[mode], 1e-14,
                     kModes[mode] + " of row " + std::to_string(row));
      }
    }
  }
  expect_error("ERR_NOT_IMPLEMENTED", "Pooling mode median", [] { check_pooling_modes({"mean", "median"}); });
  expect_error("ERR_INVALID_ARGUMENT", "at least one pooling mode", [] { check_pooling_modes({}); });
}

TEST(Differences, Similarity) {
  const at::Tensor a = doubles({4, 6}, 1), b = doubles({3, 6}, 2), c = doubles({4, 6}, 3);
  expect_autograd([](const std::vector<at::Tensor>& in) { return normalize_rows(in[0]); }, {a}, "normalize_rows");
  expect_autograd([](const std::vector<at::Tensor>& in) { return cosine_matrix(in[0], in[1]); }, {a, b},
                  "cosine_matrix");
  expect_autograd([](const std::vector<at::Tensor>& in) { return cosine_pairs(in[0], in[1]); }, {a, c}, "cosine_pairs");
  EXPECT_TRUE(same_bits(normalize_rows(no_doubles({2, 3})), no_doubles({2, 3})));  // not NaN
}

}  // namespace

}  // namespace st::test
