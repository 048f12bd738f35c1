#pragma once

#include <memory>
#include <vector>

#include "engine/report.h"
#include "engine/spec.h"
#include "engine/trained.h"
#include "losses/loss.h"

namespace st {

// All that a trainer trains, and what its updates are made with.
struct TrainedSets {
  std::vector<std::unique_ptr<Trained>> all;  // the encoder's, its twin's if there is one, then each loss's
  std::vector<double> weight_decays;          // by group
  double max_grad_norm = 0;                   // 0 = no clipping
  bool compat_loss_gradients = false;

  // Sets of losses, where they are to be treated as sentence-transformers 6.0.1 does: neither clipped nor zeroed.
  bool is_outside(size_t index) const { return compat_loss_gradients && index > 0; }
};

// What becomes of the losses and the gradients of a trainer's batches.
class Updater {
 public:
  virtual ~Updater() = default;
  // Of one batch.
  virtual void add(const LossValue& value) = 0;
  // With what has been accumulated in the gradients; skipped where their norm is not finite. One rate, or one by group.
  virtual void update(TrainedSets& sets, const std::vector<double>& rates) = 0;
  // Fills in losses, norm, counts and, of the embeddings, their mean cosine, and counts anew.
  virtual void report(StepReport& out, const at::Tensor& embeddings_BD) = 0;
};

// Reads the loss of every batch and the norm of every update: the way on the CPU, where reading costs nothing.
std::unique_ptr<Updater> make_host_updater();

}  // namespace st
