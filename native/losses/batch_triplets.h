#pragma once

#include <utility>

#include "losses/loss.h"

namespace st {

// Shared parts of the losses over all triplets of a batch: one column, a class for each row, distances of all rows.
class BatchTriplets : public Loss {
 public:
  // `options`: members of the spec besides distanceMetric.
  BatchTriplets(const Config& spec, const char* name, std::vector<std::string> options);
  void check_batch(const LossInput& input) const override;

 protected:
  // [B, B], cosine or euclidean.
  at::Tensor distances(const LossInput& input) const;
  // For each row, the distance of the farthest row of its class and of the nearest of another: [B, 1] both.
  std::pair<at::Tensor, at::Tensor> hardest(const LossInput& input) const;

 private:
  const char* name_;
  bool cosine_;
};

// [B, B]: whether two rows have the same class.
at::Tensor same_class(const at::Tensor& labels_B);

}  // namespace st
