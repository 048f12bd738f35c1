#pragma once

#include <string>
#include <vector>

#include "layers/language_model.h"

namespace st {

// Linear layers and norms of a network that a loss trains, by the names of a transformers checkpoint: weights that the
// encoder has too may be its own ("tied").
class OwnNetwork {
 public:
  // Matrices are normal within `deviation` at first. `base`: what the names of the encoder's tensors begin with.
  OwnNetwork(Layout& layout, std::string prefix, double deviation, std::string base)
      : layout_(layout), prefix_(std::move(prefix)), deviation_(deviation), base_(std::move(base)) {}

  void add_matrix(const std::string& name, int64_t rows, int64_t columns);
  void add_bias(const std::string& name, int64_t width);
  // `<name>.weight`, `<name>.bias`
  void add_linear(const std::string& name, int64_t in, int64_t out);
  void add_norm(const std::string& name, int64_t width);
  // As transformers' _init_weights: zeros for biases, ones for the weights of norms.
  void initialize(Parameters& parameters, uint64_t seed) const;

  at::Tensor linear(const NetworkWeights& weights, const std::string& name, const at::Tensor& x) const;
  at::Tensor norm(const NetworkWeights& weights, const std::string& name, const at::Tensor& x, double epsilon) const;
  // A parameter of its own, or else the encoder's tensor that it is tied to.
  at::Tensor value(const NetworkWeights& weights, const std::string& name) const;

 private:
  enum class Kind { kMatrix, kOnes, kZeros };
  struct Parameter {
    std::string name;
    Kind kind;
    ParamId id;
  };
  void add(const std::string& name, std::vector<int64_t> shape, Kind kind);

  Layout& layout_;
  std::string prefix_;
  double deviation_;
  std::string base_;
  std::vector<Parameter> parameters_;
};

}  // namespace st
