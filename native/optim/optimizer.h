#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/config.h"
#include "core/parameters.h"
#include "ops/device_update.h"

namespace st {

// Elements [begin, end) of the flat buffers with one learning rate and one weight decay.
struct UpdateRange {
  int64_t begin, end;
  double lr, weight_decay;
};

// The same with a learning rate on the device: 0-dim, float32.
struct QueuedRange {
  int64_t begin, end;
  at::Tensor rate;
  double weight_decay;
};

// The buffers of an update. `copy`: the values in another dtype; undefined without one.
struct FlatBuffers {
  at::Tensor values, gradients, copy;
};

class LazyRows;

class Optimizer {
 public:
  virtual ~Optimizer() = default;
  // Update number `step` (from 1) of some ranges, with gradients times `grad_factor`. Zeroes the gradients and renews
  // the copies.
  virtual void update(const std::vector<UpdateRange>& ranges, int64_t step, double grad_factor,
                      const FlatBuffers& flat) = 0;
  // The same with numbers on the device, without waiting for it.
  virtual void queue_update(const std::vector<QueuedRange>& ranges, const cuda::UpdateScalars& scalars,
                            const FlatBuffers& flat) = 0;
  // Flat buffers as long as the gradients, by the prefix of their tensors' names: exp_avg, exp_avg_sq.
  virtual std::vector<std::pair<std::string, at::Tensor>> state() = 0;
  // For the token table, if updates of rows without a gradient can be postponed; else null.
  virtual std::unique_ptr<LazyRows> lazy_rows(Parameters&);
};

// Chooses by the `type` of the spec: adamw, sgd, rmsprop. `like`: the flat values; `size`: the number of trained
// ones.
std::unique_ptr<Optimizer> make_optimizer(const Config& spec, int64_t size, const at::Tensor& like);
// The names in state(), without creating it.
std::vector<std::string> optimizer_state_names(const Config& spec);

}  // namespace st
