#include "models/classification_head.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/index_select.h>
#include <ATen/ops/layer_norm.h>

#include <vector>

#include "core/error.h"
#include "core/model_config.h"
#include "core/upload.h"
#include "onnx/ops.h"
#include "onnx/pooling.h"
#include "ops/activation.h"
#include "ops/pooling.h"

namespace st {

namespace {

// The last of all places where dropout acts: the transformer counts its own from 0.
constexpr uint32_t kSite = 65535, kSiteBefore = 65534;

class SequenceClassification : public Head {
 public:
  SequenceClassification(ClassifierSpec spec, const Config& module, const std::string& prefix, int64_t in,
                         Layout& layout)
      : spec_(std::move(spec)), width_(module.integer("numLabels")) {
    check(width_ >= 1, "ERR_INVALID_MODEL", "Expected at least 1 for numLabels but found ", width_);
    const bool dense = !spec_.dense.empty();
    if (dense) dense_ = layout.add(prefix + spec_.dense + ".weight", {in, in}, Group::kDecay);
    if (dense && spec_.dense_bias) dense_bias_ = layout.add(prefix + spec_.dense + ".bias", {in}, Group::kNoDecay);
    if (!spec_.norm.empty()) {
      norm_ = layout.add(prefix + spec_.norm + ".weight", {in}, Group::kNoDecay);
      if (spec_.norm_bias) norm_bias_ = layout.add(prefix + spec_.norm + ".bias", {in}, Group::kNoDecay);
    }
    weight_ = layout.add(prefix + spec_.last + ".weight", {width_, in}, Group::kDecay);
    if (spec_.last_bias) bias_ = layout.add(prefix + spec_.last + ".bias", {width_}, Group::kNoDecay);
    for (ParamId id : {dense_, weight_}) {
      if (id >= 0) layout.mark_linear(id);
    }
  }

  void forward(HeadState& state) const override {
    const auto value = [&](ParamId id) { return id >= 0 ? state.parameters[id] : at::Tensor(); };
    at::Tensor x_RD = pooled(state);
    x_RD = dropped(state.pass, kSiteBefore, spec_.dropout_before, x_RD);
    if (dense_ >= 0) x_RD = activate(spec_.activation, adapted_linear(state, x_RD, dense_, value(dense_bias_)));
    if (norm_ >= 0) x_RD = at::layer_norm(x_RD, {x_RD.size(1)}, value(norm_), value(norm_bias_), spec_.norm_epsilon);
    x_RD = dropped(state.pass, kSite, spec_.dropout, x_RD);
    at::Tensor bias = value(bias_);
    if (state.pass.hold_bias && bias.defined()) bias = bias.detach();
    state.sentence_RD = adapted_linear(state, x_RD, weight_, bias);
  }

  bool add_to(HeadGraph& state) const override {
    onnx::Graph& graph = state.graph;
    onnx::Value x = pools_last() ? last_token(state) : onnx::pool_BD(graph, state.tokens, {spec_.pooling});
    if (dense_ >= 0) x = onnx::activate(graph, spec_.activation, onnx::product(graph, x, dense_, dense_bias_));
    if (norm_ >= 0) {
      const onnx::Value beta = norm_bias_ >= 0 ? graph.parameter(norm_bias_) : onnx::Value();
      x = onnx::layer_norm(graph, x, graph.parameter(norm_), beta, spec_.norm_epsilon);
    }
    state.sentence = onnx::product(graph, x, weight_, bias_);
    return true;
  }

  int64_t width() const override { return width_; }
  bool takes_fixed() const override { return !pools_last() && pools_fixed(spec_.pooling); }
  std::vector<ParamId> parameters() const override {
    std::vector<ParamId> out;
    for (ParamId id : {dense_, dense_bias_, norm_, norm_bias_, weight_, bias_}) {
      if (id >= 0) out.push_back(id);
    }
    return out;
  }

 private:
  bool pools_last() const { return spec_.pooling == "last"; }

  at::Tensor pooled(const HeadState& state) const {
    const Input& input = state.pass.input;
    if (!pools_last()) return pool(state.tokens_TD, input, {spec_.pooling}, true);
    // As transformers finds it: a row of padding alone has its first token.
    std::vector<int64_t> places;
    const Rows& batch = input.batch;
    for (int64_t row = 0; row < batch.rows(); ++row) {
      const int64_t first = batch.offsets[row];
      int64_t last = batch.offsets[row + 1] - 1;
      while (last > first && batch.ids[last] == spec_.padding) --last;
      places.push_back(last);
    }
    return at::index_select(state.tokens_TD, 0, upload<int64_t>(places, state.tokens_TD.device()));
  }

  onnx::Value last_token(const HeadGraph& state) const {
    onnx::Graph& graph = state.graph;
    const onnx::Value other_BS = graph.add("Not", {graph.add("Equal", {onnx::kIds, graph.integer(spec_.padding)})});
    const onnx::Value keep_BS = graph.add("And", {other_BS, graph.add("Cast", {onnx::kMask}, {{"to", int64_t{9}}})});
    return onnx::token_BD(graph, state.tokens, onnx::last_place_B(graph, keep_BS));
  }

  static at::Tensor dropped(const Pass& pass, uint32_t site, double probability, const at::Tensor& x_RD) {
    const Dropout dropout = pass.dropout_at(site, probability);
    if (!dropout.active()) return x_RD;
    return x_RD * dropout_multiplier_RD(dropout, pass.input, x_RD.size(1), x_RD.options());
  }

  ClassifierSpec spec_;
  int64_t width_;
  ParamId dense_ = -1, dense_bias_ = -1, norm_ = -1, norm_bias_ = -1, weight_ = -1, bias_ = -1;
};

ClassifierSpec named(const std::string& class_name, const std::string& prefix) {
  ClassifierSpec out;
  out.class_name = class_name;
  out.prefix = prefix;
  return out;
}

// classifier_dropout, else the hidden one.
double dropout_of(const Config& given) {
  const ModelConfig config(given);
  return config.probability("classifier_dropout", config.probability("hidden_dropout_prob", 0.1));
}

}  // namespace

ClassifierSpec pooler_classifier(const Config& config, const std::string& class_name, const std::string& prefix) {
  ClassifierSpec out = named(class_name, prefix);
  out.dense = "pooler.dense";
  out.dense_outside = false;
  out.dropout = dropout_of(config);
  out.last = "classifier";
  return out;
}

ClassifierSpec two_layer_classifier(const Config& config, const std::string& class_name, const std::string& prefix,
                                    Activation activation, bool own_dropout) {
  ClassifierSpec out = named(class_name, prefix);
  out.dense = "classifier.dense";
  out.activation = activation;
  out.dropout = own_dropout ? dropout_of(config) : ModelConfig(config).probability("hidden_dropout_prob", 0.1);
  out.dropout_before = out.dropout;
  out.last = "classifier.out_proj";
  return out;
}

ClassifierSpec pre_classifier(const Config& config, const std::string& class_name, const std::string& prefix) {
  ClassifierSpec out = named(class_name, prefix);
  out.dense = "pre_classifier";
  out.activation = Activation::kRelu;
  out.dropout = ModelConfig(config).probability("seq_classif_dropout", 0.2);
  out.last = "classifier";
  return out;
}

ClassifierSpec normed_classifier(const Config& given, const std::string& class_name, const std::string& prefix) {
  const ModelConfig config(given);
  config.only("classifier_pooling", {"cls", "mean"});
  ClassifierSpec out = named(class_name, prefix);
  out.pooling = config.text("classifier_pooling", "cls");
  out.dense = "head.dense";
  out.dense_bias = config.boolean("classifier_bias", false);
  out.activation = parse_activation(config.text("classifier_activation", "gelu"), "classifier_activation");
  out.norm = "head.norm";
  out.norm_epsilon = config.positive("norm_eps", 1e-5, 1);
  out.norm_bias = config.boolean("norm_bias", false);
  out.dropout = config.probability("classifier_dropout", 0);
  out.last = "classifier";
  return out;
}

ClassifierSpec last_token_classifier(const Config& config, const std::string& class_name, const std::string& prefix) {
  ClassifierSpec out = named(class_name, prefix);
  out.pooling = "last";
  out.padding = ModelConfig(config).integer("pad_token_id", -1);
  out.last = "score";
  out.last_bias = false;
  return out;
}

ClassifierNames names_of(const ClassifierSpec& spec) {
  ClassifierNames out{spec.class_name, spec.prefix, {}};
  const bool dense = !spec.dense.empty();
  if (dense) out.tensors.push_back({spec.dense + ".weight", spec.dense_outside});
  if (dense && spec.dense_bias) out.tensors.push_back({spec.dense + ".bias", spec.dense_outside});
  if (!spec.norm.empty()) {
    out.tensors.push_back({spec.norm + ".weight", true});
    if (spec.norm_bias) out.tensors.push_back({spec.norm + ".bias", true});
  }
  out.tensors.push_back({spec.last + ".weight", true});
  if (spec.last_bias) out.tensors.push_back({spec.last + ".bias", true});
  return out;
}

std::unique_ptr<Head> make_classification_head(const ClassifierSpec& spec, const Config& module,
                                               const std::string& prefix, int64_t token_width, Layout& layout) {
  return std::make_unique<SequenceClassification>(spec, module, prefix, token_width, layout);
}

}  // namespace st
