#include "support.h"

#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/abs.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/isfinite.h>
#include <ATen/ops/max.h>
#include <ATen/ops/zeros.h>
#include <torch/csrc/autograd/autograd.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <random>

namespace st::test {

at::Tensor random_tensor(at::IntArrayRef shape, at::ScalarType type, uint64_t seed, double scale) {
  std::mt19937_64 generator(seed);
  at::Tensor out = at::empty(shape, at::kDouble);
  double* to = out.data_ptr<double>();
  for (int64_t i = 0; i < out.numel(); ++i) {
    to[i] = scale * (static_cast<double>(generator() >> 11) * 0x1p-52 - 1);
  }
  return out.to(type);
}

DropoutMask mask_for(const Dropout& dropout, int64_t tokens, int64_t width) {
  return {dropout, dropout.active() ? at::zeros({tokens, mask_words(width)}, at::kShort) : at::Tensor()};
}

PackedBatch batch_of(const std::vector<int>& lengths, int64_t vocabulary, int64_t token_types, int64_t columns) {
  PackedBatch batch;
  batch.columns = columns;
  batch.offsets.push_back(0);
  for (int length : lengths) {
    for (int i = 0; i < length; ++i) {
      const int64_t t = batch.tokens();
      batch.ids.push_back(static_cast<int32_t>((t * 7 + t / 5 + 3) % vocabulary));
      if (token_types > 0) batch.token_types.push_back(static_cast<int32_t>(t / 2 % token_types));
    }
    batch.offsets.push_back(static_cast<int32_t>(batch.tokens()));
  }
  return batch;
}

double relative_difference(const at::Tensor& actual, const at::Tensor& expected) {
  const at::Tensor a = actual.to(at::kDouble), e = expected.to(at::kDouble);
  const double largest = e.abs().max().item<double>();
  return (a - e).abs().max().item<double>() / (largest > 0 ? largest : 1);
}

bool same_bits(const at::Tensor& a, const at::Tensor& b) {
  return at::equal(a, b);
}

void expect_close(const at::Tensor& actual, const at::Tensor& expected, double tolerance, const std::string& what) {
  ASSERT_EQ(actual.defined(), expected.defined()) << what;
  if (!expected.defined()) return;
  ASSERT_EQ(actual.sizes(), expected.sizes()) << what;
  ASSERT_TRUE(at::isfinite(actual).all().item<bool>()) << what << " holds a value that is not finite";
  EXPECT_LE(relative_difference(actual, expected), tolerance) << what;
}

void expect_error(const std::string& code, const std::string& text, const std::function<void()>& work) {
  try {
    work();
    ADD_FAILURE() << "expected " << code << " (" << text << ") but nothing was thrown";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), code) << error.what();
    EXPECT_NE(std::string(error.what()).find(text), std::string::npos) << error.what() << "\nlacks: " << text;
  }
}

void expect_gradient(const std::function<double()>& value, const at::Tensor& x, const at::Tensor& gradient,
                     const std::string& what, int64_t stride) {
  constexpr double kStep = 1e-6;
  const Threads one(1);  // thousands of passes too small to be split
  ASSERT_TRUE(x.scalar_type() == at::kDouble && x.is_contiguous()) << what;
  ASSERT_EQ(x.sizes(), gradient.sizes()) << what;
  const at::Tensor flat = gradient.contiguous().view({-1});
  const double largest = flat.numel() > 0 ? flat.abs().max().item<double>() : 0;
  double* at = x.data_ptr<double>();
  const double* found = flat.data_ptr<double>();
  for (int64_t i = 0; i < x.numel(); i += stride) {
    const double before = at[i];
    at[i] = before + kStep;
    const double above = value();
    at[i] = before - kStep;
    const double below = value();
    at[i] = before;
    const double expected = (above - below) / (2 * kStep);
    // A difference of two values of size v has an error of about v * 1e-16 / kStep.
    const double tolerance = 1e-6 * std::max(largest, std::abs(expected)) + 1e-9 * std::max(1.0, std::abs(above));
    ASSERT_NEAR(found[i], expected, tolerance) << what << ", element " << i << " of " << x.numel();
  }
}

void expect_autograd(const std::function<at::Tensor(const std::vector<at::Tensor>&)>& function,
                     const std::vector<at::Tensor>& inputs, const std::string& what) {
  at::Tensor weights;
  std::vector<at::Tensor> gradients;
  {
    const at::AutoGradMode with_grad(true);
    std::vector<at::Tensor> leaves;
    for (const at::Tensor& input : inputs) leaves.push_back(input.detach().requires_grad_(true));
    const at::Tensor out = function(leaves);
    weights = random_tensor(out.sizes(), at::kDouble, 99);
    gradients = torch::autograd::grad({(out * weights).sum()}, leaves);
  }
  const at::NoGradGuard no_grad;
  for (size_t i = 0; i < inputs.size(); ++i) {
    expect_gradient([&] { return (function(inputs) * weights).sum().item<double>(); }, inputs[i], gradients[i],
                    what + ", input " + std::to_string(i));
  }
}

DropoutKey key_of_part() {
  DropoutKey out(5, 6, 7, 3);
  out.rows = {.before = 1, .column = 2, .skipped = 2, .others = 4};
  return out;
}

EncoderSpec tiny_bert(const std::vector<Config>& modules, const std::string& dtype, const Config::Object& changes) {
  Config::Object config{{"hidden_size", 12.0},
                        {"num_hidden_layers", 2.0},
                        {"num_attention_heads", 3.0},
                        {"intermediate_size", 20.0},
                        {"vocab_size", 11.0},
                        {"pad_token_id", Config()},  // none: every embedding has a gradient
                        {"type_vocab_size", 2.0},
                        {"max_position_embeddings", 40.0},
                        {"hidden_act", text("gelu")},
                        {"hidden_dropout_prob", 0.1},
                        {"attention_probs_dropout_prob", 0.1}};
  for (const auto& [key, value] : changes) config[key] = value;
  EncoderSpec spec;
  spec.architecture = "bert";
  spec.config = config;
  spec.modules = modules;
  spec.dtype = dtype;
  if (const char* device = std::getenv("SENTENCE_TORCH_DEVICE")) spec.device = device;
  return spec;
}

Config pooling(const std::vector<std::string>& modes, bool include_prompt) {
  return Config::Object{{"type", text("Pooling")}, {"modes", texts(modes)}, {"includePrompt", include_prompt}};
}

Config dense(double in, double out, const std::string& activation, bool bias) {
  return Config::Object{{"type", text("Dense")},
                        {"inFeatures", in},
                        {"outFeatures", out},
                        {"bias", bias},
                        {"activation", text(activation)}};
}

Config token_dense(double in, double out, bool residual) {
  return Config::Object{{"type", text("Dense")},  {"input", text("token_embeddings")}, {"inFeatures", in},
                        {"outFeatures", out},     {"activation", text("tanh")},        {"bias", residual},
                        {"useResidual", residual}};
}
Config token_normalize() {
  return Config::Object{{"type", text("Normalize")}, {"input", text("token_embeddings")}};
}
Config token_mask(const std::vector<double>& skipped) {
  return Config::Object{{"type", text("MultiVectorMask")},
                        {"skipIds", Config::Array(skipped.begin(), skipped.end())},
                        {"skipsDocuments", true}};
}

Config normalize() {
  return Config::Object{{"type", text("Normalize")}};
}

Config texts(const std::vector<std::string>& values) {
  Config::Array out;
  for (const std::string& value : values) out.push_back(text(value));
  return out;
}

Threads::Threads(int count) : before_(at::get_num_threads()) {
  at::set_num_threads(count);
}
Threads::~Threads() {
  at::set_num_threads(before_);
}

}  // namespace st::test
