#include "models/own_network.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/ops/layer_norm.h>
#include <ATen/ops/linear.h>

#include <utility>

#include "core/error.h"

namespace st {

void OwnNetwork::add(const std::string& name, std::vector<int64_t> shape, Kind kind) {
  const Group group = kind == Kind::kMatrix ? Group::kDecay : Group::kNoDecay;
  parameters_.push_back({name, kind, layout_.add(prefix_ + name, std::move(shape), group)});
}

void OwnNetwork::add_matrix(const std::string& name, int64_t rows, int64_t columns) {
  add(name, {rows, columns}, Kind::kMatrix);
}

void OwnNetwork::add_bias(const std::string& name, int64_t width) {
  add(name, {width}, Kind::kZeros);
}

void OwnNetwork::add_linear(const std::string& name, int64_t in, int64_t out, bool bias) {
  add_matrix(name + ".weight", out, in);
  if (bias) add_bias(name + ".bias", out);
}

void OwnNetwork::add_norm(const std::string& name, int64_t width, bool bias) {
  add(name + ".weight", {width}, Kind::kOnes);
  if (bias) add_bias(name + ".bias", width);
}

void OwnNetwork::initialize(Parameters& parameters, uint64_t seed) const {
  at::Generator generator = at::detail::createCPUGenerator(seed);
  for (const Parameter& one : parameters_) {
    at::Tensor value = parameters.master(one.id);
    if (one.kind == Kind::kMatrix) {
      draw(initial_, value, generator);
    } else {
      value.fill_(one.kind == Kind::kOnes ? 1 : 0);
    }
  }
}

at::Tensor OwnNetwork::value(const NetworkWeights& weights, const std::string& name) const {
  for (const Parameter& one : parameters_) {
    if (one.name == name) return weights.own[one.id];
  }
  const std::string tied = "0." + (name.rfind(base_, 0) == 0 ? name.substr(base_.size()) : name);
  const auto found = weights.encoder.find(tied);
  check(found != weights.encoder.end(), "ERR_INVALID_MODEL", "The encoder has no tensor ", tied,
        ", which the loss would share with it");
  return found->second;
}

at::Tensor OwnNetwork::linear(const NetworkWeights& weights, const std::string& name, const at::Tensor& x,
                              bool bias) const {
  return at::linear(x, value(weights, name + ".weight"), bias ? value(weights, name + ".bias") : at::Tensor());
}

at::Tensor OwnNetwork::norm(const NetworkWeights& weights, const std::string& name, const at::Tensor& x, double epsilon,
                            bool bias) const {
  const at::Tensor beta = bias ? value(weights, name + ".bias") : at::Tensor();
  return at::layer_norm(x, {x.size(-1)}, value(weights, name + ".weight"), beta, epsilon);
}

}  // namespace st
