#pragma once

#include <string>
#include <vector>

#include "layers/language_model.h"
#include "models/initial.h"

namespace st {

// Linear layers and norms of a network that a loss trains, by the names of a transformers checkpoint: weights that the
// encoder has too may be its own ("tied").
class OwnNetwork {
 public:
  // `base`: what the names of the encoder's tensors begin with. `initial`: of matrices.
  OwnNetwork(Layout& layout, std::string prefix, std::string base, const Initial& initial)
      : layout_(layout), prefix_(std::move(prefix)), base_(std::move(base)), initial_(initial) {}

  void add_matrix(const std::string& name, int64_t rows, int64_t columns);
  void add_bias(const std::string& name, int64_t width);
  // `<name>.weight` and, unless there is none, `<name>.bias`
  void add_linear(const std::string& name, int64_t in, int64_t out, bool bias = true);
  void add_norm(const std::string& name, int64_t width, bool bias = true);
  // As transformers' _init_weights: zeros for biases, ones for the weights of norms.
  void initialize(Parameters& parameters, uint64_t seed) const;

  at::Tensor linear(const NetworkWeights& weights, const std::string& name, const at::Tensor& x,
                    bool bias = true) const;
  at::Tensor norm(const NetworkWeights& weights, const std::string& name, const at::Tensor& x, double epsilon,
                  bool bias = true) const;
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
  std::string prefix_, base_;
  Initial initial_;
  std::vector<Parameter> parameters_;
};

}  // namespace st
