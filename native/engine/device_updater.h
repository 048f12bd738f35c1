#pragma once

#include <map>
#include <string>
#include <vector>

#include "engine/updater.h"
#include "ops/device_update.h"

namespace st {

// Keeps losses, norm and counts on the device, which decides by itself whether an update is skipped; the host reads
// them when they are reported, in one transfer. Everything but set_rates(), finish() and report() only queues work that
// is the same for every batch and every update of the same sets, on tensors that stay where they are: it may be
// recorded and repeated, once it has run before.
class DeviceUpdater final : public Updater {
 public:
  DeviceUpdater(at::Device device, int64_t groups);

  void add(const LossValue& value) override;
  void update(TrainedSets& sets, const std::vector<double>& rates) override {
    set_rates(rates);
    queue(sets);
    finish(sets);
  }
  void report(StepReport& out, const at::Tensor& embeddings_BD) override;

  // An update in its parts. Before: a transfer to the device.
  void set_rates(const std::vector<double>& rates);
  // Of the sets that are `used`.
  void queue(TrainedSets& sets);
  // After: what the host keeps.
  static void finish(TrainedSets& sets);

 private:
  at::Tensor rates_G_;    // float32
  at::Tensor numbers_N_;  // float64: the norm of the last update, and what is counted from report to report
  at::Tensor loss_sum_, finite_batches_;
  cuda::ClipState clip_;
  std::map<std::string, at::Tensor> components_;  // float64: the sum of each, and of how many batches
};

}  // namespace st
