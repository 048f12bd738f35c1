#include <ATen/TensorOperators.h>

#include <limits>
#include <optional>

#include "core/error.h"
#include "losses/loss.h"

namespace st {

namespace {

// One side of the regulariser: how often words are used on the average, squared and summed, which is what searching an
// inverted index costs (Paria et al. 2020). Rows with no more than `threshold` words count as empty.
struct Flops {
  double weight = 0;
  std::optional<double> threshold = {};

  at::Tensor of(at::Tensor x_RV) const {
    if (threshold) x_RV = x_RV * ((x_RV != 0).sum(1, true) > *threshold);
    return x_RV.mean(0).pow(2).sum();
  }
};

// Another loss, and regularisers that make documents and queries sparse (Formal et al. 2022). Their weights are a
// parameter that is not trained, {documents, queries}: a schedule changes them by loading other values.
class Splade : public Loss {
 public:
  Splade(const Config& spec, int64_t width, LossLayout layout)
      : documents_(flops(spec, "documentRegularizer")),
        only_documents_(spec.boolean("useDocumentRegularizerOnly", false)) {
    require_options(spec, {"loss", "documentRegularizerWeight", "queryRegularizerWeight",
                           "documentRegularizerThreshold", "queryRegularizerThreshold", "useDocumentRegularizerOnly"});
    check(spec.has("documentRegularizerWeight"), "ERR_INVALID_ARGUMENT", "SpladeLoss needs documentRegularizerWeight");
    if (spec.has("queryRegularizerWeight") && !only_documents_) queries_ = flops(spec, "queryRegularizer");
    weights_ = layout.add("regularizer_weights", {2}, Group::kFrozen);
    layout.prefix += "loss.";
    const Config& inner = spec.member("loss");
    check(inner.string("type") != "SpladeLoss", "ERR_INVALID_ARGUMENT", "SpladeLoss cannot hold another SpladeLoss");
    inner_ = make_loss(inner, width, layout);
    const LossNeeds needs = inner_->needs();
    check(!needs.tokens && !needs.encoder && !needs.external && !needs.reconstruction, "ERR_INVALID_ARGUMENT",
          "SpladeLoss cannot hold ", inner.string("type"), ", which reads more than sentence embeddings");
  }

  LossNeeds needs() const override { return inner_->needs(); }

  void check_batch(const LossInput& input) const override {
    require_columns("SpladeLoss", input, only_documents_ ? 1 : 2, std::numeric_limits<int64_t>::max());
    inner_->check_batch(input);
  }
  void initialize(Parameters& parameters, uint64_t seed) const override {
    at::Tensor weights = parameters.master(weights_);
    weights.select(0, 0).fill_(documents_.weight);
    weights.select(0, 1).fill_(queries_ ? queries_->weight : 0);
    inner_->initialize(parameters, seed);
  }

  LossValue forward(const LossInput& input) const override {
    LossValue out = inner_->forward(input);
    out.logged.insert(out.logged.begin(), {"base_loss", out.total});
    const at::Tensor& weights = input.parameters[weights_];
    const auto add = [&](const char* name, const Flops& part, int64_t place, const at::Tensor& x_RV) {
      const at::Tensor value = part.of(x_RV) * weights.select(0, place);
      out.total = out.total + value;
      out.logged.emplace_back(name, value);
    };
    const int64_t first = only_documents_ ? 0 : 1;
    add("document_regularizer_loss", documents_, 0,
        input.embeddings_CBD.narrow(0, first, input.columns() - first).flatten(0, 1));
    if (queries_) add("query_regularizer_loss", *queries_, 1, input.column(0));
    return out;
  }

 private:
  static Flops flops(const Config& spec, const std::string& name) {
    Flops out{.weight = spec.number(name + "Weight", 0)};
    if (spec.has(name + "Threshold")) out.threshold = spec.number(name + "Threshold");
    return out;
  }

  Flops documents_;
  std::optional<Flops> queries_;
  bool only_documents_;
  ParamId weights_;
  std::unique_ptr<Loss> inner_;
};

}  // namespace

std::unique_ptr<Loss> make_splade(const Config& spec, int64_t width, LossLayout layout) {
  return std::make_unique<Splade>(spec, width, layout);
}

}  // namespace st
