#include <ATen/TensorOperators.h>
#include <ATen/ops/ones_like.h>
#include <ATen/ops/where.h>
#include <ATen/ops/zeros_like.h>

#include "core/error.h"
#include "losses/loss.h"

namespace st {

namespace {

at::Tensor mean_square(const at::Tensor& a, const at::Tensor& b) {
  return (a - b).pow(2).mean();
}

// In units of the target's own deviation from its mean over the rows; as it is where all rows are equal.
at::Tensor relative_square(const at::Tensor& x_BD, const at::Tensor& target_BD) {
  const at::Tensor spread = mean_square(target_BD.mean(0, true), target_BD);
  const at::Tensor none = (spread == 0).logical_or((target_BD == target_BD.narrow(0, 0, 1)).all());
  return mean_square(x_BD, target_BD) / at::where(none, at::ones_like(spread), spread);
}

// Another loss over the latents of a SparseAutoEncoder, and how well these make its input again (Wen et al. 2025).
class Csr : public Loss {
 public:
  Csr(const Config& spec, int64_t width, LossLayout layout)
      : beta_(spec.number("beta", 0.1)), gamma_(spec.number("gamma", 1)) {
    require_options(spec, {"loss", "beta", "gamma"});
    layout.prefix += "loss.";
    const Config& inner = spec.member("loss");
    check(inner.string("type") != "SpladeLoss", "ERR_INVALID_ARGUMENT", "CSRLoss cannot hold SpladeLoss");
    inner_ = make_loss(inner, width, layout);
    const LossNeeds needs = inner_->needs();
    check(!needs.layers && !needs.tokens && !needs.encoder && !needs.twin && !needs.external && !needs.reconstruction,
          "ERR_INVALID_ARGUMENT", "CSRLoss cannot hold ", inner.string("type"),
          ", which reads more than sentence embeddings");
  }

  LossNeeds needs() const override {
    LossNeeds needs = inner_->needs();
    needs.reconstruction = true;
    return needs;
  }
  void check_batch(const LossInput& input) const override { inner_->check_batch(input); }
  void initialize(Parameters& parameters, uint64_t seed) const override { inner_->initialize(parameters, seed); }

  LossValue forward(const LossInput& input) const override {
    LossValue out = inner_->forward(input);
    for (auto& [name, value] : out.logged) value = value * gamma_;
    out.total = out.total * gamma_;
    std::vector<std::pair<std::string, at::Tensor>> parts = {{"base_loss", out.total}};
    const at::Tensor& all = input.reconstruction_CBPD;
    const auto part = [&](int64_t index) { return all.select(2, index); };
    // Columns have equally many rows.
    parts.emplace_back("reconstruction_loss_k", mean_square(part(0), part(1)));
    parts.emplace_back("reconstruction_loss_4k", mean_square(part(0), part(2)) / 8.0);
    at::Tensor aux = at::zeros_like(parts.back().second);
    if (all.size(2) > 3) {
      for (int64_t c = 0; c < all.size(0); ++c) {
        const at::Tensor column_BPD = all.select(0, c);
        aux = aux + relative_square(column_BPD.select(1, 4), column_BPD.select(1, 3));
      }
      aux = aux / static_cast<double>(all.size(0));
    }
    parts.emplace_back("reconstruction_loss_aux", aux * beta_);
    for (size_t i = 1; i < parts.size(); ++i) out.total = out.total + parts[i].second;
    out.logged.insert(out.logged.begin(), parts.begin(), parts.end());
    return out;
  }

 private:
  double beta_, gamma_;
  std::unique_ptr<Loss> inner_;
};

}  // namespace

std::unique_ptr<Loss> make_csr(const Config& spec, int64_t width, LossLayout layout) {
  return std::make_unique<Csr>(spec, width, layout);
}

}  // namespace st
