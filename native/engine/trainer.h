#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/encoder.h"

namespace st {

struct TrainerSpec {
  Config loss;
  double weight_decay = 0;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;
  double max_grad_norm = 1;  // 0 = no clipping
  uint64_t seed = 0;
  std::string precision;  // float32 or bfloat16 while this trainer lives; empty = as the encoder was made
};

struct StepOptions {
  double lr_decay = 0;     // of the group with weight decay
  double lr_no_decay = 0;  // of the group without
  double loss_scale = 1;
  bool update = true;
  bool report = false;
};

struct StepReport {
  double loss = 0;
  int64_t batches = 0;
  double grad_norm = 0;
  int64_t updates = 0;
  int64_t skipped = 0;
};

// Loss, gradients and optimiser over one encoder. The constructor throws ERR_BUSY when the encoder already has a
// trainer. Everything but tensors() must be called on the executor thread.
class Trainer {
 public:
  Trainer(std::shared_ptr<Encoder> encoder, const TrainerSpec& spec);
  ~Trainer();

  std::vector<TensorInfo> tensors() const;
  void load(const std::vector<TensorRange>& ranges);
  void dump(const std::vector<TensorRange>& ranges);
  std::optional<StepReport> step(const PackedBatch& batch, const StepOptions& options);
  double evaluate(const PackedBatch& batch);
  // Frees gradients, moments and loss parameters and lets the encoder go; every later call throws ERR_DISPOSED.
  void dispose();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace st
