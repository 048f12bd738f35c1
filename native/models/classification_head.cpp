#include "models/classification_head.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/linear.h>

#include "core/error.h"
#include "ops/activation.h"
#include "ops/pooling.h"

namespace st {

namespace {

// The last of all places where dropout acts: the transformer counts its own from 0.
constexpr uint32_t kSite = 65535;

class SequenceClassification : public Head {
 public:
  SequenceClassification(const Config& spec, const std::string& prefix, int64_t token_width, Layout& layout)
      : width_(spec.integer("numLabels")),
        dropout_(spec.number("dropout", 0.1)),
        activation_(parse_activation(spec.string("activation", "tanh"), "a SequenceClassification module")) {
    check(width_ >= 1, "ERR_INVALID_MODEL", "Expected at least 1 for numLabels but found ", width_);
    check(dropout_ >= 0 && dropout_ <= 0.9999, "ERR_INVALID_MODEL",
          "Expected 0 to 0.9999 for the dropout of the classifier but found ", dropout_);
    if (spec.boolean("pooler", true)) {
      pooler_weight_ = layout.add(prefix + "pooler.dense.weight", {token_width, token_width}, Group::kDecay);
      pooler_bias_ = layout.add(prefix + "pooler.dense.bias", {token_width}, Group::kNoDecay);
    }
    weight_ = layout.add(prefix + "classifier.weight", {width_, token_width}, Group::kDecay);
    bias_ = layout.add(prefix + "classifier.bias", {width_}, Group::kNoDecay);
  }

  void forward(HeadState& state) const override {
    const auto& parameters = state.parameters;
    at::Tensor x_RD = pool(state.tokens_TD, state.pass.input, {"cls"}, true);
    if (pooler_weight_ >= 0) {
      x_RD = activate(activation_, at::linear(x_RD, parameters[pooler_weight_], parameters[pooler_bias_]));
    }
    const Dropout dropout = state.pass.dropout_at(kSite, dropout_);
    if (dropout.active()) x_RD = x_RD * dropout_multiplier_RD(dropout, state.pass.input, x_RD.size(1), x_RD.options());
    const at::Tensor bias = state.pass.hold_bias ? parameters[bias_].detach() : parameters[bias_];
    state.sentence_RD = at::linear(x_RD, parameters[weight_], bias);
  }

  int64_t width() const override { return width_; }
  std::vector<ParamId> parameters() const override {
    if (pooler_weight_ < 0) return {weight_, bias_};
    return {pooler_weight_, pooler_bias_, weight_, bias_};
  }

 private:
  int64_t width_;
  double dropout_;
  Activation activation_;
  ParamId pooler_weight_ = -1, pooler_bias_ = -1, weight_, bias_;
};

}  // namespace

std::unique_ptr<Head> make_classification_head(const Config& spec, const std::string& prefix, int64_t token_width,
                                               Layout& layout) {
  return std::make_unique<SequenceClassification>(spec, prefix, token_width, layout);
}

}  // namespace st
