#pragma once

#include <map>
#include <string>
#include <vector>

#include "engine/loss_scaler.h"
#include "engine/updater.h"
#include "ops/device_update.h"

namespace st {

// Keeps losses, norm and counts on the device, which decides whether an update is skipped. The host reads them in one
// transfer when they are reported. All calls but set_rates(), finish() and report() only queue work. That work is the
// same for every batch and every update of the same sets, on tensors at fixed addresses. So it can be recorded and
// repeated, once it has run before.
class DeviceUpdater final : public Updater {
 public:
  // `scaler`: of the losses, which lives as long; null where they are not scaled. With it, a rate is that of an update
  // if none is skipped: skipped ones delay all rates after them, as the schedules of Python's accelerate.
  DeviceUpdater(at::Device device, int64_t groups, LossScaler* scaler = nullptr);

  void add(const LossValue& value) override;
  void update(TrainedSets& sets, const std::vector<double>& rates) override {
    set_rates(rates);
    queue(sets);
    finish(sets);
  }
  void report(StepReport& out, const at::Tensor& embeddings_BD) override;

  // The parts of an update. First: a transfer to the device.
  void set_rates(const std::vector<double>& rates);
  // Updates the sets that are `used`.
  void queue(TrainedSets& sets);
  // Last: brings the host's state up to date.
  static void finish(TrainedSets& sets);

 private:
  LossScaler* scaler_;
  at::Tensor rates_G_;    // float32
  at::Tensor given_NG_;   // with a scaler: the rates of all updates so far
  at::Tensor behind_;     // int64, 0-dim: how many of them were skipped
  int64_t given_ = 0;     // the number of rows of given_NG_ that are in use
  at::Tensor numbers_N_;  // float64: the norm of the last update, and the counts since the last report
  at::Tensor loss_sum_, finite_batches_;
  cuda::ClipState clip_;
  std::map<std::string, at::Tensor> components_;  // float64: the sum of each, and the number of batches
};

}  // namespace st
