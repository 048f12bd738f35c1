#include "losses/language_model.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/layer_norm.h>
#include <ATen/ops/linear.h>

#include "core/error.h"

namespace st {

LanguageModelSizes::LanguageModelSizes(const Config& config)
    : TransformerSizes(config),
      padding_token(config.integer("pad_token_id", 0)),
      initializer_range(config.number("initializer_range", 0.02)),
      activation(parse_activation(config.string("hidden_act", "gelu"), "hidden_act in config.json")) {
  check(initializer_range >= 0 && initializer_range <= 1e6, "ERR_INVALID_MODEL",
        "Expected 0 to 1e6 for initializer_range in config.json but found ", initializer_range);
  const std::string type = config.string("model_type", "bert");
  check(type == "bert", "ERR_NOT_IMPLEMENTED", "Losses with a language model have one for model_type bert, not for ",
        type);
}

void OwnNetwork::add(const std::string& name, std::vector<int64_t> shape) {
  const bool bare = name.size() > 4 && name.compare(name.size() - 4, 4, "bias") == 0;
  const bool norm = name.find("LayerNorm") != std::string::npos;
  parameters_.emplace_back(name, layout_.add(name, std::move(shape), bare || norm ? Group::kNoDecay : Group::kDecay));
}

void OwnNetwork::add_linear(const std::string& name, int64_t in, int64_t out) {
  add(name + ".weight", {out, in});
  add(name + ".bias", {out});
}

void OwnNetwork::add_norm(const std::string& name, int64_t width) {
  add(name + ".weight", {width});
  add(name + ".bias", {width});
}

void OwnNetwork::initialize(Parameters& parameters, uint64_t seed) const {
  at::Generator generator = at::detail::createCPUGenerator(seed);
  for (const auto& [name, id] : parameters_) {
    const at::Tensor& value = parameters.master(id);
    if (value.dim() > 1) {
      at::Tensor(value).normal_(0, range_, generator);
    } else {
      at::Tensor(value).fill_(name.find("LayerNorm.weight") != std::string::npos ? 1 : 0);
    }
  }
}

at::Tensor OwnNetwork::value(const LossInput& input, const std::string& name) const {
  for (const auto& [own, id] : parameters_) {
    if (own == name) return input.parameters[id];
  }
  const std::string tied = "0." + (name.rfind("bert.", 0) == 0 ? name.substr(5) : name);
  const auto found = input.encoder.find(tied);
  check(found != input.encoder.end(), "ERR_INVALID_MODEL", "The encoder has no tensor ", tied,
        ", which the loss would share with it");
  return found->second;
}

at::Tensor OwnNetwork::linear(const LossInput& input, const std::string& name, const at::Tensor& x) const {
  return at::linear(x, value(input, name + ".weight"), value(input, name + ".bias"));
}

at::Tensor OwnNetwork::norm(const LossInput& input, const std::string& name, const at::Tensor& x,
                            double epsilon) const {
  return at::layer_norm(x, {x.size(-1)}, value(input, name + ".weight"), value(input, name + ".bias"), epsilon);
}

LanguageModelHead::LanguageModelHead(OwnNetwork& network, const LanguageModelSizes& sizes, bool tied)
    : sizes_(sizes), last_layer_(tied ? "bert.embeddings.word_embeddings.weight" : "cls.predictions.decoder.weight") {
  network.add_linear("cls.predictions.transform.dense", sizes.width, sizes.width);
  network.add_norm("cls.predictions.transform.LayerNorm", sizes.width);
  if (!tied) network.add(last_layer_, {sizes.vocabulary, sizes.width});
  network.add("cls.predictions.bias", {sizes.vocabulary});
}

at::Tensor LanguageModelHead::logits(const OwnNetwork& network, const LossInput& input, const at::Tensor& x_TD) const {
  at::Tensor y_TD = activate(sizes_.activation, network.linear(input, "cls.predictions.transform.dense", x_TD));
  y_TD = network.norm(input, "cls.predictions.transform.LayerNorm", y_TD, sizes_.epsilon);
  return at::linear(y_TD, network.value(input, last_layer_), network.value(input, "cls.predictions.bias"));
}

LossDropout::LossDropout(const LossInput& input)
    : active_(input.training), generator_(at::detail::createCPUGenerator(input.draw)) {}

at::Tensor LossDropout::mask(at::IntArrayRef shape, double probability, const at::Tensor& like) {
  if (!active_ || probability == 0) return {};
  // Drawn on the host: a device's generator would draw others.
  const at::TensorOptions here = like.options().requires_grad(false).device(at::kCPU);
  return (at::empty(shape, here).bernoulli_(1 - probability, generator_) / (1 - probability)).to(like.device());
}

at::Tensor LossDropout::operator()(const at::Tensor& x, double probability) {
  const at::Tensor factors = mask(x.sizes(), probability, x);
  return factors.defined() ? x * factors : x;
}

}  // namespace st
