#pragma once

#include <memory>
#include <vector>

#include "engine/trained.h"
#include "engine/trainer.h"
#include "losses/loss.h"

namespace st {

// Everything that a trainer trains, and the settings of its updates.
struct TrainedSets {
  std::vector<std::unique_ptr<Trained>> all;  // the encoder's, its twin's if there is one, then each loss's
  std::vector<double> weight_decays;          // by group
  double max_grad_norm = 0;                   // 0 = no clipping
  bool compat_loss_gradients = false;

  // Loss sets with the rules of sentence-transformers 6.0.1, which neither clips nor zeroes them.
  bool is_outside(size_t index) const { return compat_loss_gradients && index > 0; }
};

// Handles the losses and gradients of a trainer's batches.
class Updater {
 public:
  virtual ~Updater() = default;
  // Adds the loss of one batch.
  virtual void add(const LossValue& value) = 0;
  // Updates from the accumulated gradients. Skips it where their norm is not finite. One rate, or one per group.
  virtual void update(TrainedSets& sets, const std::vector<double>& rates) = 0;
  // Fills in losses, norm, counts, and the mean cosine of the embeddings, and restarts the counts.
  virtual void report(StepReport& out, const at::Tensor& embeddings_BD) = 0;
};

// Reads the loss of every batch and the norm of every update, for the CPU, where reading costs nothing.
std::unique_ptr<Updater> make_host_updater();

}  // namespace st
