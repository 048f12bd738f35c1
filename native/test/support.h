#pragma once

#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "core/config.h"
#include "core/error.h"
#include "core/packed.h"
#include "engine/encoder.h"
#include "ops/dropout.h"

namespace st::test {

// Values between -scale and scale, the same on every machine.
at::Tensor random_tensor(at::IntArrayRef shape, at::ScalarType type, uint64_t seed, double scale = 1);

// Rows of these lengths with ids (and, if asked for, token types) that differ from token to token.
PackedBatch batch_of(const std::vector<int>& lengths, int64_t vocabulary = 11, int64_t token_types = 0,
                     int64_t columns = 1);

// With memory for the mask of [tokens, width] where the dropout is active, as Pass::mask_at.
DropoutMask mask_for(const Dropout& dropout, int64_t tokens, int64_t width);

// The key of a pass over a part of a batch: from the second row on, those that the second of three processes has, two
// in each column.
DropoutKey key_of_part();

// |actual - expected| <= tolerance * the largest |expected| in every element. Undefined tensors equal each other.
void expect_close(const at::Tensor& actual, const at::Tensor& expected, double tolerance, const std::string& what);
// The largest difference, relative to the largest entry of `expected`.
double relative_difference(const at::Tensor& actual, const at::Tensor& expected);
bool same_bits(const at::Tensor& a, const at::Tensor& b);

// That `work` throws st::Error with this code and with `text` in its message.
void expect_error(const std::string& code, const std::string& text, const std::function<void()>& work);

// Compares `gradient` with central differences of `value` in every `stride`-th element of `x` (float64, contiguous),
// which is changed and restored in place.
void expect_gradient(const std::function<double()>& value, const at::Tensor& x, const at::Tensor& gradient,
                     const std::string& what, int64_t stride = 1);

// The gradients that autograd finds for (function(inputs) * random weights).sum() against central differences.
void expect_autograd(const std::function<at::Tensor(const std::vector<at::Tensor>&)>& function,
                     const std::vector<at::Tensor>& inputs, const std::string& what);

// A BERT of two layers of width 12 with its modules; `changes` go over its config.
EncoderSpec tiny_bert(const std::vector<Config>& modules, const std::string& dtype = "float32",
                      const Config::Object& changes = {});
Config pooling(const std::vector<std::string>& modes, bool include_prompt = true);
Config dense(double in, double out, const std::string& activation, bool bias = true);
// Over token embeddings.
Config token_dense(double in, double out, bool residual);
Config token_normalize();
Config token_mask(const std::vector<double>& skipped);
Config normalize();

// Config takes no const char*, which would become a boolean.
inline Config text(const std::string& value) {
  return Config(value);
}
Config texts(const std::vector<std::string>& values);

// Parallel regions of this size while it lives.
class Threads {
 public:
  explicit Threads(int count);
  ~Threads();

 private:
  int before_;
};

}  // namespace st::test
