#include <ATen/TensorOperators.h>

#include <algorithm>
#include <numeric>

#include "core/error.h"
#include "core/sizes.h"
#include "losses/loss.h"
#include "losses/sample.h"
#include "ops/similarity.h"

namespace st {

namespace {

// The first `dim` numbers of every embedding, scaled to length 1.
at::Tensor shrink(const at::Tensor& x_CBD, int64_t dim) {
  const at::Tensor cut = x_CBD.narrow(2, 0, dim);
  return normalize_rows(cut.flatten(0, 1)).view(cut.sizes());
}

// Applies another loss to embeddings that are cut to several widths (Kusupati et al. 2022).
class Matryoshka : public Loss {
 public:
  Matryoshka(const Config& spec, int64_t width, LossLayout layout) : per_step_(spec.integer("nDimsPerStep", -1)) {
    require_options(spec, {"loss", "matryoshkaDims", "matryoshkaWeights", "nDimsPerStep"});
    const std::vector<int64_t> dims = whole_numbers(spec, "matryoshkaDims", 1);
    std::vector<double> weights = spec.numbers("matryoshkaWeights");
    if (!spec.has("matryoshkaWeights")) weights.assign(dims.size(), 1);
    check(!dims.empty(), "ERR_INVALID_ARGUMENT", "Expected at least one of matryoshkaDims");
    check(weights.size() == dims.size(), "ERR_INVALID_ARGUMENT", "Expected ", dims.size(),
          " matryoshkaWeights, one for each of matryoshkaDims, but found ", weights.size());
    for (size_t i = 0; i < dims.size(); ++i) {
      check(dims[i] <= width, "ERR_INVALID_ARGUMENT", "Expected matryoshkaDims from 1 to ", width,
            ", the width of the model's embeddings, but found ", dims[i]);
      parts_.push_back({dims[i], weights[i]});
    }
    std::stable_sort(parts_.begin(), parts_.end(), [](const Part& a, const Part& b) { return a.dim > b.dim; });

    const size_t before = layout.layout.tensors().size();
    layout.prefix += "loss.";
    const Config& inner = spec.member("loss");
    inner_ = make_loss(inner, width, layout);
    const LossNeeds needs = inner_->needs();
    cuts_labels_ = needs.teacher;
    const std::vector<TensorInfo> tensors = layout.layout.tensors();
    for (size_t i = before; i < tensors.size(); ++i) {
      check(tensors[i].shape.empty(), "ERR_INVALID_ARGUMENT", "MatryoshkaLoss cannot hold ", inner.string("type"),
            ": its ", tensors[i].name, " fits one width of embeddings alone");
    }
    check(!needs.tokens && !needs.encoder && !needs.external && !needs.reconstruction, "ERR_INVALID_ARGUMENT",
          "MatryoshkaLoss cannot hold ", inner.string("type"), ", which reads more than sentence embeddings");
    check(needs.width <= parts_.back().dim, "ERR_INVALID_ARGUMENT", "MatryoshkaLoss cannot hold ", inner.string("type"),
          " of width ", needs.width, " where it cuts embeddings to ", parts_.back().dim);
  }

  LossNeeds needs() const override {
    LossNeeds needs = inner_->needs();
    // The host draws the widths.
    const bool all = per_step_ < 1 || per_step_ >= static_cast<int64_t>(parts_.size());
    needs.capturable = needs.capturable && all;
    needs.width = parts_.front().dim;
    return needs;
  }
  void check_batch(const LossInput& input) const override { inner_->check_batch(input); }
  void initialize(Parameters& parameters, uint64_t seed) const override { inner_->initialize(parameters, seed); }

  LossValue forward(const LossInput& input) const override {
    LossValue out{at::Tensor()};
    for (const int64_t index : sample(static_cast<int64_t>(parts_.size()), per_step_, input.draw)) {
      const auto& [dim, weight] = parts_[static_cast<size_t>(index)];
      LossInput cut = input;
      cut.embeddings_CBD = shrink(input.embeddings_CBD, dim);
      for (at::Tensor& layer_CBD : cut.layers_CBD) layer_CBD = shrink(layer_CBD, dim);
      // Labels that are embeddings, one for a row or one for each of its texts, are targets and are cut too.
      if (cuts_labels_) cut.labels = input.labels.narrow(-1, 0, dim);
      cut.draw = part_of_draw(input.draw, static_cast<uint64_t>(index));
      const LossValue value = inner_->forward(cut);
      const at::Tensor weighted = value.total * weight;
      out.total = out.total.defined() ? out.total + weighted : weighted;
      for (const auto& [name, number] : value.logged) {
        out.logged.emplace_back(name + "_dim_" + std::to_string(dim), number);
      }
    }
    return out;
  }

 private:
  struct Part {
    int64_t dim;
    double weight;
  };
  std::vector<Part> parts_;  // from the widest to the narrowest
  bool cuts_labels_;
  int64_t per_step_;
  std::unique_ptr<Loss> inner_;
};

}  // namespace

std::unique_ptr<Loss> make_matryoshka(const Config& spec, int64_t width, LossLayout layout) {
  return std::make_unique<Matryoshka>(spec, width, layout);
}

}  // namespace st
