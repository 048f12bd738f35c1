#include "models/head.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/layer_norm.h>
#include <ATen/ops/linear.h>

#include <algorithm>

#include "core/error.h"
#include "core/sizes.h"
#include "models/sparse_auto_encoder.h"
#include "onnx/ops.h"
#include "onnx/pooling.h"
#include "ops/activation.h"
#include "ops/dropout.h"
#include "ops/pooling.h"
#include "ops/row_means.h"

namespace st {

namespace {

class Pooling : public Head {
 public:
  Pooling(const Config& spec, int64_t token_width, ParamId table = -1)
      : table_(table),
        modes_(spec.strings("modes")),
        include_prompt_(spec.boolean("includePrompt", true)),
        width_(checked_product("the embedding", {token_width, static_cast<int64_t>(modes_.size())})) {
    check_pooling_modes(modes_);
  }
  void forward(HeadState& state) const override {
    const Input& input = state.pass.input;
    state.sentence_RD = state.tokens_TD.defined() ? pool(state.tokens_TD, input, modes_, include_prompt_, normalize_)
                                                  : row_means(state.parameters[table_], input.batch, normalize_);
  }
  bool add_to(HeadGraph& state) const override {
    if (!include_prompt_) return false;
    state.sentence = onnx::pool_BD(state.graph, state.tokens, modes_);
    if (normalize_) state.sentence = onnx::normalize(state.graph, state.sentence);
    return true;
  }
  int64_t width() const override { return width_; }
  bool reads_table() const override { return table_ >= 0; }
  bool normalize() override { return normalize_ = true; }
  bool takes_fixed() const override { return std::all_of(modes_.begin(), modes_.end(), pools_fixed); }

 private:
  ParamId table_;  // whose rows' mean it is; -1: none
  std::vector<std::string> modes_;
  bool include_prompt_, normalize_ = false;
  int64_t width_;
};

class Normalize : public Head {
 public:
  explicit Normalize(int64_t width) : width_(width) {}
  void forward(HeadState& state) const override { state.sentence_RD = normalized(state.sentence_RD); }
  bool add_to(HeadGraph& state) const override {
    state.sentence = onnx::normalize(state.graph, state.sentence);
    return true;
  }
  int64_t width() const override { return width_; }

 private:
  int64_t width_;
};

class Dense : public Head {
 public:
  Dense(const Config& spec, const std::string& prefix, int64_t width_in, Layout& layout)
      : width_(spec.integer("outFeatures")),
        activation_(parse_activation(spec.string("activation", "tanh"), "a Dense module")) {
    const int64_t in = spec.integer("inFeatures");
    check(in == width_in, "ERR_INVALID_MODEL", "Module ", prefix, "Dense takes ", in, " features but receives ",
          width_in);
    check(width_ >= 1, "ERR_INVALID_MODEL", "Expected at least 1 for the outFeatures of ", prefix, "Dense but found ",
          width_);
    weight_ = layout.add(prefix + "linear.weight", {width_, in}, Group::kDecay);
    if (spec.boolean("bias", true)) bias_ = layout.add(prefix + "linear.bias", {width_}, Group::kNoDecay);
  }
  void forward(HeadState& state) const override {
    const at::Tensor bias = bias_ >= 0 ? state.parameters[bias_] : at::Tensor();
    state.sentence_RD = activate(activation_, at::linear(state.sentence_RD, state.parameters[weight_], bias));
  }
  bool add_to(HeadGraph& state) const override {
    const onnx::Value out = onnx::product(state.graph, state.sentence, weight_, bias_);
    state.sentence = onnx::activate(state.graph, activation_, out);
    return true;
  }
  int64_t width() const override { return width_; }
  std::vector<ParamId> parameters() const override {
    return bias_ >= 0 ? std::vector<ParamId>{weight_, bias_} : std::vector<ParamId>{weight_};
  }

 private:
  int64_t width_;
  Activation activation_;
  ParamId weight_ = -1, bias_ = -1;
};

class LayerNorm : public Head {
 public:
  LayerNorm(const Config& spec, const std::string& prefix, int64_t width_in, Layout& layout)
      : width_(spec.integer("dimension")) {
    check(width_ == width_in, "ERR_INVALID_MODEL", "Module ", prefix, "LayerNorm takes ", width_,
          " features but receives ", width_in);
    weight_ = layout.add(prefix + "norm.weight", {width_}, Group::kNoDecay);
    bias_ = layout.add(prefix + "norm.bias", {width_}, Group::kNoDecay);
  }
  void forward(HeadState& state) const override {
    state.sentence_RD =
        at::layer_norm(state.sentence_RD, {width_}, state.parameters[weight_], state.parameters[bias_], kEpsilon);
  }
  bool add_to(HeadGraph& state) const override {
    const onnx::Value gamma = state.graph.parameter(weight_), beta = state.graph.parameter(bias_);
    state.sentence = onnx::layer_norm(state.graph, state.sentence, gamma, beta, kEpsilon);
    return true;
  }
  int64_t width() const override { return width_; }
  std::vector<ParamId> parameters() const override { return {weight_, bias_}; }

 private:
  static constexpr double kEpsilon = 1e-5;  // of torch.nn.LayerNorm
  int64_t width_;
  ParamId weight_, bias_;
};

// Of the sentence embedding.
class DropoutHead : public Head {
 public:
  DropoutHead(const Config& spec, int64_t index, int64_t width)
      : dropout_(spec.number("dropout", 0.2)), site_(kLastSite - static_cast<uint32_t>(index)), width_(width) {
    check(dropout_ >= 0 && dropout_ <= 0.9999, "ERR_INVALID_MODEL", "Expected 0 to 0.9999 for the dropout of module ",
          index, " but found ", dropout_);
  }
  void forward(HeadState& state) const override {
    const Dropout dropout = state.pass.dropout_at(site_, dropout_);
    if (!dropout.active()) return;
    const at::Tensor& x_RD = state.sentence_RD;
    state.sentence_RD = x_RD * dropout_multiplier_RD(dropout, state.pass.input, width_, x_RD.options());
  }
  bool add_to(HeadGraph&) const override { return true; }
  int64_t width() const override { return width_; }

 private:
  // Sites are counted from 0 in the transformer, and backwards behind it; the last is the classifier's.
  static constexpr uint32_t kLastSite = 65534;
  double dropout_;
  uint32_t site_;
  int64_t width_;
};

// In place of the last layer's token embeddings the mean of several layers', with weights that are trained.
class WeightedLayerPooling : public Head {
 public:
  WeightedLayerPooling(const Config& spec, const std::string& prefix, Layout& layout)
      : start_(spec.integer("layerStart", 4)), count_(spec.integer("numHiddenLayers", 12) + 1 - start_) {
    check(start_ >= 0 && count_ >= 1, "ERR_INVALID_MODEL", "Expected a layer from 0 to ",
          spec.integer("numHiddenLayers", 12), " for layerStart of ", prefix, "WeightedLayerPooling but found ",
          start_);
    weights_ = layout.add(prefix + "layer_weights", {count_}, Group::kDecay);
  }
  bool reads_outputs() const override { return true; }
  void forward(HeadState& state) const override {
    check(static_cast<int64_t>(state.outputs_TD.size()) == start_ + count_, "ERR_INVALID_MODEL",
          "WeightedLayerPooling expects a transformer of ", start_ + count_ - 1, " layers but found ",
          state.outputs_TD.size() - 1);
    const at::Tensor& weights = state.parameters[weights_];
    at::Tensor sum_TD;
    for (int64_t i = 0; i < count_; ++i) {
      const at::Tensor part_TD = state.outputs_TD[static_cast<size_t>(start_ + i)] * weights.select(0, i);
      sum_TD = sum_TD.defined() ? sum_TD + part_TD : part_TD;
    }
    state.tokens_TD = sum_TD / weights.sum();
  }
  bool add_to(HeadGraph& state) const override {
    onnx::Graph& graph = state.graph;
    const onnx::Value weights = graph.parameter(weights_);
    onnx::Value sum;
    for (int64_t i = 0; i < count_; ++i) {
      const onnx::Value weight = graph.add("Gather", {weights, graph.integer(i)});
      const onnx::Value part = onnx::multiply(graph, state.outputs.at(static_cast<size_t>(start_ + i)), weight);
      sum = sum.empty() ? part : onnx::add(graph, sum, part);
    }
    state.tokens = graph.add("Div", {sum, graph.add("ReduceSum", {weights}, {{"keepdims", int64_t{0}}})});
    return true;
  }
  int64_t width() const override { return 0; }
  std::vector<ParamId> parameters() const override { return {weights_}; }

 private:
  int64_t start_, count_;
  ParamId weights_;
};

}  // namespace

at::Tensor adapted_linear(const HeadState& state, const at::Tensor& x_RD, ParamId weight, const at::Tensor& bias) {
  at::Tensor out_RO = at::linear(x_RD, state.parameters[weight], bias);
  const LowRank* low = state.pass.parameters.low_rank(weight);
  if (low == nullptr) return out_RO;
  const LowRank::Part& part = low->parts[0];
  at::Tensor in_RI = x_RD;
  const Dropout dropout = state.pass.dropout_at(part.site, low->dropout);
  if (dropout.active()) {
    in_RI = x_RD * dropout_multiplier_RD(dropout, state.pass.input, x_RD.size(1), x_RD.options());
  }
  return out_RO + at::linear(at::linear(in_RI, state.parameters[low->a]), state.parameters[part.b]) * part.scale;
}

std::unique_ptr<Head> make_mean_pooling(int64_t token_width) {
  return make_table_mean(token_width, -1);
}

std::unique_ptr<Head> make_table_mean(int64_t token_width, ParamId table) {
  const Config::Array modes = {Config(std::string("mean"))};
  return std::make_unique<Pooling>(Config(Config::Object{{"modes", modes}}), token_width, table);
}

std::unique_ptr<Head> make_head(const Config& spec, const std::string& prefix, int64_t token_width, int64_t width_in,
                                Layout& layout) {
  if (auto head = make_token_head(spec, prefix, token_width, layout)) return head;
  const std::string& type = spec.string("type");
  if (type == "Pooling") return std::make_unique<Pooling>(spec, token_width);
  if (type == "WeightedLayerPooling") return std::make_unique<WeightedLayerPooling>(spec, prefix, layout);
  check(width_in > 0, "ERR_INVALID_MODEL", "Module ", type,
        " needs a sentence embedding, so a Pooling module before it");
  if (type == "Normalize") return std::make_unique<Normalize>(width_in);
  if (type == "Dense") return std::make_unique<Dense>(spec, prefix, width_in, layout);
  if (type == "LayerNorm") return std::make_unique<LayerNorm>(spec, prefix, width_in, layout);
  if (type == "Dropout") return std::make_unique<DropoutHead>(spec, std::stoll(prefix), width_in);
  if (type == "SparseAutoEncoder") return make_sparse_auto_encoder(spec, prefix, width_in, layout);
  fail("ERR_NOT_IMPLEMENTED", "Module ", type,
       " is not built: expected WeightedLayerPooling, Pooling, Dense, Normalize, LayerNorm, Dropout, SpladePooling, "
       "SparseAutoEncoder, MultiVectorMask, HierarchicalTokenPooling or SequenceClassification");
}

Initial initial_of_module(const Config& spec, const std::string& name) {
  const std::string type = spec.string("type");
  if (type == "Dense") return linear_initial(spec.integer("inFeatures"));
  if (type == "LayerNorm") return initial_vector(name);
  if (type == "SparseAutoEncoder") return initial_of_auto_encoder(spec, name);
  return {.mean = 1};  // the weights of WeightedLayerPooling
}

}  // namespace st
