#include "engine/updater.h"

#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <cmath>

#include "engine/gathered.h"

namespace st {

namespace {

class HostUpdater final : public Updater {
 public:
  void add(const LossValue& value) override { gathered_.add(value); }

  void update(TrainedSets& sets, const std::vector<double>& rates) override {
    double squares = 0;
    for (size_t i = 0; i < sets.all.size(); ++i) {
      if (sets.all[i]->used && !sets.is_outside(i)) squares += sets.all[i]->squared_norm();
    }
    grad_norm_ = std::sqrt(squares);
    if (!std::isfinite(grad_norm_)) {
      for (auto& set : sets.all) set->drop_gradients();
      ++skipped_;
      return;
    }
    // As torch.nn.utils.clip_grad_norm_.
    const double factor = sets.max_grad_norm > 0 ? std::min(1.0, sets.max_grad_norm / (grad_norm_ + 1e-6)) : 1.0;
    for (size_t i = 0; i < sets.all.size(); ++i) {
      if (!sets.all[i]->used) continue;
      const bool outside = sets.is_outside(i);
      sets.all[i]->update(rates, sets.weight_decays, outside ? 1.0 : factor, outside);
    }
    ++updates_;
  }

  void report(StepReport& out, const at::Tensor& embeddings_BD) override {
    const at::NoGradGuard no_grad;
    gathered_.report(out);
    out.grad_norm = grad_norm_;
    out.updates = updates_;
    out.skipped = skipped_;
    const int64_t rows = embeddings_BD.size(0);
    out.mean_cosine = rows < 2 ? kNone : mean_cosine(cosine_squares(embeddings_BD).item<double>(), rows);
    gathered_ = {};
    updates_ = skipped_ = 0;
  }

 private:
  Gathered gathered_;
  double grad_norm_ = kNone;  // of the last update
  int64_t updates_ = 0, skipped_ = 0;
};

}  // namespace

std::unique_ptr<Updater> make_host_updater() {
  return std::make_unique<HostUpdater>();
}

}  // namespace st
