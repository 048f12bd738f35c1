#include "models/head.h"

#include <ATen/ops/linear.h>

#include <algorithm>

#include "core/error.h"
#include "core/sizes.h"
#include "ops/activation.h"
#include "ops/pooling.h"

namespace st {

namespace {

class Pooling : public Head {
 public:
  Pooling(const Config& spec, int64_t token_width)
      : modes_(spec.strings("modes")),
        include_prompt_(spec.boolean("includePrompt", true)),
        width_(checked_product("the embedding", {token_width, static_cast<int64_t>(modes_.size())})) {
    check_pooling_modes(modes_);
  }
  void forward(HeadState& state) const override {
    state.sentence_RD = pool(state.tokens_TD, state.pass.input, modes_, include_prompt_, normalize_);
  }
  int64_t width() const override { return width_; }
  bool normalize() override { return normalize_ = true; }
  bool takes_fixed() const override { return std::all_of(modes_.begin(), modes_.end(), pools_fixed); }

 private:
  std::vector<std::string> modes_;
  bool include_prompt_, normalize_ = false;
  int64_t width_;
};

class Normalize : public Head {
 public:
  explicit Normalize(int64_t width) : width_(width) {}
  void forward(HeadState& state) const override { state.sentence_RD = normalized(state.sentence_RD); }
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
  int64_t width() const override { return width_; }
  std::vector<ParamId> parameters() const override {
    return bias_ >= 0 ? std::vector<ParamId>{weight_, bias_} : std::vector<ParamId>{weight_};
  }

 private:
  int64_t width_;
  Activation activation_;
  ParamId weight_ = -1, bias_ = -1;
};

}  // namespace

std::unique_ptr<Head> make_head(const Config& spec, const std::string& prefix, int64_t token_width, int64_t width_in,
                                Layout& layout) {
  const std::string& type = spec.string("type");
  if (type == "Pooling") return std::make_unique<Pooling>(spec, token_width);
  check(width_in > 0, "ERR_INVALID_MODEL", "Module ", type,
        " needs a sentence embedding, so a Pooling module before it");
  if (type == "Normalize") return std::make_unique<Normalize>(width_in);
  if (type == "Dense") return std::make_unique<Dense>(spec, prefix, width_in, layout);
  fail("ERR_NOT_IMPLEMENTED", "Module ", type,
       " is not built: expected Pooling, Dense, Normalize or SequenceClassification");
}

}  // namespace st
