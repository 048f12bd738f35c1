#pragma once

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "core/collective.h"
#include "core/parameters.h"
#include "engine/chunks.h"
#include "engine/gradient_sums.h"
#include "engine/loss_pass.h"
#include "engine/updater.h"

namespace st {

// Weights that are read as a whole, for a file say, when the device has done what it was given: where a rank was lost,
// there is half a sum in them, and the reader gets an error.
class SettledSums final : public PendingUpdates {
 public:
  explicit SettledSums(std::shared_ptr<Collective> ranks) : ranks_(std::move(ranks)) {}
  void settle() override { ranks_->settle(); }
  void settle(const std::vector<int32_t>&) override {}

 private:
  std::shared_ptr<Collective> ranks_;
};

// The training of one model by several processes. Each has all weights and an equal part of the rows of every batch,
// column by column: the first part belongs to rank 0. Gradients are summed over the ranks, so each makes the same
// update, bit for bit.
class Replicas {
 public:
  explicit Replicas(std::shared_ptr<Collective> ranks) : ranks_(std::move(ranks)), settled_(ranks_) {}

  // By which the loss of a part of the batch is scaled, so that the sum is the gradient of the mean over all rows.
  double share() const { return 1.0 / static_cast<double>(ranks_->size()); }
  Part part() const { return {ranks_->rank(), ranks_->size()}; }

  // Value and gradients of the loss of the rows of all ranks. Of the outputs' gradients the own rows are left; those
  // of the loss's parameters are the share of this rank.
  LossGradients differentiate_all(const OwnedLoss& owned, LossContext context, const Network::Output& outputs,
                                  double scale);

  // Of a model on a device: its weights are read when all is done there. `forget`: while it has no trainer any more.
  void watch_weights(TrainedSets& sets, bool forget = false);
  // See Collective.
  void settle() { ranks_->settle(); }

  // What is logged of a batch: means and sums over all ranks. The means are where the losses were.
  struct Logged {
    LossValue value;
    int64_t tokens;
    std::vector<double> requests;
  };
  Logged log(const LossValue& value, int64_t tokens, const std::vector<double>& requests);

  // Compares the weights of all ranks in some steps. `step`: the number of updates before.
  void check_weights(TrainedSets& sets, int64_t step);
  // The sums of the gradients of a set, which are begun in the backward pass.
  GradientSums& sums_of(TrainedSets& sets, size_t set);
  // Sums the gradients of the sets that were used.
  void sum_gradients(TrainedSets& sets);
  // See GradientSums.
  double take_hidden_ms();
  // Gives all ranks the weights, and those of the losses, of rank 0.
  void copy_weights(TrainedSets& sets);

 private:
  at::Tensor all_rows(const at::Tensor& own, int64_t columns);
  Network::Output all_vectors(const Network::Output& own, int64_t columns);
  // Those of this rank among rows, or vectors, in the order of `all`.
  at::Tensor own_rows(const Network::Output& all, const at::Tensor& all_RD, int64_t columns) const;
  // Throws ERR_DISTRIBUTED on every rank where the weights differ.
  void compare_weights(TrainedSets& sets, int64_t step);

  std::shared_ptr<Collective> ranks_;
  SettledSums settled_;
  std::vector<std::unique_ptr<GradientSums>> sums_;  // by set
};

}  // namespace st
