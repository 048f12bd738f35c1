#include <ATen/TensorOperators.h>
#include <ATen/core/Reduction.h>
#include <ATen/ops/kl_div.h>
#include <ATen/ops/log_softmax.h>
#include <ATen/ops/softmax.h>

#include <cmath>

#include "core/error.h"
#include "losses/loss.h"
#include "losses/sample.h"

namespace st {

namespace {

// Applies another loss to the last layer and to some of the layers before it, and draws those layers towards the last
// one (Li et al. 2024).
class AdaptiveLayer : public Loss {
 public:
  AdaptiveLayer(const Config& spec, int64_t width, LossLayout layout)
      : per_step_(spec.integer("nLayersPerStep", 1)),
        last_weight_(spec.number("lastLayerWeight", 1)),
        prior_weight_(spec.number("priorLayersWeight", 1)),
        kl_weight_(spec.number("klDivWeight", 1)),
        temperature_(spec.number("klTemperature", 0.3)),
        weighting_(spec.string("layerWeighting", "uniform")),
        weights_(spec.numbers("layerWeights")) {
    require_options(spec, {"loss", "nLayersPerStep", "lastLayerWeight", "priorLayersWeight", "klDivWeight",
                           "klTemperature", "layerWeighting", "layerWeights"});
    check(weighting_ == "uniform" || weighting_ == "log" || weighting_ == "linear", "ERR_INVALID_ARGUMENT",
          "Expected uniform, log or linear for layerWeighting but found ", weighting_);
    layout.prefix += "loss.";
    const Config& inner = spec.member("loss");
    inner_ = make_loss(inner, width, layout);
    const LossNeeds needs = inner_->needs();
    check(!needs.layers && !needs.tokens && !needs.encoder && !needs.twin && !needs.external && !needs.reconstruction,
          "ERR_INVALID_ARGUMENT", "AdaptiveLayerLoss cannot hold ", inner.string("type"),
          ", which reads more than sentence embeddings");
  }

  LossNeeds needs() const override {
    LossNeeds needs = inner_->needs();
    needs.layers = true;
    // The host draws the layers.
    needs.capturable = needs.capturable && per_step_ < 1;
    return needs;
  }
  void initialize(Parameters& parameters, uint64_t seed) const override { inner_->initialize(parameters, seed); }

  void check_batch(const LossInput& input) const override {
    check(!input.layers_CBD.empty(), "ERR_INVALID_DATA", "AdaptiveLayerLoss needs the embeddings of every layer");
    inner_->check_batch(input);
  }

  LossValue forward(const LossInput& input) const override {
    const auto last = static_cast<int64_t>(input.layers_CBD.size()) - 1;
    LossValue out = of_layer(input, last);
    out.total = out.total * last_weight_;
    const at::Tensor teacher_RD =
        temperature_ > 0 ? at::softmax(rows_of(input.embeddings_CBD), 1).detach() : at::Tensor();
    const std::vector<int64_t> chosen = sample(last, per_step_, input.draw);
    for (const int64_t index : chosen) {
      const LossValue value = of_layer(input, index);
      const double share = weight_of(index) * prior_weight_ / static_cast<double>(chosen.size());
      out.total = out.total + value.total * share;
      for (const auto& [name, number] : value.logged) {
        out.logged.emplace_back(name + "_layer_" + std::to_string(index), number);
      }
      if (temperature_ > 0) {
        const at::Tensor student_RD = at::log_softmax(rows_of(input.layers_CBD[static_cast<size_t>(index)]), 1);
        const at::Tensor divergence = at::kl_div(student_RD, teacher_RD, at::Reduction::Sum) / student_RD.size(0);
        out.total = out.total + divergence * (temperature_ * kl_weight_);
      }
    }
    return out;
  }

 private:
  // The rows of all columns, divided by the temperature.
  at::Tensor rows_of(const at::Tensor& x_CBD) const { return x_CBD.flatten(0, 1) / temperature_; }

  LossValue of_layer(const LossInput& input, int64_t index) const {
    LossInput layer = input;
    layer.embeddings_CBD = input.layers_CBD[static_cast<size_t>(index)];
    layer.layers_CBD.clear();
    layer.draw = part_of_draw(input.draw, static_cast<uint64_t>(index));
    return inner_->forward(layer);
  }

  // Layer 0 is the input of the first layer.
  double weight_of(int64_t index) const {
    if (!weights_.empty()) {
      check(index < static_cast<int64_t>(weights_.size()), "ERR_INVALID_ARGUMENT", "layerWeights has ", weights_.size(),
            " weights, but there is a layer ", index);
      return weights_[static_cast<size_t>(index)];
    }
    const auto layer = static_cast<double>(index);
    if (weighting_ == "log") return 1 / (1 + std::log(1 + layer));
    return weighting_ == "linear" ? 1 / (1 + layer) : 1;
  }

  int64_t per_step_;
  double last_weight_, prior_weight_, kl_weight_, temperature_;
  std::string weighting_;
  std::vector<double> weights_;
  std::unique_ptr<Loss> inner_;
};

}  // namespace

std::unique_ptr<Loss> make_adaptive_layer(const Config& spec, int64_t width, LossLayout layout) {
  return std::make_unique<AdaptiveLayer>(spec, width, layout);
}

}  // namespace st
